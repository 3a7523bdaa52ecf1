# SPDX-License-Identifier: Apache-2.0
"""Each log line is one record, whatever requests contain (L04).

These tests parse the log of a daemon, as text and as JSON, as a reader does
who does not know the requests. ``http/test_log_lines.py`` checks the content
of a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.functional.harness.daemon import Daemon, config_dir

#: Characters that end lines, control terminals or close quotes: raw and in
#: UTF-8. ENCODED has them percent-encoded.
HOSTILE = b'"\\n\xe2\x80\xa8\xc2\x85] forged'
#: The characters of HOSTILE that are valid in a project id.
HOSTILE_PROJECT = b'"\\n] forged'
ENCODED = b'%0d%0a2026-01-01%1b[31m%22%e2%80%a8'
FORGED = 'a\r\n2026-01-01 00:00:00.000 1 INFO root\x1b[31m\u2028"\x85'
HOST = b'Host: 127.0.0.1\r\nConnection: close\r\n'


class RawRequest(NamedTuple):
    """A request, and the status of its answer."""

    status: int
    line: bytes = b'GET /v1/racks HTTP/1.1'
    headers: bytes = b''
    body: object = None

    @property
    def data(self) -> bytes:
        body = b'' if self.body is None else json.dumps(self.body).encode()
        fields = (b'Content-Type: application/json\r\nContent-Length: %d\r\n'
                  % len(body) if body else b'')
        return b'%s\r\n%s%s%s\r\n%s' % (self.line, HOST, fields, self.headers,
                                        body)


REQUESTS = {
    'a path': RawRequest(404, b'GET /v1/racks/%s HTTP/1.1' % ENCODED),
    'no path': RawRequest(404, b'GET /%s HTTP/1.1' % ENCODED),
    'a query': RawRequest(400, b'GET /v1/racks?name=%s HTTP/1.1' % ENCODED),
    'no query': RawRequest(400, b'GET /v1/racks?%s HTTP/1.1' % ENCODED),
    'a raw path': RawRequest(400, b'GET /v1/racks/"\xe2\x80\xa8 HTTP/1.1'),
    'an escape': RawRequest(400, b'GET /v1/racks?\x1b[31m HTTP/1.1'),
    'a carriage return': RawRequest(400, b'GET /v1/ra\rcks HTTP/1.1'),
    'a method': RawRequest(400, b'G"T /v1/racks HTTP/1.1'),
    'an agent': RawRequest(200, headers=b'User-Agent: %s\r\n' % HOSTILE),
    'an agent with a bell': RawRequest(400,
                                       headers=b'User-Agent: \x07\x1b[2J\r\n'),
    'no host': RawRequest(400, headers=b'Host: %s\r\n' % HOSTILE),
    'a client': RawRequest(403, headers=b'X-Forwarded-For: %s\r\n' % HOSTILE),
    'a client of a client': RawRequest(
        403, headers=b'X-Forwarded-For: %s, 192.0.2.1\r\n' % HOSTILE),
    'a user': RawRequest(200, headers=b'X-User-Id: %s\r\n' % HOSTILE),
    'a project': RawRequest(400, headers=b'X-Project-Id: %s\r\n' % HOSTILE),
    'a project with hostile characters': RawRequest(
        200, headers=b'X-Project-Id: %s\r\n' % HOSTILE_PROJECT),
    'a role': RawRequest(403, headers=b'X-Roles: %s\r\n' % HOSTILE),
    'a version': RawRequest(
        400, headers=b'OpenStack-API-Version: pileus %s\r\n' % HOSTILE),
    'a request id': RawRequest(
        200, headers=b'X-Openstack-Request-Id: %s\r\n' % HOSTILE),
    'a name': RawRequest(201, b'POST /v1/racks HTTP/1.1', body={
        'rack': {'name': FORGED}}),
    'a name again': RawRequest(409, b'POST /v1/racks HTTP/1.1', body={
        'rack': {'name': FORGED}}),
    'a member': RawRequest(400, b'POST /v1/racks HTTP/1.1', body={
        'rack': {'name': 'a', FORGED: FORGED}}),
}

#: Logging configuration of an operator.
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
    """The lines of a log, and the request ids by name of the request."""

    lines: list[str]
    ids: Mapping[str, str]


@pytest.fixture(scope='module')
def text(tmp_path_factory: pytest.TempPathFactory) -> Log:
    return write_log(tmp_path_factory.mktemp('text'), {})


@pytest.fixture(scope='module', params=['use_json', 'log_config_append'])
def documents(request: pytest.FixtureRequest,
              tmp_path_factory: pytest.TempPathFactory) -> Log:
    directory = tmp_path_factory.mktemp('json')
    if request.param == 'use_json':
        return write_log(directory, {'use_json': True})
    (directory / 'logging.ini').write_text(CONFIG.format(
        file=str(directory / 'pileus.log')))
    return write_log(directory,
                     {'log_config_append': directory / 'logging.ini'})


def write_log(directory: Path, options: Mapping[str, Any]) -> Log:
    """Send all requests to a daemon, stop it and return its log."""
    if 'log_config_append' not in options:
        options = {**options, 'log_file': directory / 'pileus.log'}
    with Daemon(config_dir(directory, None, {
            'DEFAULT': options,
            'api': {'trusted_proxies': '127.0.0.0/8'}})) as daemon:
        ids = {name: send(daemon, sent) for name, sent in REQUESTS.items()}
    return Log((directory / 'pileus.log').read_text().splitlines(), ids)


def send(daemon: Daemon, sent: RawRequest) -> str:
    """Send a request, assert its status and return its request id."""
    with daemon.connect() as connection:
        connection.sendall(sent.data)
        reply = b''.join(iter(lambda: connection.recv(65536), b''))
    assert reply.split()[1] == str(sent.status).encode(), reply
    return re.search(rb'(?i)x-openstack-request-id: (\S+)', reply)[1].decode()


RECORD = re.compile(r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \d+ '
                    r'(DEBUG|INFO|WARNING|ERROR) [a-z][a-z_.]+ \[.*\] \S')
#: Loggers of requests: of the application, and of the server for requests
#: that it rejects.
REQUEST_LOGGERS = ('api.middleware.log', 'service.process.http.connection')


def test_each_text_line_is_a_record_and_each_request_has_one(text):
    """L04: no line has control characters."""
    assert [line for line in text.lines if not RECORD.match(line)] == []
    assert [line for line in text.lines if not line.isprintable()] == []
    lines = [line for line in text.lines if line.split()[4] in REQUEST_LOGGERS]
    assert len(lines) == len(REQUESTS)
    for name, id in text.ids.items():
        assert len([line for line in lines if id in line]) == 1, name


def test_each_json_line_has_the_request_line_as_sent(documents):
    """L04: unescaping the message gives the request line as it was sent."""
    records = [json.loads(line) for line in documents.lines]
    requests = [entry for entry in records if entry['name'] in REQUEST_LOGGERS]
    assert len(requests) == len(REQUESTS)
    for name, id in documents.ids.items():
        (record,) = (entry for entry in requests if id in entry['message'])
        line = REQUESTS[name].line.decode('latin-1')
        message = unescape(record['message'])
        assert f'"{line.removesuffix(" HTTP/1.1")}' in message, name
        assert record['message'].isprintable()


@pytest.mark.parametrize(('name', 'member', 'sent'), [
    ('a user', 'user', HOSTILE),
    ('a project with hostile characters', 'project_id', HOSTILE_PROJECT)])
def test_each_json_line_has_the_caller_as_sent(documents, name, member, sent):
    """L04"""
    id = documents.ids[name]
    values = {unescape(entry['context'].get(member) or '')
              for entry in map(json.loads, documents.lines)
              if entry['name'] == REQUEST_LOGGERS[0]
              and id in entry['message']}
    assert values == {sent.decode('latin-1')}


def unescape(text: str) -> str:
    return text.encode('latin-1').decode('unicode_escape')
