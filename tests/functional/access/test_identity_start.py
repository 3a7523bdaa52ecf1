# SPDX-License-Identifier: Apache-2.0
"""What keeps a strategy of identity from starting is one line, and names it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from service.config import files as config_files
from service.errors import StartError
from service.hosting import paste
from tests.functional.harness.daemon import Daemon, config_dir, configure

LAMP = {'lamp': 'name: lamp\nplural: lamps\ndescription: Gives light.\n'
                'properties: {name: {type: string}}\n'}

HASH = '$2b$04$UQ06idjBREZ4nHp6AKUJn.9GpB2wiFB6IK3zMvpQR8gsIsT70o69y'

#: Nothing listens there, and nothing has to for a start.
KEYSTONE = {'auth_type': 'password', 'auth_url': 'http://127.0.0.1:1/v3',
            'username': 'pileus', 'password': 'hunter2'}


def directory(tmp_path: Path, strategy: str,
              files: Mapping[str, str] | None = None,
              **groups: Mapping[str, object]) -> Path:
    made = config_dir(tmp_path, LAMP, {
        'api': {'auth_strategy': strategy}, **groups})
    for name, text in (files or {}).items():
        (made / name).write_text(text)
    return made


def refusal(made: Path) -> str:
    """Why the configuration does not start; one line."""
    with pytest.raises(StartError) as caught:
        paste.load(config_files.load(['--config-dir', str(made)]))
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert 'hunter2' not in text
    return text


def test_a_strategy_that_is_none_is_named_with_those_there_are(tmp_path):
    said = refusal(directory(tmp_path, 'kerberos'))
    assert '[api] auth_strategy = kerberos' in said
    assert 'noauth' in said and 'http_basic' in said and 'keystone' in said


def test_a_strategy_without_a_pipeline_is_named(tmp_path):
    made = directory(tmp_path, 'keystone')
    ini = made / 'api-paste.ini'
    ini.write_text(ini.read_text().replace('keystone = keystone_v1\n', ''))
    assert '[api] auth_strategy = keystone' in refusal(made)


@pytest.mark.parametrize(('files', 'said'), [
    ({}, '[http_basic] htpasswd_file = htpasswd: no such file'),
    ({'htpasswd': ''}, '[http_basic] users_file = users.yaml: no such file'),
    ({'htpasswd': 'ada:hunter2\n', 'users.yaml': ''}, '/htpasswd: line 1: '),
    ({'htpasswd': f'ada:{HASH}\n', 'users.yaml': '- ada\n'},
     '/users.yaml: is not a mapping of user names'),
    ({'htpasswd': f'ada:{HASH}\n', 'users.yaml': 'ada: {role: [x]}\n'},
     '/users.yaml: ada: role: is unknown')])
def test_files_of_http_basic_are_named(tmp_path, files, said):
    assert said in refusal(directory(tmp_path, 'http_basic', files))


def test_a_file_of_http_basic_that_is_none_is_named(tmp_path):
    made = directory(tmp_path, 'http_basic', {'users.yaml': ''})
    (made / 'htpasswd').mkdir()
    assert f'{made}/htpasswd: cannot be read: ' in refusal(made)


@pytest.mark.parametrize(('changed', 'said'), [
    ({'auth_type': ''}, '[keystone_authtoken] auth_type: is not set'),
    ({'auth_type': 'magic'}, '[keystone_authtoken] auth_type: '),
    ({'auth_url': None}, 'auth_url'),
    ({'username': None}, '[keystone_authtoken] username or user_id: '),
    ({'password': None}, '[keystone_authtoken] password: '),
    ({'auth_section': 'elsewhere'},
     '[keystone_authtoken] auth_section: there is no section [elsewhere]'),
    ({'token_cache_time': 'long'},
     'pileus.conf: [keystone_authtoken] token_cache_time = long: '),
    ({'token_cache_time': 0}, '[keystone_authtoken] token_cache_time: '),
    ({'memcache_security_strategy': 'ROT13'},
     '[keystone_authtoken] memcache_security_strategy = ROT13'),
    ({'memcache_security_strategy': 'ENCRYPT'},
     '[keystone_authtoken] memcache_secret_key: is not set'),
])
def test_what_keystone_lacks_is_named(tmp_path, changed, said):
    told = {name: value for name, value in (KEYSTONE | changed).items()
            if value is not None}
    assert said in refusal(directory(tmp_path, 'keystone',
                                     keystone_authtoken=told))


@pytest.mark.parametrize(('cache', 'said'), [
    ({'redis_url': 'redis://:hunter2@127.0.0.1:1/0'},
     '[token_cache] redis_url: Redis does not answer: '),
    ({'redis_url': 'http://127.0.0.1'}, '[token_cache] redis_url: '),
    ({'max_tokens': -1}, '[token_cache] max_tokens = -1'),
])
def test_a_token_cache_that_would_not_do_is_named(tmp_path, cache, said):
    assert said in refusal(directory(
        tmp_path, 'keystone', keystone_authtoken=KEYSTONE,
        token_cache=cache))


# python-memcached leaves the socket of a server it did not reach.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_a_memcached_that_is_not_there_is_named(tmp_path):
    said = refusal(directory(tmp_path, 'keystone', keystone_authtoken={
        **KEYSTONE, 'memcached_servers': '127.0.0.1:1'}))
    assert said.startswith(
        '[keystone_authtoken] memcached_servers = 127.0.0.1:1: ')


def test_there_are_not_two_token_caches(tmp_path):
    assert 'name one' in refusal(directory(
        tmp_path, 'keystone', token_cache={'redis_url': 'redis://a'},
        keystone_authtoken={**KEYSTONE, 'memcached_servers': 'b:11211'}))


def test_keystone_itself_may_be_away(tmp_path):
    """A13: it is asked when there is something to ask."""
    made = directory(tmp_path, 'keystone', keystone_authtoken=KEYSTONE)
    assert callable(paste.load(config_files.load(['--config-dir', str(made)])))


def test_the_daemon_ends_with_1_before_it_listens(tmp_path):
    made = directory(tmp_path, 'http_basic')
    configure(made, {'DEFAULT': {'debug': False}})
    daemon = Daemon(made)
    daemon.launch()
    assert daemon.wait_for_exit() == 1
    assert daemon.output.splitlines()[-1].startswith(
        'pileus-api: [http_basic] htpasswd_file = htpasswd: ')


def test_a_reload_that_would_not_start_keeps_who_is_who(tmp_path):
    files = {'htpasswd': f'ada:{HASH}\n',
             'users.yaml': 'ada: {project_id: ours, roles: [reader]}\n'}
    made = directory(tmp_path, 'http_basic', files)
    sent = {'Authorization': 'Basic YWRhOnMzY3JldA=='}
    with Daemon(made) as daemon:
        assert daemon.request('GET', '/v1/lamps', headers=sent).status == 200
        configure(made, {'http_basic': {'users_file': 'nobody.yaml'}})
        daemon.reload()
        assert '[http_basic] users_file = nobody.yaml' in daemon.output
        assert daemon.request('GET', '/v1/lamps', headers=sent).status == 200
        assert daemon.request('GET', '/v1/lamps').status == 401
