# SPDX-License-Identifier: Apache-2.0
"""Whatever goes wrong: what a client is told, and what no log says.

Every way a request can fail is gone here, on a service that logs all it can
(``debug``), with secrets wherever a request has room for one. What requests
carry in all other tests is looked for there: ``planted``.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
from collections.abc import Iterator
from io import BytesIO
from typing import Any, NamedTuple

import pytest

from tests.functional.controllers.failure_injection import PLACES, SECRET
from tests.functional.harness import databases, error_shape, planted_secrets
from tests.functional.harness.daemon import (
    ROOT,
    SHIPPED_CONFIG,
    WAIT_SECONDS,
    Daemon,
    config_dir,
)

#: In the body, the query, the database's URL.
BODY, QUERY, URL = (f'planted{name}93ad5e11'
                    for name in ('body', 'query', 'url'))

SAFE = '''
name: safe
plural: safes
quota: 1
properties:
  name: {type: string, maxLength: 40}
  password: {type: string, pattern: "^planted", maxLength: 40}
  opens_at: {type: string, format: date-time}
required: [name]
unique: [[name]]
'''
SECRETS = {'X-Auth-Token': planted_secrets.TOKEN,
           'X-Service-Token': f'{planted_secrets.TOKEN}2',
           'Authorization': f'Bearer {planted_secrets.TOKEN}3',
           'Cookie': f'session={planted_secrets.COOKIE}'}
FILLED = {'safe': {'name': 'full', 'password': BODY}}


class Failure(NamedTuple):
    """A request that fails: bytes as they are, or in parts."""

    status: int
    method: str = 'GET'
    path: str = '/v1/safes'
    body: object = None
    headers: dict[str, str] = {}


ID = '/v1/safes/7bd6bd13-2c4b-4d6a-9b27-0123456789ab'
JSON = {'Content-Type': 'application/json'}
PATCH = {'Content-Type': 'application/json-patch+json'}
ONCE = {'Idempotency-Key': '1b5f'}

#: Requests that get each error status, from each layer that gives the status.
#: ``stories/access/http-basic-passwords.yaml`` has 401, a test below 408.
FAILURES = {
    'a query that is none': Failure(
        400, path=f'/v1/safes?limit=x&token={QUERY}'),
    'a filter that is none': Failure(
        400, path=f'/v1/safes?password={BODY}'),
    'no JSON': Failure(400, 'POST', body=f'{{"a": {BODY}'.encode(),
                       headers=JSON),
    'named twice': Failure(400, 'POST', body=(
        f'{{"a": "{BODY}", "a": "{BODY}"}}'.encode()), headers=JSON),
    'an unknown member': Failure(400, 'POST', body={
        'safe': {'name': 'a', 'nosuch': BODY}}),
    'a value too long': Failure(400, 'POST', body={
        'safe': {'name': 'a', 'password': BODY * 9}}),
    'a value of another kind': Failure(400, 'POST', body={
        'safe': {'name': [BODY], 'password': {'a': BODY}}}),
    'a time that is none': Failure(400, 'POST', body={
        'safe': {'name': 'a', 'opens_at': BODY}}),
    'a version that is none': Failure(400, headers={
        'OpenStack-API-Version': 'pileus first'}),
    'an etag that is none': Failure(400, 'DELETE', '/v1/safes/x', headers={
        'If-Match': BODY}),
    'a body where none goes': Failure(400, 'DELETE', '/v1/safes/x',
                                      body=FILLED),
    'not allowed': Failure(403, headers={'X-Roles': 'none'}),
    'a full quota': Failure(403, 'POST', body={
        'safe': {'name': 'b', 'password': BODY}}),
    'no such path': Failure(404, path=f'/v1/nothing?token={QUERY}'),
    'outside the API': Failure(404, path=f'/elsewhere?password={QUERY}'),
    'no such record': Failure(404, path='/v1/safes/none'),
    'no such type': Failure(404, path='/v1/types/none'),
    'no such method': Failure(405, 'DELETE'),
    'no such method at the root': Failure(405, 'POST', '/'),
    'a method that is none': Failure(501, 'BREW'),
    'not acceptable': Failure(406, headers={'Accept': 'text/html'}),
    'a version too new': Failure(406, headers={
        'OpenStack-API-Version': 'pileus 99.0'}),
    'not what is there': Failure(409, 'PATCH', ID, body=(
        f'[{{"op": "test", "path": "/password", "value": "{QUERY}"}}]'
        ).encode(), headers={**PATCH, 'If-Match': '*'}),
    'not what was seen': Failure(412, 'PUT', ID, body=FILLED, headers={
        'If-Match': '"x"'}),
    'nothing said of what was seen': Failure(428, 'DELETE', ID),
    'a database that hangs up': Failure(503, headers={
        'X-Break': 'connection'}),
    'a body too large': Failure(413, 'POST', body=BODY.encode() * 65536,
                                headers=JSON),
    'a path too long': Failure(414, path='/' + 'x' * 9000),
    'a type that is not read': Failure(415, 'POST', body=BODY.encode(),
                                       headers={'Content-Type': 'text/csv'}),
    'an expectation': Failure(417, headers={'Expect': 'more'}),
    'a key used for another body': Failure(422, 'POST', body={
        'safe': {'name': 'c', 'password': BODY}},
        headers={'X-Project-Id': 'keys', **ONCE}),
    'headers too large': Failure(431, headers={'X-Large': 'x' * 9000}),
    **{f'a bug in the {place}': Failure(500, headers={'X-Break': place})
       for place in (*PLACES, 'middleware', 'statement')},
}

FIELDS = ''.join(f'{name}: {value}\r\n' for name, value in SECRETS.items()
                 ).encode()

#: Heads that are no HTTP, or not ours.
MALFORMED = (
    (400, b'GET /v1/safes HTTP/1.1\r\n'),
    (400, b'GET /v1/safes HTTP/1.1\r\nHost: a\r\nHost: b\r\n'),
    (400, b'G\x01T /v1/safes HTTP/1.1\r\nHost: a\r\n'),
    (400, b'POST /v1/safes HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n'
          b'Content-Length: 4\r\n'),
    (505, b'GET /v1/safes HTTP/2.0\r\nHost: a\r\n'),
)


@pytest.fixture(scope='module')
def breaking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A service with one safe, over a database with a password."""
    url = databases.create('postgresql').set(password=URL)
    paste = (SHIPPED_CONFIG / 'api-paste.ini').read_text().replace(
        '= api.app:', '= tests.functional.controllers.failure_injection:'
        ).replace(
        'pipeline = noauth api', 'pipeline = noauth breaking api')
    directory = config_dir(
        tmp_path_factory.mktemp('breaking'), {'safe': SAFE},
        {'api': {'require_if_match': True, 'header_timeout': 3},
         'database': {'connection': databases.config_url(url)}},
        paste + '\n[filter:breaking]\npaste.filter_factory = '
                'tests.functional.controllers.failure_injection:middleware\n')
    with Daemon(directory, env={'PYTHONPATH': str(ROOT)}) as running:
        running.secrets.update((BODY, QUERY, URL))
        running.secrets.update(planted_secrets.in_headers(SECRETS))
        for method, path, more in (
                ('PUT', ID, {'If-None-Match': '*'}),
                ('POST', '/v1/safes', {'X-Project-Id': 'keys', **ONCE})):
            made = running.request(method, path, FILLED,
                                   {**SECRETS, **more})
            assert made.status == 201
        yield running


def failed(daemon: Daemon, failure: Failure) -> Any:
    return daemon.request(failure.method, failure.path, failure.body,
                          {**SECRETS, **failure.headers})


@pytest.mark.parametrize('why', FAILURES)
def test_every_failure_has_the_one_shape(breaking, why):
    """L02: JSON with the request id, from whichever layer it comes."""
    failure = FAILURES[why]
    reply = failed(breaking, failure)
    assert reply.status == failure.status, reply.body


@pytest.mark.parametrize(('status', 'head'), MALFORMED)
def test_what_is_no_request_has_it_too(breaking, status, head):
    """L02: answered by the server itself, before there is an application."""
    told(breaking, status, head + FIELDS + b'\r\n')


def test_what_is_never_a_whole_request_has_it_too(breaking):
    """L02: the head does not end."""
    told(breaking, 408, b'GET /v1/safes HTTP/1.1\r\nHost: a\r\n' + FIELDS)


def told(daemon: Daemon, status: int, head: bytes) -> None:
    """Send what ``http.client`` does not, and have it refused."""
    with daemon.connect() as wire:
        wire.settimeout(WAIT_SECONDS)
        wire.sendall(head)
        read = b''.join(iter(lambda: wire.recv(65536), b''))
    start, _, rest = read.partition(b'\r\n')
    assert start.split()[1] == str(status).encode()
    fields, _, body = rest.partition(b'\r\n\r\n')
    error_shape.check('GET', status, http.client.parse_headers(
        BytesIO(fields + b'\r\n\r\n')).items(), body)


@pytest.mark.parametrize('spoilt', [
    (405, {}, None), (404, {}, b'{"error": {}}'), (404, {}, b'Not Found'),
    (404, {'vary': 'Accept'}, None),
    (404, {'content-type': 'text/plain'}, None),
    (404, {'openstack-api-version': 'nova 1.0'}, None),
    (404, {'x-openstack-request-id': f'req-{"0" * 36}'}, None)])
def test_another_shape_would_be_noticed(breaking, spoilt):
    """L02: by any test that asks for anything."""
    reply = breaking.request('GET', '/v1/safes/none')
    sound = {name.lower(): value for name, value in reply.headers.items()}
    status, headers, body = spoilt
    with pytest.raises((AssertionError, ValueError)):
        error_shape.check('GET', status, {**sound, **headers}.items(),
                         body or reply.body)


@pytest.mark.parametrize('place', [*PLACES, 'middleware', 'statement'])
def test_of_a_bug_a_client_learns_nothing(breaking, place):
    """L01: no text, class, path or SQL; the log has it under the id."""
    reply = failed(breaking, FAILURES[f'a bug in the {place}'])
    assert reply.status == 500
    text = reply.body.decode() + str(reply.headers)
    for leak in (SECRET, 'RuntimeError', 'Traceback', '.py', 'SELECT',
                 'r_safes', 'sqlalchemy', 'psycopg', str(ROOT)):
        assert leak not in text
    lines = breaking.output.splitlines()
    request_id = reply.headers['X-Openstack-Request-Id']
    assert any(' ERROR ' in line and request_id in line for line in lines)


def test_after_a_bug_the_service_goes_on(breaking):
    """L01."""
    failed(breaking, FAILURES['a bug in the storage'])
    assert breaking.request('GET', '/v1/safes').status == 200


def test_no_log_has_a_secret(breaking):
    """L03: at debug, after every failure there is, and after none."""
    for failure in FAILURES.values():
        failed(breaking, failure)
    breaking.request('GET', '/v1/safes?name=full', None, SECRETS)
    assert planted_secrets.leaked(breaking.output, breaking.secrets) == []
    assert 'DEBUG' in breaking.output
    assert ':***@' in breaking.output


@pytest.mark.parametrize('line', [
    json.dumps(FILLED), f'read {FILLED}', f"Bearer {planted_secrets.TOKEN}",
    f'[SQL: INSERT INTO r_safes] [parameters: ({BODY!r},)]',
    "failed for ada with 'correct-horse'"])
def test_a_log_that_told_would_be_noticed(line):
    """L03: in whatever test a service said it."""
    password = base64.b64encode(b'ada:correct-horse').decode()
    told = {'defaults': {'request_headers': SECRETS}, 'tests': [
        {'data': FILLED},
        {'request_headers': {'authorization': f'Basic {password}'}}]}
    assert planted_secrets.leaked(line, set(planted_secrets.in_story(told)))


@pytest.mark.parametrize('sent', [
    'req-00000000-0000-4000-8000-000000000000', 'x' * 5000, "' OR 1=1 --",
    'req-zzzz', 'req-00000000-0000-4000-8000-000000000000, req-b'])
def test_a_request_id_is_always_ours(breaking, sent):
    """L05: what is sent is at most the global one, and then only if it is
    one by its looks."""
    first, second = (breaking.request(
        'GET', '/v1/safes', None, {'X-Openstack-Request-Id': sent})
        for _ in range(2))
    ids = {one.headers['X-Openstack-Request-Id'] for one in (first, second)}
    assert len(ids) == 2 and sent not in ids
    seen = [line for line in breaking.output.splitlines()
            if any(one in line for one in ids)]
    whole = re.fullmatch('req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}',
                         sent)
    assert any(sent in line for line in seen) == bool(whole)
