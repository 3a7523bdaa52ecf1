# SPDX-License-Identifier: Apache-2.0
"""A record a line, whatever requests say, as text and as JSON (L04).

What a line may hold is ``http/test_log_lines.py``; this is the log that the
daemon wrote, read as its reader does who knows nothing of the requests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.functional.harness.daemon import Daemon, config_dir

#: What ends lines, drives terminals and closes quotes: as it is, escaped by
#: a client, and in UTF-8.
LOUD = b'"\\n\xe2\x80\xa8\xc2\x85] forged'
#: All of it that a project may be called.
LOUD_PROJECT = b'"\\n] forged'
QUIET = b'%0d%0a2026-01-01%1b[31m%22%e2%80%a8'
FORGED = 'a\r\n2026-01-01 00:00:00.000 1 INFO root\x1b[31m\u2028"\x85'
HOST = b'Host: 127.0.0.1\r\nConnection: close\r\n'


class Sent(NamedTuple):
    """A request, and what the service says to it."""

    status: int
    line: bytes = b'GET /v1/racks HTTP/1.1'
    headers: bytes = b''
    body: object = None

    @property
    def wire(self) -> bytes:
        body = b'' if self.body is None else json.dumps(self.body).encode()
        told = (b'Content-Type: application/json\r\nContent-Length: %d\r\n'
                % len(body) if body else b'')
        return b'%s\r\n%s%s%s\r\n%s' % (self.line, HOST, told, self.headers,
                                        body)


REQUESTS = {
    'a path': Sent(404, b'GET /v1/racks/%s HTTP/1.1' % QUIET),
    'no path': Sent(404, b'GET /%s HTTP/1.1' % QUIET),
    'a query': Sent(400, b'GET /v1/racks?name=%s HTTP/1.1' % QUIET),
    'no query': Sent(400, b'GET /v1/racks?%s HTTP/1.1' % QUIET),
    'a raw path': Sent(400, b'GET /v1/racks/"\xe2\x80\xa8 HTTP/1.1'),
    'an escape': Sent(400, b'GET /v1/racks?\x1b[31m HTTP/1.1'),
    'a carriage return': Sent(400, b'GET /v1/ra\rcks HTTP/1.1'),
    'a method': Sent(400, b'G"T /v1/racks HTTP/1.1'),
    'an agent': Sent(200, headers=b'User-Agent: %s\r\n' % LOUD),
    'an agent that rings': Sent(400, headers=b'User-Agent: \x07\x1b[2J\r\n'),
    'no host': Sent(400, headers=b'Host: %s\r\n' % LOUD),
    'a client': Sent(403, headers=b'X-Forwarded-For: %s\r\n' % LOUD),
    'a client of a client': Sent(
        403, headers=b'X-Forwarded-For: %s, 192.0.2.1\r\n' % LOUD),
    'a user': Sent(200, headers=b'X-User-Id: %s\r\n' % LOUD),
    'a project': Sent(400, headers=b'X-Project-Id: %s\r\n' % LOUD),
    'a project of a loud name': Sent(
        200, headers=b'X-Project-Id: %s\r\n' % LOUD_PROJECT),
    'a role': Sent(403, headers=b'X-Roles: %s\r\n' % LOUD),
    'a version': Sent(
        400, headers=b'OpenStack-API-Version: pileus %s\r\n' % LOUD),
    'a request id': Sent(
        200, headers=b'X-Openstack-Request-Id: %s\r\n' % LOUD),
    'a name': Sent(201, b'POST /v1/racks HTTP/1.1', body={
        'rack': {'name': FORGED}}),
    'a name again': Sent(409, b'POST /v1/racks HTTP/1.1', body={
        'rack': {'name': FORGED}}),
    'a member': Sent(400, b'POST /v1/racks HTTP/1.1', body={
        'rack': {'name': 'a', FORGED: FORGED}}),
}

#: A log of an operator's own making.
CONFIG = '''
[loggers]
keys = root
[handlers]
keys = file
[formatters]
keys = json
[logger_root]
level = INFO
handlers = file
[handler_file]
class = FileHandler
args = ({file!r},)
formatter = json
[formatter_json]
class = oslo_log.formatters.JSONFormatter
'''


class Log(NamedTuple):
    """What was written, and which request has which id."""

    lines: list[str]
    ids: Mapping[str, str]


@pytest.fixture(scope='module')
def text(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return logged(tmp_path_factory.mktemp('text'), {})


@pytest.fixture(scope='module', params=['use_json', 'log_config_append'])
def documents(request: pytest.FixtureRequest,
              tmp_path_factory: pytest.TempPathFactory) -> Log:
    made = tmp_path_factory.mktemp('json')
    if request.param == 'use_json':
        return logged(made, {'use_json': True})
    (made / 'logging.ini').write_text(CONFIG.format(
        file=str(made / 'pileus.log')))
    return logged(made, {'log_config_append': made / 'logging.ini'})


def logged(where: Path, options: Mapping[str, Any]) -> Log:
    """What the daemon logs of all requests, read when it has ended."""
    if 'log_config_append' not in options:
        options = {**options, 'log_file': where / 'pileus.log'}
    with Daemon(config_dir(where, None, {
            'DEFAULT': options,
            'api': {'trusted_proxies': '127.0.0.0/8'}})) as running:
        ids = {name: ask(running, sent) for name, sent in REQUESTS.items()}
    return Log((where / 'pileus.log').read_text().splitlines(), ids)


def ask(daemon: Daemon, sent: Sent) -> str:
    """The id of a request that was answered as it must be."""
    with daemon.connect() as wire:
        wire.sendall(sent.wire)
        told = b''.join(iter(lambda: wire.recv(65536), b''))
    assert told.split()[1] == str(sent.status).encode(), told
    return re.search(rb'(?i)x-openstack-request-id: (\S+)', told)[1].decode()


RECORD = re.compile(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \d+ '
                    r'(DEBUG|INFO|WARNING|ERROR) [a-z][a-z_.]+ \[.*\] \S')
#: Who tells of a request: the application, or the server that refused it.
TELLS = ('api.middleware.log', 'service.process.http.connection')


def test_each_line_is_a_record_and_each_request_is_told_once(text):
    """L04: and none of it moves a cursor."""
    assert [line for line in text.lines if not RECORD.match(line)] == []
    assert [line for line in text.lines if not line.isprintable()] == []
    told = [line for line in text.lines if line.split()[4] in TELLS]
    assert len(told) == len(REQUESTS)
    for name, id in text.ids.items():
        assert len([line for line in told if id in line]) == 1, name


def test_each_line_is_a_document_that_says_what_was_sent(documents):
    """L04: escapes undone, a request line is back as it came."""
    records = [json.loads(line) for line in documents.lines]
    told = [one for one in records if one['name'] in TELLS]
    assert len(told) == len(REQUESTS)
    for name, id in documents.ids.items():
        (record,) = (one for one in told if id in one['message'])
        line = REQUESTS[name].line.decode('latin-1')
        said = undone(record['message'])
        assert f'"{line.removesuffix(" HTTP/1.1")}' in said, name
        assert record['message'].isprintable()


@pytest.mark.parametrize(('name', 'member', 'said'), [
    ('a user', 'user', LOUD),
    ('a project of a loud name', 'project_id', LOUD_PROJECT)])
def test_so_does_who_asked(documents, name, member, said):
    """L04"""
    id = documents.ids[name]
    seen = {undone(one['context'].get(member) or '')
            for one in map(json.loads, documents.lines)
            if one['name'] == TELLS[0] and id in one['message']}
    assert seen == {said.decode('latin-1')}


def undone(text: str) -> str:
    return text.encode('latin-1').decode('unicode_escape')
