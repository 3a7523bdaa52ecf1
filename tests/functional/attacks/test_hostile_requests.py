# SPDX-License-Identifier: Apache-2.0
"""What paths, headers and queries do that no client of good will sends."""

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
    made = daemon.request('PUT', HOST, {'host': {'name': 'a',
                                                 'serial': 'CZ-1001'}})
    assert made.status == 201
    yield made.body


@pytest.fixture(scope='module')
def shared(tmp_path_factory: pytest.TempPathFactory) -> Application:
    """For tests that change nothing that another could see."""
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
def test_a_method_is_what_the_request_line_says(
        daemon, host, method, path, body, headers, status):
    """A01: no other word of the request changes it."""
    assert daemon.request(method, path, body, headers).status == status
    assert daemon.request('GET', HOST).body == host


@pytest.mark.parametrize('method', ['TRACE', 'PROPFIND', 'LINK'])
@pytest.mark.parametrize(('path', 'allow'), [
    ('/', 'GET, HEAD, OPTIONS'), ('/v1/hosts', 'GET, HEAD, POST, OPTIONS'),
    (HOST, 'GET, HEAD, PUT, PATCH, DELETE, OPTIONS'),
    ('/healthcheck', 'GET, HEAD, OPTIONS'), ('/v1/hostz', None)])
def test_a_method_of_others_is_told_what_the_path_takes(
        daemon, host, method, path, allow):
    """H14, CODE-13, MV-8: TRACE as any other."""
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
def test_another_spelling_of_a_path_is_no_path(daemon, host, method, path,
                                               roles):
    """A02, URI-2: nor does it get round the policy."""
    reply, unknown = (daemon.request(method, one, None, {'X-Roles': roles})
                      for one in (path, '/v1/hosts/none'))
    assert reply.status in (400, 404, unknown.status)
    assert unknown.status in (403, 404)
    assert daemon.request('GET', HOST).body == host


@pytest.mark.parametrize('roles', ROLES)
@pytest.mark.parametrize('path', SAME_PATHS)
def test_a_character_in_percents_is_that_character(daemon, host, path, roles):
    """A02: the same answer for every role."""
    told, usual = (daemon.request('GET', one, None, {'X-Roles': roles})
                   for one in (path, SAME_PATHS[path]))
    assert told.status == usual.status
    assert told.headers['ETag'] == usual.headers['ETag']


def test_a_request_to_the_server_itself_is_no_path(daemon):
    """A02: OPTIONS * and a target without its slash."""
    for target in ('*', 'v1/hosts'):
        with daemon.connect() as wire:
            wire.sendall(f'OPTIONS {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n'
                         'Connection: close\r\n\r\n'.encode())
            status = wire.recv(65536).split()[1]
        assert status in (b'204', b'400', b'404'), target


def test_under_any_server_it_is_no_path(application):
    """A02: gunicorn passes * on as the path."""
    assert application.request('OPTIONS', '*').status == 404


# The version header

@pytest.mark.parametrize(('said', 'status', 'executed'), [
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
def test_a_version_is_executed_or_refused(shared, said, status,
                                          executed):
    """A14, MV-6: and the reply says which, and that it varied by it."""
    headers = {} if said is None else {
        VERSION: said.encode().decode('latin-1')}
    reply = shared.request('GET', '/v1/hosts', None, headers)
    assert reply.status == status
    assert reply.headers[VERSION] == f'pileus {executed}'
    assert VERSION in reply.headers['Vary']


def test_of_two_headers_the_last_counts(daemon):
    """A14: as of two items of one header."""
    with daemon.connect() as wire:
        wire.sendall(f'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n'
                     f'{VERSION}: pileus 1.1\r\n{VERSION}: pileus 1.2\r\n'
                     'Connection: close\r\n\r\n'.encode())
        reply = wire.recv(65536)
    assert f'{VERSION}: pileus 1.2'.encode() in reply


# Queries

SQL = ["' OR 1=1 --", "'; DROP TABLE r_hosts; --", '" OR ""="', '1) OR (1=1',
       'a\' UNION SELECT sql FROM sqlite_master --', '%00', "\\'; --",
       '${jndi:x}', '{{7*7}}', '1; SELECT pg_sleep(9)', "a'||'b", '?', ':x',
       '%s', '%(x)s']


@pytest.fixture
def statements() -> Iterator[list[str]]:
    """The text of every statement any engine runs."""
    run: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *rest: Any) -> None:
        run.append(statement)
    sa.event.listen(sa.Engine, 'before_cursor_execute', note)
    yield run
    sa.event.remove(sa.Engine, 'before_cursor_execute', note)


@pytest.mark.parametrize('place', [
    'name=%s', 'name=in:%s', 'name=neq:%s', 'id=%s', 'status=%s', 'sort=%s',
    'sort_key=%s', 'sort=name:%s', 'marker=%s', 'fields=%s', 'limit=%s',
    '%s=x', 'tags=%s', 'not-tags-any=%s', 'with_count=%s',
    'created_at=gte:%s'])
def test_sql_in_a_query_is_text(application, statements, place):
    """J09: refused or not found, and in no statement."""
    made = application.request('POST', '/v1/hosts', {'host': {
        'name': 'a', 'serial': 'CZ-1001', 'tags': ['t']}})
    assert made.status == 201
    for text in SQL:
        reply = application.request(
            'GET', f'/v1/hosts?{place.replace("%s", quote(text))}')
        assert reply.status in (200, 400), text
        if reply.status == 200 and 'n' not in place.partition('=')[0][:1]:
            assert reply.json['hosts'] == [], text
        assert not any(text in one for one in statements
                       if len(text) > 3)
    assert statements
    assert len(application.request('GET', '/v1/hosts').json['hosts']) == 1


def test_sql_in_a_body_is_text(application, statements):
    """J09: stored and read back as it is."""
    for number, text in enumerate(SQL):
        made = application.request('POST', '/v1/hosts', {'host': {
            'name': text, 'serial': f'CZ-{number}', 'labels': {text: text},
            'metadata': {text: text}}})
        assert made.status == 201
        assert made.json['host']['name'] == text
        assert made.json['host']['labels'] == {text: text}
        found = application.request(
            'GET', '/v1/hosts?' + urlencode({'name': _quoted(text)}))
        assert [one['name'] for one in found.json['hosts']] == [text]
        assert not any(text in one for one in statements
                       if len(text) > 3)


def _quoted(text: str) -> str:
    escaped = text.replace('\\', '\\\\').replace('"', '\\"')
    return f'"{escaped}"'


@pytest.mark.parametrize('text', ['%', '_', 'a%', '%a', 'a_', '*', '.*', '?'])
@pytest.mark.parametrize('operator', ['', 'in:', 'gte:a,', 'like:'])
def test_no_character_of_a_filter_stands_for_others(shared, text,
                                                    operator):
    """J10: there is no pattern, so a % is a %."""
    there = shared.request('PUT', HOST, {'host': {
        'name': 'abc', 'serial': 'CZ-1001'}})
    assert there.status in (200, 201)
    reply = shared.request(
        'GET', '/v1/hosts?' + urlencode({'name': f'{operator}{text}'}))
    found = reply.json['hosts']
    assert found == [] or operator == 'gte:a,'


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
def test_what_a_caller_may_not_read_it_may_not_ask_by(tmp_path, query):
    """J10: the hidden column is as one that does not exist."""
    served = Application(config_dir(tmp_path, SECRET))
    made = served.request('POST', '/v1/staff', {'member_of_staff': {
        'name': 'a', 'salary': 9}})
    assert made.status == 201

    def asked(name: str, roles: str) -> Any:
        reply = served.request('GET', f'/v1/staff?{query.format(name)}', None,
                               {'X-Roles': roles})
        return reply.status, [
            (one['code'], one['detail'].replace(name, 'NAME'))
            for one in reply.json.get('errors', [])]
    assert asked('salary', 'member') == asked('wages', 'member')
    assert asked('salary', 'member')[0] == 400
    assert asked('salary', 'member,payroll')[0] == 200


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
def test_no_query_is_too_much(shared, query, status):
    """R10: it is refused or bounded, in no time, by the API alone."""
    begun = time.process_time()
    reply = shared.request('GET', f'/v1/hosts?{query}')
    assert time.process_time() - begun < 1
    assert reply.status == status, reply.body[:300]
    assert len(reply.body) < 10_000 + 10 * len(query)


def test_a_page_is_no_longer_than_the_operator_says(tmp_path):
    """R10: whatever limit asks for."""
    served = Application(config_dir(tmp_path, None, {'api': {'max_limit':
                                                             3}}))
    served.request('POST', '/v1/racks', {'racks': [
        {'name': f'r{number}'} for number in range(5)]})
    for query in ('', '?limit=4', '?limit=1' + '0' * 30):
        told = served.request('GET', f'/v1/racks{query}').json
        assert len(told['racks']) == 3
        assert told['racks_links'][0]['rel'] == 'next'


def test_twenty_thousand_cookies_are_refused(daemon):
    """R10: by the server, before anybody reads them."""
    cookies = '; '.join(f'a{number}=b' for number in range(20_000))
    assert daemon.request('GET', '/', None, {'Cookie': cookies}).status == 431


@pytest.mark.parametrize('pattern', [
    '^(a+)+$', '^(a|aa)+$', '^(a|a?)+$', '^([a-z]+)*$', '^(.*a){20}$'])
def test_a_declared_pattern_runs_in_linear_time(tmp_path, pattern):
    """R14: refused at load, or no value stalls the worker."""
    served = Application(config_dir(tmp_path, {'thing': f'''
name: thing
plural: things
properties:
  word: {{type: string, pattern: '{pattern}', maxLength: 60000}}
'''}))
    for length in (40, 50_000):
        begun = time.process_time()
        reply = served.request('POST', '/v1/things', {'thing': {
            'word': 'a' * length + '!'}})
        assert time.process_time() - begun < 1
        assert reply.status == 400


def test_unique_items_are_told_by_hash(tmp_path):
    """R15: three thousand objects, all different, and then one twice."""
    served = Application(config_dir(tmp_path, {'thing': '''
name: thing
plural: things
properties:
  parts: {type: array, items: {type: object}, uniqueItems: true}
'''}))
    parts: list[Any] = [{'a': {'b': number}} for number in range(3000)]
    for sent, status in ((parts, 201), ([*parts, parts[0]], 400)):
        begun = time.process_time()
        reply = served.request('POST', '/v1/things', {'thing': {
            'parts': sent}})
        assert time.process_time() - begun < 1
        assert reply.status == status, reply.body[:300]


def test_a_list_too_long_is_refused_before_its_items_are_compared(tmp_path):
    """R15: maxItems says so."""
    served = Application(config_dir(tmp_path, {
        'specimen': (Path(__file__).parents[1] / 'types' / 'specimen.yaml'
                     ).read_text()}))
    reply = served.request('POST', '/v1/specimens', {'specimen': {
        'name': 'a', 'parts': list(range(100_000))}})
    assert reply.status == 400
    assert reply.json['errors'][0]['source']['pointer'] == '/specimen/parts'
    assert len(reply.body) < 5000
