# SPDX-License-Identifier: Apache-2.0
"""The tag and metadata URLs below a record, for any tag and key."""

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
ALL = [*((*read, None) for read in READS), *WRITES]
MEMBER = {'X-Roles': 'member'}


@pytest.fixture(scope='module')
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return config_dir(tmp_path_factory.mktemp('tags'))


@pytest.fixture(scope='module')
def app(directory: Path) -> Application:
    return Application(directory)


@pytest.fixture
def host(app: Application) -> Iterator[str]:
    """Create a host with one tag and one key; yield its path."""
    created = app.request('POST', '/v1/hosts', {'host': {
        'name': uuid.uuid4().hex, 'serial': uuid.uuid4().hex[:20].upper(),
        'tags': ['t'], 'metadata': {'k': 'v'}}}, MEMBER)
    path = urlsplit(created.headers['Location']).path
    yield path
    assert app.request('DELETE', path).status == 204


def ids(value: object) -> str:
    return str(value) if isinstance(value, str) else ''


@pytest.mark.parametrize(('method', 'path', 'body'), ALL, ids=ids)
def test_a_caller_without_a_role_is_refused(app, host, method, path, body):
    reply = app.request(method, host + path, body, {'X-Roles': 'nothing'})
    assert reply.status == 403


@pytest.mark.parametrize(('method', 'path', 'body'), WRITES, ids=ids)
def test_a_reader_cannot_write(app, host, method, path, body):
    before = app.request('GET', host).body
    reply = app.request(method, host + path, body, {'X-Roles': 'reader'})
    assert reply.status == 403
    assert app.request('GET', host).body == before


@pytest.mark.parametrize(('method', 'path', 'body'), ALL, ids=ids)
def test_a_record_of_another_project_answers_as_a_missing_one(
        app, host, method, path, body):
    headers = {**MEMBER, 'X-Project-Id': 'elsewhere'}
    id = str(uuid.uuid4())
    foreign = app.request(method, host + path, body, headers)
    missing = app.request(method, f'/v1/hosts/{id}{path}', body, headers)
    assert foreign.status == missing.status == 404
    error, other = (reply.json['errors'][0] for reply in (foreign, missing))
    assert error['code'] == other['code'] == 'pileus.not-found'
    assert error['detail'].replace(host.rpartition('/')[2], id) == (
        other['detail'])


@pytest.mark.parametrize(('method', 'path'), READS, ids=ids)
def test_head_has_the_headers_of_get(app, host, method, path):
    for target in (path, f'{path}-missing'):
        get, head = (app.request(verb, host + target).headers
                     for verb in (method, 'HEAD'))
        for headers in (get, head):
            del headers['x-openstack-request-id']
        assert sorted(get.items()) == sorted(head.items())


@pytest.mark.parametrize(('method', 'path', 'body'), WRITES, ids=ids)
def test_a_write_updates_generation_and_time_once(app, host, method, path,
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
    """Return (generation, action) of a host's revisions, in order."""
    with database(directory).connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(
            'SELECT record_generation, action FROM pileus_revisions '
            'WHERE record_id = :id ORDER BY number'),
            {'id': host.rpartition('/')[2]})]


@pytest.mark.parametrize(('method', 'path', 'body'), WRITES, ids=ids)
def test_a_write_adds_one_revision(app, directory, host, method, path, body):
    assert app.request(method, host + path, body, MEMBER).status < 300
    assert revisions(directory, host) == [(1, 'create'), (2, 'update')]


@pytest.mark.parametrize(('method', 'path', 'body'), [
    ('PUT', '/tags', {'tags': ['t']}), ('PUT', '/tags/t', None),
    ('PUT', '/metadata', {'metadata': {'k': 'v'}}),
    ('POST', '/metadata', {'key': 'k', 'value': 'v'}),
    ('PUT', '/metadata/k', {'value': 'v'})], ids=ids)
def test_a_write_of_the_present_state_changes_nothing(app, host, method,
                                                      path, body):
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


def test_twenty_tags_added_concurrently_are_all_stored(app, host):
    tags = [f'tag-{number:02}' for number in range(20)]
    with ThreadPoolExecutor(20) as threads:
        statuses = list(threads.map(
            lambda tag: app.request('PUT', f'{host}/tags/{tag}').status, tags))
    assert statuses == [201] * 20
    shown = app.request('GET', f'{host}/tags').json['tags']
    assert sorted(shown) == sorted(['t', *tags])
    assert app.request('GET', host).json['host']['generation'] == 21


TEXT = st.characters(exclude_categories=['Cs'], exclude_characters='\0')
DOT_SEGMENTS = ('.', '..')
TAG = st.text(TEXT.filter(lambda character: character not in '/,'),
              min_size=1, max_size=60).filter(
                  lambda tag: tag not in DOT_SEGMENTS)
MANY = settings(max_examples=60, deadline=None, suppress_health_check=[
    HealthCheck.function_scoped_fixture])


@MANY
@given(tag=TAG)
def test_any_tag_is_found_at_its_location(app, host, tag):
    app.request('DELETE', f'{host}/tags')
    created = app.request('PUT', f'{host}/tags/{quote(tag, safe="")}')
    assert created.status == 201
    location = urlsplit(created.headers['Location']).path
    assert app.request('GET', f'{host}/tags').json == {'tags': [tag]}
    assert app.request('GET', location).status == 204
    assert app.request('DELETE', location).status == 204
    assert app.request('GET', location).status == 404


@MANY
@given(key=st.text(TEXT, min_size=1, max_size=255).filter(
    lambda key: key not in DOT_SEGMENTS),
       value=st.text(TEXT, max_size=255))
def test_any_key_is_found_at_its_location(app, host, key, value):
    app.request('DELETE', f'{host}/metadata')
    item = {'key': key, 'value': value}
    created = app.request('POST', f'{host}/metadata', item)
    assert (created.status, created.json) == (201, item)
    location = urlsplit(created.headers['Location']).path
    assert app.request('GET', location).json == item
    assert app.request('GET', f'{host}/metadata').json == {
        'metadata': {key: value}}
    assert app.request('DELETE', location).status == 204


@pytest.mark.parametrize('path', [
    '{}/tags%0a', '{}/metadata%0A', '{}%0a', '{}/tags/', '{}/tags/a%00',
    '{}/metadata/%00', '{}//tags', '{}/tags//t', '/{}/tags', '{}/./tags',
    '/v1/{}/tags'])
def test_a_path_with_another_spelling_is_not_found(app, host, path):
    reply = app.request('GET', path.format(host))
    assert reply.status == 404
    assert reply.json['errors'][0]['status'] == 404


@pytest.mark.parametrize('key', ['a//b', '//', 'http://a.example//b', '/',
                                 './', '../..', 'a/', 'a\n', '\n', '%2F'])
def test_a_key_that_looks_like_a_path_is_not_changed(app, host, key):
    location = f'{host}/metadata/{quote(key, safe="")}'
    put = app.request('PUT', location, {'value': 'v'})
    assert put.json == app.request('GET', location).json == {
        'key': key, 'value': 'v'}
    assert app.request('GET', f'{host}/metadata').json['metadata'] == {
        'k': 'v', key: 'v'}


def test_a_stored_tag_that_is_no_longer_valid_can_be_read_and_removed(
        app, host, directory):
    """Writes of the record keep such a tag and succeed."""
    with database(directory).begin() as connection:
        for statement in (
                "update pileus_tags set tag = '..' where record_id = :id",
                "update r_hosts set tags = '[\"..\"]' where id = :id"):
            connection.execute(sa.text(statement),
                               {'id': host.rpartition('/')[2]})
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
