# SPDX-License-Identifier: Apache-2.0
"""An invalid authentication configuration stops the start.

The error is one line that names the option or the file.
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

#: Options of a Keystone at a port without a listener. The start does not
#: connect to Keystone.
KEYSTONE = {'auth_type': 'password', 'auth_url': 'http://127.0.0.1:1/v3',
            'username': 'pileus', 'password': 'hunter2'}


def directory(tmp_path: Path, strategy: str,
              files: Mapping[str, str] | None = None,
              **groups: Mapping[str, object]) -> Path:
    folder = config_dir(tmp_path, LAMP, {
        'api': {'auth_strategy': strategy}, **groups})
    for name, text in (files or {}).items():
        (folder / name).write_text(text)
    return folder


def start_error(folder: Path) -> str:
    """Return the error of a start with this configuration: one line."""
    with pytest.raises(StartError) as caught:
        paste.load(config_files.load(['--config-dir', str(folder)]))
    text = str(caught.value)
    assert len(text.splitlines()) == 1
    assert 'hunter2' not in text
    return text


def test_an_unknown_strategy_is_rejected_with_the_known_ones(tmp_path):
    text = start_error(directory(tmp_path, 'kerberos'))
    assert '[api] auth_strategy = kerberos' in text
    assert 'noauth' in text and 'http_basic' in text and 'keystone' in text


def test_a_strategy_without_a_pipeline_is_rejected(tmp_path):
    folder = directory(tmp_path, 'keystone')
    ini = folder / 'api-paste.ini'
    ini.write_text(ini.read_text().replace('keystone = keystone_v1\n', ''))
    assert '[api] auth_strategy = keystone' in start_error(folder)


@pytest.mark.parametrize(('files', 'text'), [
    ({}, '[http_basic] htpasswd_file = htpasswd: no such file'),
    ({'htpasswd': ''}, '[http_basic] users_file = users.yaml: no such file'),
    ({'htpasswd': 'ada:hunter2\n', 'users.yaml': ''}, '/htpasswd: line 1: '),
    ({'htpasswd': f'ada:{HASH}\n', 'users.yaml': '- ada\n'},
     '/users.yaml: is not a mapping of user names'),
    ({'htpasswd': f'ada:{HASH}\n', 'users.yaml': 'ada: {role: [x]}\n'},
     '/users.yaml: ada: role: is unknown')])
def test_an_invalid_http_basic_file_is_rejected_by_name(tmp_path, files, text):
    assert text in start_error(directory(tmp_path, 'http_basic', files))


def test_an_http_basic_file_that_is_a_directory_is_rejected(tmp_path):
    folder = directory(tmp_path, 'http_basic', {'users.yaml': ''})
    (folder / 'htpasswd').mkdir()
    assert f'{folder}/htpasswd: cannot be read: ' in start_error(folder)


@pytest.mark.parametrize(('changed', 'text'), [
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
def test_an_invalid_keystone_option_is_rejected_by_name(tmp_path, changed,
                                                        text):
    options = {name: value for name, value in (KEYSTONE | changed).items()
               if value is not None}
    assert text in start_error(directory(tmp_path, 'keystone',
                                         keystone_authtoken=options))


@pytest.mark.parametrize(('cache', 'text'), [
    ({'redis_url': 'redis://:hunter2@127.0.0.1:1/0'},
     '[token_cache] redis_url: Redis does not answer: '),
    ({'redis_url': 'http://127.0.0.1'}, '[token_cache] redis_url: '),
    ({'max_tokens': -1}, '[token_cache] max_tokens = -1'),
])
def test_an_invalid_token_cache_option_is_rejected_by_name(tmp_path, cache,
                                                           text):
    assert text in start_error(directory(
        tmp_path, 'keystone', keystone_authtoken=KEYSTONE,
        token_cache=cache))


# python-memcached does not close the socket after a failed connection.
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_an_unreachable_memcached_server_is_rejected_by_name(tmp_path):
    text = start_error(directory(tmp_path, 'keystone', keystone_authtoken={
        **KEYSTONE, 'memcached_servers': '127.0.0.1:1'}))
    assert text.startswith(
        '[keystone_authtoken] memcached_servers = 127.0.0.1:1: ')


def test_two_token_caches_are_rejected(tmp_path):
    assert 'set only one of them' in start_error(directory(
        tmp_path, 'keystone', token_cache={'redis_url': 'redis://a'},
        keystone_authtoken={**KEYSTONE, 'memcached_servers': 'b:11211'}))


def test_the_service_starts_while_keystone_is_unreachable(tmp_path):
    """A13: the first request with a token connects to Keystone."""
    conf = config_files.load(['--config-dir', str(directory(
        tmp_path, 'keystone', keystone_authtoken=KEYSTONE))])
    assert callable(paste.load(conf))


def test_the_daemon_exits_with_1_and_the_error_on_its_last_line(tmp_path):
    folder = directory(tmp_path, 'http_basic')
    configure(folder, {'DEFAULT': {'debug': False}})
    daemon = Daemon(folder)
    daemon.launch()
    assert daemon.wait_for_exit() == 1
    assert daemon.output.splitlines()[-1].startswith(
        'pileus-api: [http_basic] htpasswd_file = htpasswd: ')


def test_accounts_stay_in_force_after_a_reload_with_invalid_options(tmp_path):
    files = {'htpasswd': f'ada:{HASH}\n',
             'users.yaml': 'ada: {project_id: ours, roles: [reader]}\n'}
    folder = directory(tmp_path, 'http_basic', files)
    basic = {'Authorization': 'Basic YWRhOnMzY3JldA=='}
    with Daemon(folder) as daemon:
        assert daemon.request('GET', '/v1/lamps', headers=basic).status == 200
        configure(folder, {'http_basic': {'users_file': 'nobody.yaml'}})
        daemon.reload()
        assert '[http_basic] users_file = nobody.yaml' in daemon.output
        assert daemon.request('GET', '/v1/lamps', headers=basic).status == 200
        assert daemon.request('GET', '/v1/lamps').status == 401
