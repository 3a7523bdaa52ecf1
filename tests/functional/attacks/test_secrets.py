# SPDX-License-Identifier: Apache-2.0
"""The replies to all kinds of failures, and secrets in the logs.

Each request here fails in another way. The service logs at level debug, and
the requests carry secrets in all their parts. All other tests check the logs
for ``planted_secrets``.
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

#: Secrets in the body, the query and the database URL.
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
RECORD = {'safe': {'name': 'full', 'password': BODY}}


class Failure(NamedTuple):
    """A request that fails with ``status``."""

    status: int
    method: str = 'GET'
    path: str = '/v1/safes'
    body: object = None
    headers: dict[str, str] = {}


ID = '/v1/safes/7bd6bd13-2c4b-4d6a-9b27-0123456789ab'
JSON = {'Content-Type': 'application/json'}
PATCH = {'Content-Type': 'application/json-patch+json'}
KEY = {'Idempotency-Key': '1b5f'}

#: Requests that get each error status, from each layer that gives the status.
#: ``stories/access/http-basic-passwords.yaml`` has 401, a test below 408.
FAILURES = {
    'an invalid query': Failure(
        400, path=f'/v1/safes?limit=x&token={QUERY}'),
    'an invalid filter': Failure(
        400, path=f'/v1/safes?password={BODY}'),
    'no JSON': Failure(400, 'POST', body=f'{{"a": {BODY}'.encode(),
                       headers=JSON),
    'a duplicate name': Failure(400, 'POST', body=(
        f'{{"a": "{BODY}", "a": "{BODY}"}}'.encode()), headers=JSON),
    'an unknown member': Failure(400, 'POST', body={
        'safe': {'name': 'a', 'nosuch': BODY}}),
    'a value too long': Failure(400, 'POST', body={
        'safe': {'name': 'a', 'password': BODY * 9}}),
    'a value of the wrong type': Failure(400, 'POST', body={
        'safe': {'name': [BODY], 'password': {'a': BODY}}}),
    'an invalid time': Failure(400, 'POST', body={
        'safe': {'name': 'a', 'opens_at': BODY}}),
    'an invalid version': Failure(400, headers={
        'OpenStack-API-Version': 'pileus first'}),
    'an invalid etag': Failure(400, 'DELETE', '/v1/safes/x', headers={
        'If-Match': BODY}),
    'an unexpected body': Failure(400, 'DELETE', '/v1/safes/x', body=RECORD),
    'not allowed': Failure(403, headers={'X-Roles': 'none'}),
    'a full quota': Failure(403, 'POST', body={
        'safe': {'name': 'b', 'password': BODY}}),
    'no such path': Failure(404, path=f'/v1/nothing?token={QUERY}'),
    'outside the API': Failure(404, path=f'/elsewhere?password={QUERY}'),
    'no such record': Failure(404, path='/v1/safes/none'),
    'no such type': Failure(404, path='/v1/types/none'),
    'no such method': Failure(405, 'DELETE'),
    'no such method at the root': Failure(405, 'POST', '/'),
    'an unknown method': Failure(501, 'BREW'),
    'not acceptable': Failure(406, headers={'Accept': 'text/html'}),
    'a version too new': Failure(406, headers={
        'OpenStack-API-Version': 'pileus 99.0'}),
    'a failed test of a JSON Patch': Failure(409, 'PATCH', ID, body=(
        f'[{{"op": "test", "path": "/password", "value": "{QUERY}"}}]'
        ).encode(), headers={**PATCH, 'If-Match': '*'}),
    'an outdated etag': Failure(412, 'PUT', ID, body=RECORD, headers={
        'If-Match': '"x"'}),
    'a missing precondition': Failure(428, 'DELETE', ID),
    'a database that hangs up': Failure(503, headers={
        'X-Break': 'connection'}),
    'a body too large': Failure(413, 'POST', body=BODY.encode() * 65536,
                                headers=JSON),
    'a path too long': Failure(414, path='/' + 'x' * 9000),
    'an unsupported media type': Failure(415, 'POST', body=BODY.encode(),
                                       headers={'Content-Type': 'text/csv'}),
    'an unsupported expectation': Failure(417, headers={'Expect': 'more'}),
    'a key used for another body': Failure(422, 'POST', body={
        'safe': {'name': 'c', 'password': BODY}},
        headers={'X-Project-Id': 'keys', **KEY}),
    'headers too large': Failure(431, headers={'X-Large': 'x' * 9000}),
    **{f'a bug in the {place}': Failure(500, headers={'X-Break': place})
       for place in (*PLACES, 'middleware', 'statement')},
}

FIELDS = ''.join(f'{name}: {value}\r\n' for name, value in SECRETS.items()
                 ).encode()

#: Heads of malformed or unsupported requests.
MALFORMED = (
    (400, b'GET /v1/safes HTTP/1.1\r\n'),
    (400, b'GET /v1/safes HTTP/1.1\r\nHost: a\r\nHost: b\r\n'),
    (400, b'G\x01T /v1/safes HTTP/1.1\r\nHost: a\r\n'),
    (400, b'POST /v1/safes HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n'
          b'Content-Length: 4\r\n'),
    (505, b'GET /v1/safes HTTP/2.0\r\nHost: a\r\n'),
)


@pytest.fixture(scope='module')
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A service with one safe and a database with a password."""
    url = databases.create('postgresql').set(password=URL)
    paste = (SHIPPED_CONFIG / 'api-paste.ini').read_text().replace(
        '= api.app:', '= tests.functional.controllers.failure_injection:'
        ).replace(
        'pipeline = noauth api', 'pipeline = noauth failures api')
    directory = config_dir(
        tmp_path_factory.mktemp('failures'), {'safe': SAFE},
        {'api': {'require_if_match': True, 'header_timeout': 3},
         'database': {'connection': databases.config_url(url)}},
        paste + '\n[filter:failures]\npaste.filter_factory = '
                'tests.functional.controllers.failure_injection:middleware\n')
    with Daemon(directory, env={'PYTHONPATH': str(ROOT)}) as daemon:
        daemon.secrets.update((BODY, QUERY, URL))
        daemon.secrets.update(planted_secrets.in_headers(SECRETS))
        for method, path, headers in (
                ('PUT', ID, {'If-None-Match': '*'}),
                ('POST', '/v1/safes', {'X-Project-Id': 'keys', **KEY})):
            created = daemon.request(method, path, RECORD,
                                     {**SECRETS, **headers})
            assert created.status == 201
        yield daemon


def send_failure(daemon: Daemon, failure: Failure) -> Any:
    return daemon.request(failure.method, failure.path, failure.body,
                          {**SECRETS, **failure.headers})


@pytest.mark.parametrize('cause', FAILURES)
def test_every_error_has_the_same_shape(failing, cause):
    """L02: each layer answers with JSON and the request id."""
    failure = FAILURES[cause]
    reply = send_failure(failing, failure)
    assert reply.status == failure.status, reply.body


@pytest.mark.parametrize(('status', 'head'), MALFORMED)
def test_the_error_of_a_malformed_request_has_the_same_shape(failing, status,
                                                             head):
    """L02: the server answers such a request without the application."""
    assert_error(failing, status, head + FIELDS + b'\r\n')


def test_the_error_of_an_incomplete_request_has_the_same_shape(failing):
    """L02: the end of the head is missing."""
    assert_error(failing, 408,
                 b'GET /v1/safes HTTP/1.1\r\nHost: a\r\n' + FIELDS)


def assert_error(daemon: Daemon, status: int, head: bytes) -> None:
    """Send a raw head, and assert the status and shape of the error."""
    with daemon.connect() as connection:
        connection.settimeout(WAIT_SECONDS)
        connection.sendall(head)
        reply = b''.join(iter(lambda: connection.recv(65536), b''))
    start, _, rest = reply.partition(b'\r\n')
    assert start.split()[1] == str(status).encode()
    fields, _, body = rest.partition(b'\r\n\r\n')
    error_shape.check('GET', status, http.client.parse_headers(
        BytesIO(fields + b'\r\n\r\n')).items(), body)


@pytest.mark.parametrize('changed', [
    (405, {}, None), (404, {}, b'{"error": {}}'), (404, {}, b'Not Found'),
    (404, {'vary': 'Accept'}, None),
    (404, {'content-type': 'text/plain'}, None),
    (404, {'openstack-api-version': 'nova 1.0'}, None),
    (404, {'x-openstack-request-id': f'req-{"0" * 36}'}, None)])
def test_the_check_detects_another_shape(failing, changed):
    """L02: all tests run this check on their replies."""
    reply = failing.request('GET', '/v1/safes/none')
    valid = {name.lower(): value for name, value in reply.headers.items()}
    status, headers, body = changed
    with pytest.raises((AssertionError, ValueError)):
        error_shape.check('GET', status, {**valid, **headers}.items(),
                          body or reply.body)


@pytest.mark.parametrize('place', [*PLACES, 'middleware', 'statement'])
def test_the_reply_to_a_bug_reveals_nothing(failing, place):
    """L01: the reply has no exception text, class, path or SQL; the log has
    the exception with the request id."""
    reply = send_failure(failing, FAILURES[f'a bug in the {place}'])
    assert reply.status == 500
    text = reply.body.decode() + str(reply.headers)
    for leak in (SECRET, 'RuntimeError', 'Traceback', '.py', 'SELECT',
                 'r_safes', 'sqlalchemy', 'psycopg', str(ROOT)):
        assert leak not in text
    lines = failing.output.splitlines()
    request_id = reply.headers['X-Openstack-Request-Id']
    assert any(' ERROR ' in line and request_id in line for line in lines)


def test_the_service_answers_after_a_bug(failing):
    """L01: a bug does not end the worker."""
    send_failure(failing, FAILURES['a bug in the storage'])
    assert failing.request('GET', '/v1/safes').status == 200


def test_no_log_contains_a_secret(failing):
    """L03: at level debug, after each failure and after a success."""
    for failure in FAILURES.values():
        send_failure(failing, failure)
    failing.request('GET', '/v1/safes?name=full', None, SECRETS)
    assert planted_secrets.leaked(failing.output, failing.secrets) == []
    assert 'DEBUG' in failing.output
    assert ':***@' in failing.output


@pytest.mark.parametrize('line', [
    json.dumps(RECORD), f'read {RECORD}', f"Bearer {planted_secrets.TOKEN}",
    f'[SQL: INSERT INTO r_safes] [parameters: ({BODY!r},)]',
    "failed for ada with 'correct-horse'"])
def test_the_check_detects_a_secret_in_a_log(line):
    """L03: all tests run this check on the output of the service."""
    password = base64.b64encode(b'ada:correct-horse').decode()
    story = {'defaults': {'request_headers': SECRETS}, 'tests': [
        {'data': RECORD},
        {'request_headers': {'authorization': f'Basic {password}'}}]}
    assert planted_secrets.leaked(line,
                                  set(planted_secrets.in_story(story)))


@pytest.mark.parametrize('sent', [
    'req-00000000-0000-4000-8000-000000000000', 'x' * 5000, "' OR 1=1 --",
    'req-zzzz', 'req-00000000-0000-4000-8000-000000000000, req-b'])
def test_the_service_never_adopts_a_request_id(failing, sent):
    """L05: a valid id in the request becomes the global request id."""
    first, second = (failing.request(
        'GET', '/v1/safes', None, {'X-Openstack-Request-Id': sent})
        for _ in range(2))
    ids = {reply.headers['X-Openstack-Request-Id']
           for reply in (first, second)}
    assert len(ids) == 2 and sent not in ids
    lines = [line for line in failing.output.splitlines()
             if any(id in line for id in ids)]
    valid = re.fullmatch('req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}',
                         sent)
    assert any(sent in line for line in lines) == bool(valid)
