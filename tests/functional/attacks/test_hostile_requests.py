# SPDX-License-Identifier: Apache-2.0
"""Hostile paths, headers and queries."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import sqlalchemy as sa

from tests.functional.harness.daemon import Daemon, config_dir
from tests.functional.harness.in_process import Application

ID = '7bd6bd13-2c4b-4d6a-9b27-0123456789ab'
HOST = f'/v1/hosts/{ID}'
VERSION = 'OpenStack-API-Version'


@pytest.fixture(scope='module')
def host(daemon: Daemon) -> Iterator[bytes]:
    created = daemon.request('PUT', HOST, {'host': {'name': 'a',
                                                    'serial': 'CZ-1001'}})
    assert created.status == 201
    yield created.body


@pytest.fixture(scope='module')
def shared_application(tmp_path_factory: pytest.TempPathFactory
                       ) -> Application:
    """An application for tests without side effects on each other."""
    return Application(config_dir(tmp_path_factory.mktemp('shared')))


# Methods and paths

@pytest.mark.parametrize(('method', 'path', 'body', 'headers', 'status'), [
    ('GET', f'{HOST}?_method=DELETE', None, {}, 400),
    ('GET', HOST, None, {'X-HTTP-Method-Override': 'DELETE'}, 200),
    ('GET', HOST, None, {'X-Method-Override': 'DELETE'}, 200),
    ('POST', f'{HOST}?_method=DELETE', None, {}, 405),
    ('POST', HOST, b'_method=DELETE',
     {'Content-Type': 'application/x-www-form-urlencoded'}, 405),
    ('POST', HOST, None, {'X-HTTP-Method-Override': 'DELETE'}, 405)])
def test_only_the_request_line_sets_the_method(
        daemon, host, method, path, body, headers, status):
    """A01: neither headers, query nor body change the method."""
    assert daemon.request(method, path, body, headers).status == status
    assert daemon.request('GET', HOST).body == host


@pytest.mark.parametrize('method', ['TRACE', 'PROPFIND', 'LINK'])
@pytest.mark.parametrize(('path', 'allow'), [
    ('/', 'GET, HEAD, OPTIONS'), ('/v1/hosts', 'GET, HEAD, POST, OPTIONS'),
    (HOST, 'GET, HEAD, PUT, PATCH, DELETE, OPTIONS'),
    ('/healthcheck', 'GET, HEAD, OPTIONS'), ('/v1/hostz', None)])
def test_an_unsupported_method_gets_405_with_the_allowed_methods(
        daemon, host, method, path, allow):
    """H14, CODE-13, MV-8: TRACE is treated as any other method."""
    reply = daemon.request(method, path)
    assert reply.status == (405 if allow else 404)
    assert reply.headers.get('Allow') == allow
    assert reply.headers[VERSION] == 'pileus 1.0'
    assert reply.headers['Vary'] == VERSION


ODD_PATHS = [
    '/V1/hosts', '/v1/Hosts', '/v1/hosts/', '//v1//hosts', '//v1/hosts',
    '/v1//hosts', '/v1/./hosts', '/v1/x/../hosts', '/v1/hosts/..',
    '/v1/%2e/hosts', '/v1/%2e%2e/v1/hosts', '/v1/hosts;a=b', '/v1;a=b/hosts',
    '/v1/hosts.json', '/v1/hosts%00', '/v1/hosts%0a', '/v1/hosts%0d%0a',
    '/v1/hosts%ff', '/v1/hosts%20', '/v1/hosts%09', '/v1/hosts%e2%80%8b',
    f'{HOST}/', f'{HOST};a=b', f'{HOST}.json', f'{HOST}%00', f'{HOST}%0a',
    f'{HOST}%20', f'/v1/hosts//{ID}', f'/v1/hosts/./{ID}',
    f'/v1/hosts/{ID.upper()}', f'/v1/hosts/x/../{ID}', f'/v1/hosts/%7b{ID}%7d',
    f'/v1/hosts/{ID.replace("-", "")}', f'/v1/hosts/urn:uuid:{ID}']
SAME_PATHS = {'/v1/%68osts': '/v1/hosts', '/%76%31/hosts': '/v1/hosts',
              f'/v1/hosts/{ID.replace("-", "%2d")}': HOST,
              f'/v1/hosts%2F{ID}': HOST, '/v1/hosts?': '/v1/hosts'}
ROLES = ('member', 'reader', '')


@pytest.mark.parametrize('roles', ROLES)
@pytest.mark.parametrize('path', ODD_PATHS)
@pytest.mark.parametrize('method', ['GET', 'DELETE'])
def test_another_spelling_of_a_path_is_not_found(daemon, host, method, path,
                                                 roles):
    """A02, URI-2: another spelling does not bypass the policy either."""
    reply, unknown = (daemon.request(method, target, None, {'X-Roles': roles})
                      for target in (path, '/v1/hosts/none'))
    assert reply.status in (400, 404, unknown.status)
    assert unknown.status in (403, 404)
    assert daemon.request('GET', HOST).body == host


@pytest.mark.parametrize('roles', ROLES)
@pytest.mark.parametrize('path', SAME_PATHS)
def test_a_percent_encoded_path_equals_the_plain_path(daemon, host, path,
                                                      roles):
    """A02: each role gets the answer of the plain path."""
    encoded, plain = (daemon.request('GET', target, None, {'X-Roles': roles})
                      for target in (path, SAME_PATHS[path]))
    assert encoded.status == plain.status
    assert encoded.headers['ETag'] == plain.headers['ETag']


def test_a_target_that_is_not_a_path_is_rejected_by_the_server(daemon):
    """A02: OPTIONS *, and a target without its slash."""
    for target in ('*', 'v1/hosts'):
        with daemon.connect() as connection:
            connection.sendall((
                f'OPTIONS {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n'
                'Connection: close\r\n\r\n').encode())
            status = connection.recv(65536).split()[1]
        assert status in (b'204', b'400', b'404'), target


def test_an_asterisk_as_the_path_is_not_found(application):
    """A02: gunicorn passes * to the application as the path."""
    assert application.request('OPTIONS', '*').status == 404


# The version header

@pytest.mark.parametrize(('requested', 'status', 'executed'), [
    (None, 200, '1.0'), ('', 200, '1.0'), ('pileus', 200, '1.0'),
    ('pileus 1.1', 200, '1.1'), ('PILEUS 1.1', 200, '1.1'),
    ('  pileus   1.1 ', 200, '1.1'), ('pileus latest', 200, '1.2'),
    ('compute 2.90', 200, '1.0'), ('compute x, pileus 1.1', 200, '1.1'),
    ('pileus 1.3', 406, '1.0'), ('pileus 2.0', 406, '1.0'),
    ('pileus 1.99999999', 406, '1.0'), ('pileus 0.1', 400, '1.0'),
    ('pileus 1.-1', 400, '1.0'), ('pileus 1.99999999999', 406, '1.0'),
    ('pileus 1.' + '9' * 5000, 406, '1.0'),
    ('pileus ' + '9' * 5000 + '.0', 406, '1.0'),
    ('pileus ' + '9' * 5000, 400, '1.0'), ('pileus 1.1\x0b', 400, '1.0'),
    ('pileus \u0661.\u0660', 400, '1.0'), ('pileus 1.1;', 400, '1.0')])
def test_a_requested_version_is_executed_or_rejected(shared_application,
                                                     requested, status,
                                                     executed):
    """A14, MV-6: the reply has the executed version, and Vary."""
    headers = {} if requested is None else {
        VERSION: requested.encode().decode('latin-1')}
    reply = shared_application.request('GET', '/v1/hosts', None, headers)
    assert reply.status == status
    assert reply.headers[VERSION] == f'pileus {executed}'
    assert VERSION in reply.headers['Vary']


def test_the_last_of_two_version_headers_counts(daemon):
    """A14: the same holds for two items of one header."""
    with daemon.connect() as connection:
        connection.sendall((
            'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n'
            f'{VERSION}: pileus 1.1\r\n{VERSION}: pileus 1.2\r\n'
            'Connection: close\r\n\r\n').encode())
        reply = connection.recv(65536)
    assert f'{VERSION}: pileus 1.2'.encode() in reply


# Queries

SQL = ["' OR 1=1 --", "'; DROP TABLE r_hosts; --", '" OR ""="', '1) OR (1=1',
       'a\' UNION SELECT sql FROM sqlite_master --', '%00', "\\'; --",
       '${jndi:x}', '{{7*7}}', '1; SELECT pg_sleep(9)', "a'||'b", '?', ':x',
       '%s', '%(x)s']


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """The text of every statement that any engine runs."""
    executed: list[str] = []

    def record(connection: Any, cursor: Any, statement: str, *rest: Any
               ) -> None:
        executed.append(statement)
    sa.event.listen(sa.Engine, 'before_cursor_execute', record)
    yield executed
    sa.event.remove(sa.Engine, 'before_cursor_execute', record)


@pytest.mark.parametrize('place', [
    'name=%s', 'name=in:%s', 'name=neq:%s', 'id=%s', 'status=%s', 'sort=%s',
    'sort_key=%s', 'sort=name:%s', 'marker=%s', 'fields=%s', 'limit=%s',
    '%s=x', 'tags=%s', 'not-tags-any=%s', 'with_count=%s',
    'created_at=gte:%s'])
def test_sql_in_a_query_is_text(application, statements, place):
    """J09: SQL is rejected or matches nothing, and is in no statement."""
    created = application.request('POST', '/v1/hosts', {'host': {
        'name': 'a', 'serial': 'CZ-1001', 'tags': ['t']}})
    assert created.status == 201
    for text in SQL:
        reply = application.request(
            'GET', f'/v1/hosts?{place.replace("%s", quote(text))}')
        assert reply.status in (200, 400), text
        if reply.status == 200 and 'n' not in place.partition('=')[0][:1]:
            assert reply.json['hosts'] == [], text
        assert not any(text in statement for statement in statements
                       if len(text) > 3)
    assert statements
    assert len(application.request('GET', '/v1/hosts').json['hosts']) == 1


def test_sql_in_a_body_is_text(application, statements):
    """J09: SQL is stored and read back unchanged."""
    for number, text in enumerate(SQL):
        created = application.request('POST', '/v1/hosts', {'host': {
            'name': text, 'serial': f'CZ-{number}', 'labels': {text: text},
            'metadata': {text: text}}})
        assert created.status == 201
        assert created.json['host']['name'] == text
        assert created.json['host']['labels'] == {text: text}
        listed = application.request(
            'GET', '/v1/hosts?' + urlencode({'name': _quoted(text)}))
        assert [record['name'] for record in listed.json['hosts']] == [text]
        assert not any(text in record for record in statements
                       if len(text) > 3)


def _quoted(text: str) -> str:
    escaped = text.replace('\\', '\\\\').replace('"', '\\"')
    return f'"{escaped}"'


@pytest.mark.parametrize('text', ['%', '_', 'a%', '%a', 'a_', '*', '.*', '?'])
@pytest.mark.parametrize('operator', ['', 'in:', 'gte:a,', 'like:'])
def test_filters_have_no_wildcards(shared_application, text,
                                   operator):
    """J10: a filter has no patterns, so % matches only %."""
    stored = shared_application.request('PUT', HOST, {'host': {
        'name': 'abc', 'serial': 'CZ-1001'}})
    assert stored.status in (200, 201)
    reply = shared_application.request(
        'GET', '/v1/hosts?' + urlencode({'name': f'{operator}{text}'}))
    hosts = reply.json['hosts']
    assert hosts == [] or operator == 'gte:a,'


SECRET = {'staff': '''
name: member_of_staff
plural: staff
properties:
  name: {type: string}
  salary: {type: integer, read_roles: [payroll]}
required: [name]
indexes: [[salary, name], [name]]
'''}


@pytest.mark.parametrize('query', [
    '{}=gte:5', '{}=5', 'sort={}', 'sort={}:desc,name', 'sort_key={}',
    'fields={}', 'fields=id,{}'])
def test_a_query_treats_a_hidden_property_as_unknown(tmp_path, query):
    """J10: the error is that of a property that does not exist."""
    application = Application(config_dir(tmp_path, SECRET))
    created = application.request('POST', '/v1/staff', {'member_of_staff': {
        'name': 'a', 'salary': 9}})
    assert created.status == 201

    def errors(name: str, roles: str) -> Any:
        reply = application.request('GET', f'/v1/staff?{query.format(name)}',
                                    None,
                                    {'X-Roles': roles})
        return reply.status, [
            (error['code'], error['detail'].replace(name, 'NAME'))
            for error in reply.json.get('errors', [])]
    assert errors('salary', 'member') == errors('wages', 'member')
    assert errors('salary', 'member')[0] == 400
    assert errors('salary', 'member,payroll')[0] == 200


# Amounts

@pytest.mark.parametrize(('query', 'status'), [
    ('&'.join(f'a{number}=1' for number in range(200_000)), 400),
    ('&'.join(['name=a'] * 60), 400),
    ('id=in:' + ','.join([ID] * 40_000), 200),
    ('name=in:' + ','.join(map(str, range(40_000))), 400),
    ('limit=' + '9' * 30, 200), ('limit=1' + '0' * 10_000, 200),
    ('limit=-1', 400), ('limit=0', 400), ('limit=1.0', 400),
    ('limit=%2B1', 400), ('limit=', 400), ('limit=1&limit=2', 400),
    ('sort=' + ','.join(['name'] * 10_000), 400),
    ('fields=' + ','.join(['name'] * 10_000), 200),
    ('tags=' + ','.join(map(str, range(40_000))), 400)])
def test_a_very_long_query_is_rejected_or_bounded(shared_application, query,
                                                  status):
    """R10: the API answers within a second of CPU time."""
    started = time.process_time()
    reply = shared_application.request('GET', f'/v1/hosts?{query}')
    assert time.process_time() - started < 1
    assert reply.status == status, reply.body[:300]
    assert len(reply.body) < 10_000 + 10 * len(query)


def test_a_page_is_no_longer_than_max_limit(tmp_path):
    """R10: the parameter limit cannot exceed max_limit."""
    application = Application(config_dir(tmp_path, None, {'api': {'max_limit':
                                                                  3}}))
    application.request('POST', '/v1/racks', {'racks': [
        {'name': f'r{number}'} for number in range(5)]})
    for query in ('', '?limit=4', '?limit=1' + '0' * 30):
        page = application.request('GET', f'/v1/racks{query}').json
        assert len(page['racks']) == 3
        assert page['racks_links'][0]['rel'] == 'next'


def test_twenty_thousand_cookies_are_rejected(daemon):
    """R10: the server rejects them before the application runs."""
    cookies = '; '.join(f'a{number}=b' for number in range(20_000))
    assert daemon.request('GET', '/', None, {'Cookie': cookies}).status == 431


@pytest.mark.parametrize('pattern', [
    '^(a+)+$', '^(a|aa)+$', '^(a|a?)+$', '^([a-z]+)*$', '^(.*a){20}$'])
def test_a_declared_pattern_runs_in_linear_time(tmp_path, pattern):
    """R14: no value of a property with a pattern stalls the worker."""
    application = Application(config_dir(tmp_path, {'thing': f'''
name: thing
plural: things
properties:
  word: {{type: string, pattern: '{pattern}', maxLength: 60000}}
'''}))
    for length in (40, 50_000):
        started = time.process_time()
        reply = application.request('POST', '/v1/things', {'thing': {
            'word': 'a' * length + '!'}})
        assert time.process_time() - started < 1
        assert reply.status == 400


def test_unique_items_are_compared_by_hash(tmp_path):
    """R15: with three thousand different objects, then with a duplicate."""
    application = Application(config_dir(tmp_path, {'thing': '''
name: thing
plural: things
properties:
  parts: {type: array, items: {type: object}, uniqueItems: true}
'''}))
    parts: list[Any] = [{'a': {'b': number}} for number in range(3000)]
    for items, status in ((parts, 201), ([*parts, parts[0]], 400)):
        started = time.process_time()
        reply = application.request('POST', '/v1/things', {'thing': {
            'parts': items}})
        assert time.process_time() - started < 1
        assert reply.status == status, reply.body[:300]


def test_max_items_is_checked_before_the_items(tmp_path):
    """R15: a list longer than maxItems is rejected without further checks."""
    application = Application(config_dir(tmp_path, {
        'specimen': (Path(__file__).parents[1] / 'types' / 'specimen.yaml'
                     ).read_text()}))
    reply = application.request('POST', '/v1/specimens', {'specimen': {
        'name': 'a', 'parts': list(range(100_000))}})
    assert reply.status == 400
    assert reply.json['errors'][0]['source']['pointer'] == '/specimen/parts'
    assert len(reply.body) < 5000
