# SPDX-License-Identifier: Apache-2.0
"""What holds of every URL below a record, and of every tag and key."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.functional.harness.daemon import config_dir, database
from tests.functional.harness.in_process import Application

READS = [('GET', '/tags'), ('GET', '/tags/t'), ('GET', '/metadata'),
         ('GET', '/metadata/k')]
WRITES = [('PUT', '/tags', {'tags': ['x']}), ('DELETE', '/tags', None),
          ('PUT', '/tags/u', None), ('DELETE', '/tags/t', None),
          ('PUT', '/metadata', {'metadata': {'x': 'y'}}),
          ('DELETE', '/metadata', None),
          ('POST', '/metadata', {'key': 'l', 'value': 'w'}),
          ('PUT', '/metadata/k', {'value': 'w'}),
          ('DELETE', '/metadata/k', None)]
ALL = [*((*one, None) for one in READS), *WRITES]
MEMBER = {'X-Roles': 'member'}


@pytest.fixture(scope='module')
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return config_dir(tmp_path_factory.mktemp('parts'))


@pytest.fixture(scope='module')
def app(directory: Path) -> Application:
    return Application(directory)


@pytest.fixture
def host(app: Application) -> Iterator[str]:
    """The path of a host with one tag and one key."""
    made = app.request('POST', '/v1/hosts', {'host': {
        'name': uuid.uuid4().hex, 'serial': uuid.uuid4().hex[:20].upper(),
        'tags': ['t'], 'metadata': {'k': 'v'}}}, MEMBER)
    path = urlsplit(made.headers['Location']).path
    yield path
    assert app.request('DELETE', path).status == 204


def ids(value: object) -> str:
    return str(value) if isinstance(value, str) else ''


@pytest.mark.parametrize(('method', 'path', 'body'), ALL, ids=ids)
def test_a_caller_without_a_role_is_refused(app, host, method, path, body):
    reply = app.request(method, host + path, body, {'X-Roles': 'nothing'})
    assert reply.status == 403


@pytest.mark.parametrize(('method', 'path', 'body'), WRITES, ids=ids)
def test_a_reader_writes_nothing(app, host, method, path, body):
    before = app.request('GET', host).body
    reply = app.request(method, host + path, body, {'X-Roles': 'reader'})
    assert reply.status == 403
    assert app.request('GET', host).body == before


@pytest.mark.parametrize(('method', 'path', 'body'), ALL, ids=ids)
def test_a_record_of_another_project_is_as_one_never_made(
        app, host, method, path, body):
    there = {**MEMBER, 'X-Project-Id': 'elsewhere'}
    id = str(uuid.uuid4())
    foreign = app.request(method, host + path, body, there)
    missing = app.request(method, f'/v1/hosts/{id}{path}', body, there)
    assert foreign.status == missing.status == 404
    told, other = (one.json['errors'][0] for one in (foreign, missing))
    assert told['code'] == other['code'] == 'pileus.not-found'
    assert told['detail'].replace(host.rpartition('/')[2], id) == (
        other['detail'])


@pytest.mark.parametrize(('method', 'path'), READS, ids=ids)
def test_head_answers_as_get_does(app, host, method, path):
    for target in (path, f'{path}-missing'):
        get, head = (app.request(verb, host + target).headers
                     for verb in (method, 'HEAD'))
        for headers in (get, head):
            del headers['x-openstack-request-id']
        assert sorted(get.items()) == sorted(head.items())


@pytest.mark.parametrize(('method', 'path', 'body'), WRITES, ids=ids)
def test_a_write_moves_generation_and_time_once(app, host, method, path,
                                                body):
    before = app.request('GET', host).json['host']
    assert app.request(method, host + path, body, MEMBER).status < 300
    after = app.request('GET', host).json['host']
    assert after['generation'] == before['generation'] + 1
    assert after['updated_at'] > before['updated_at']
    own = {'generation', 'updated_at', 'tags', 'metadata'}
    assert {name: after[name] for name in after if name not in own} == {
        name: before[name] for name in before if name not in own}


def revisions(directory: Path, host: str) -> list[tuple[int, str]]:
    """Generation and action of each deed on a host, in order."""
    with database(directory).connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(
            'SELECT record_generation, action FROM pileus_revisions '
            'WHERE record_id = :id ORDER BY number'),
            {'id': host.rpartition('/')[2]})]


@pytest.mark.parametrize(('method', 'path', 'body'), WRITES, ids=ids)
def test_a_write_leaves_one_revision(app, directory, host, method, path,
                                     body):
    assert app.request(method, host + path, body, MEMBER).status < 300
    assert revisions(directory, host) == [(1, 'create'), (2, 'update')]


@pytest.mark.parametrize(('method', 'path', 'body'), [
    ('PUT', '/tags', {'tags': ['t']}), ('PUT', '/tags/t', None),
    ('PUT', '/metadata', {'metadata': {'k': 'v'}}),
    ('POST', '/metadata', {'key': 'k', 'value': 'v'}),
    ('PUT', '/metadata/k', {'value': 'v'})], ids=ids)
def test_asking_for_what_is_so_already_moves_nothing(app, host, method, path,
                                                     body):
    before = app.request('GET', host)
    assert app.request(method, host + path, body, MEMBER).status in (200, 204)
    assert app.request('GET', host).body == before.body


@pytest.mark.parametrize(('method', 'path', 'body'), WRITES, ids=ids)
def test_a_dry_run_writes_nothing(app, host, method, path, body):
    before = app.request('GET', host).body
    reply = app.request(method, f'{host}{path}?dry_run=true', body, MEMBER)
    assert reply.status in (200, 204)
    assert 'Location' not in reply.headers
    assert app.request('GET', host).body == before


def test_twenty_tags_put_at_once_are_all_there(app, host):
    tags = [f'tag-{number:02}' for number in range(20)]
    with ThreadPoolExecutor(20) as threads:
        statuses = list(threads.map(
            lambda tag: app.request('PUT', f'{host}/tags/{tag}').status, tags))
    assert statuses == [201] * 20
    shown = app.request('GET', f'{host}/tags').json['tags']
    assert sorted(shown) == sorted(['t', *tags])
    assert app.request('GET', host).json['host']['generation'] == 21


TEXT = st.characters(exclude_categories=['Cs'], exclude_characters='\0')
STEPS = ('.', '..')
TAG = st.text(TEXT.filter(lambda one: one not in '/,'), min_size=1,
              max_size=60).filter(lambda one: one not in STEPS)
ROUND = settings(max_examples=60, deadline=None, suppress_health_check=[
    HealthCheck.function_scoped_fixture])


@ROUND
@given(tag=TAG)
def test_any_tag_is_found_where_its_location_says(app, host, tag):
    app.request('DELETE', f'{host}/tags')
    made = app.request('PUT', f'{host}/tags/{quote(tag, safe="")}')
    assert made.status == 201
    where = urlsplit(made.headers['Location']).path
    assert app.request('GET', f'{host}/tags').json == {'tags': [tag]}
    assert app.request('GET', where).status == 204
    assert app.request('DELETE', where).status == 204
    assert app.request('GET', where).status == 404


@ROUND
@given(key=st.text(TEXT, min_size=1, max_size=255).filter(
    lambda one: one not in STEPS),
       value=st.text(TEXT, max_size=255))
def test_any_key_is_found_where_its_location_says(app, host, key, value):
    app.request('DELETE', f'{host}/metadata')
    item = {'key': key, 'value': value}
    made = app.request('POST', f'{host}/metadata', item)
    assert (made.status, made.json) == (201, item)
    where = urlsplit(made.headers['Location']).path
    assert app.request('GET', where).json == item
    assert app.request('GET', f'{host}/metadata').json == {
        'metadata': {key: value}}
    assert app.request('DELETE', where).status == 204


@pytest.mark.parametrize('path', [
    '{}/tags%0a', '{}/metadata%0A', '{}%0a', '{}/tags/', '{}/tags/a%00',
    '{}/metadata/%00', '{}//tags', '{}/tags//t', '/{}/tags', '{}/./tags',
    '/v1/{}/tags'])
def test_there_is_one_spelling_of_a_path(app, host, path):
    reply = app.request('GET', path.format(host))
    assert reply.status == 404
    assert reply.json['errors'][0]['status'] == 404


@pytest.mark.parametrize('key', ['a//b', '//', 'http://a.example//b', '/',
                                 './', '../..', 'a/', 'a\n', '\n', '%2F'])
def test_a_key_that_looks_like_a_path_stays_as_it_is(app, host, key):
    where = f'{host}/metadata/{quote(key, safe="")}'
    put = app.request('PUT', where, {'value': 'v'})
    assert put.json == app.request('GET', where).json == {
        'key': key, 'value': 'v'}
    assert app.request('GET', f'{host}/metadata').json['metadata'] == {
        'k': 'v', key: 'v'}


def test_a_name_from_before_that_would_be_refused_now_hinders_nobody(
        app, host, directory):
    """It can be read and removed, by whom can name it."""
    with database(directory).begin() as connection:
        for made in ("update pileus_tags set tag = '..' where record_id = :id",
                     "update r_hosts set tags = '[\"..\"]' where id = :id"):
            connection.execute(sa.text(made), {'id': host.rpartition('/')[2]})
    changed = app.request('PATCH', host, {'host': {'status': 'active'}})
    assert (changed.status, changed.json['host']['tags']) == (200, ['..'])
    sent_back = app.request('PUT', host, {'host': {
        **changed.json['host'], 'status': 'retired'}})
    assert (sent_back.status, sent_back.json['host']['tags']) == (200, ['..'])
    added = app.request('PUT', f'{host}/tags/new')
    assert added.status == 201
    assert app.request('GET', f'{host}/tags/%2E%2E').status == 204
    assert app.request('DELETE', f'{host}/tags/%2E%2E').status == 204
    assert app.request('GET', host).json['host']['tags'] == ['new']
