# SPDX-License-Identifier: Apache-2.0
"""Each limit: one byte below it, at it and one byte above it."""

from __future__ import annotations

import gzip
import time
from typing import Any

import pytest

from tests.functional.http import wire
from tests.functional.http.serving import serving
from tests.functional.http.wire import CANARY, HOST, chunked, get, refused


def accepted(running: Any, data: bytes) -> wire.Answer:
    answers = wire.talk(running, [data], end=True)
    assert [answer.status for answer in answers] == [200], answers
    return answers[0]


def header(length: int, name: bytes = b'X-A') -> bytes:
    """Return a header line of ``length`` bytes, with its line end."""
    return name + b': ' + b'a' * (length - len(name) - 2) + b'\r\n'


def test_a_target_may_have_max_target_bytes_and_no_more(running: Any) -> None:
    """R07"""
    limit = running.limits.max_target
    accepted(running, get('/' + 'a' * (limit - 2)))
    accepted(running, get('/' + 'a' * (limit - 1)))
    refused(running, [get('/' + 'a' * limit) + CANARY], [414])
    refused(running, [b'GET /' + b'a' * 10 * limit], [414])


def test_a_header_line_may_have_max_header_line_bytes_and_no_more(
        running: Any) -> None:
    """R07"""
    limit = running.limits.max_header_line
    accepted(running, get('/', header(limit - 1)))
    accepted(running, get('/', header(limit)))
    refused(running, [get('/', header(limit + 1)) + CANARY], [431])


def test_headers_may_have_max_header_bytes_and_no_more(running: Any) -> None:
    """R07: even if the headers do not end."""
    limit = running.limits.max_header_bytes
    lines = [header(8000, b'X-%d' % i) for i in range(8)]
    spare = limit - len(HOST) - 2 - sum(map(len, lines))
    accepted(running, get('/', b''.join(lines) + header(spare, b'X-Z')))
    refused(running, [get('/', b''.join(lines)
                          + header(spare + 1, b'X-Z')) + CANARY], [431])
    refused(running, [b'GET / HTTP/1.1\r\n' + b''.join(lines * 40)], [431])


def test_a_request_may_have_max_header_count_headers_and_no_more(
        running: Any) -> None:
    """R07"""
    limit = running.limits.max_header_count
    lines = [b'X-%d: y\r\n' % i for i in range(limit)]
    accepted(running, get('/', b''.join(lines[:limit - 1])))
    refused(running, [get('/', b''.join(lines)) + CANARY], [431])


def test_a_body_may_have_max_body_bytes_and_no_more() -> None:
    """R08: by Content-Length, and by the sizes of chunks."""
    with serving(max_body=1024) as running:
        accepted(running, wire.post('/', b'a' * 1024))
        accepted(running, chunked('/', b'400\r\n' + b'a' * 1024
                                  + b'\r\n0\r\n\r\n'))
        for data in (
                wire.post('/', b'a' * 1025),
                b'POST / HTTP/1.1\r\n' + HOST
                + b'Content-Length: 999999999999\r\n\r\n',
                chunked('/', b'401\r\n' + b'a' * 1025 + b'\r\n0\r\n\r\n'),
                chunked('/', b'400\r\n' + b'a' * 1024 + b'\r\n1\r\na\r\n'),
                chunked('/', b'ffffffffffffffff\r\n')):
            answer = refused(running, [data], [413])
            assert answer.headers['openstack-api-version'] == 'pileus 1.0'


def test_a_body_with_a_length_beyond_the_limit_is_not_read(
        running: Any) -> None:
    """R08 H20: the refusal comes before the first byte of the body."""
    data = (b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: %d\r\n\r\n'
            % (running.limits.max_body + 1))
    started = time.monotonic()
    refused(running, [data], [413])
    assert time.monotonic() - started < running.limits.drain_timeout + 1


def test_a_compressed_body_stays_compressed(running: Any) -> None:
    """R09: the server decompresses nothing, so a small body cannot grow."""
    packed = gzip.compress(b'a' * 100000)
    accepted(running, wire.post('/', packed, b'Content-Encoding: gzip\r\n'))
    request = running.app.seen[0]
    assert request.body == packed
    assert request.environ['HTTP_CONTENT_ENCODING'] == 'gzip'


@pytest.mark.parametrize('chunks', [
    b'2;' + b'a' * 1048576 + b'\r\nhi\r\n0\r\n\r\n',
    (b'1;' + b'a' * 1024 + b'\r\nx\r\n') * 1000 + b'0\r\n\r\n',
], ids=['one of 1 MB', '1 KB to a byte'])
def test_long_chunk_extensions_are_refused(
        running: Any, chunks: bytes) -> None:
    """H09"""
    before = time.process_time()
    refused(running, [chunked('/', chunks) + CANARY], [400, 413])
    assert time.process_time() - before < 0.5


def test_short_chunk_extensions_are_ignored(running: Any) -> None:
    """H09"""
    accepted(running, chunked('/', b'2;a=b;c="d e"\r\nhi\r\n0;last\r\n\r\n'))
    assert running.app.seen[0].body == b'hi'


@pytest.mark.parametrize('trailers, allowed', [
    (b'X: ' + b'a' * 8200 + b'\r\n', [431, 400]),
    (b''.join(b'X-%d: y\r\n' % i for i in range(33)), [431]),
    (b'Content-Length: 5\r\n', [400]), (b'Host: evil\r\n', [400]),
    (b'Transfer-Encoding: chunked\r\n', [400]), (b'no colon\r\n', [400]),
], ids=['long', 'many', 'length', 'host', 'coding', 'no colon'])
def test_long_or_forbidden_trailers_are_refused(
        running: Any, trailers: bytes, allowed: list[int]) -> None:
    """H10"""
    data = chunked('/', b'2\r\nhi\r\n0\r\n' + trailers + b'\r\n')
    refused(running, [data + CANARY], allowed)


def test_trailers_never_reach_the_environ(running: Any) -> None:
    """H10: a trailer could add a header that no proxy has checked."""
    data = chunked('/', b'2\r\nhi\r\n0\r\nX-Project-Id: evil\r\n'
                        b'X-Roles: admin\r\n\r\n')
    answers = wire.talk(running, [data + get('/next')], end=True)
    assert [answer.status for answer in answers] == [200, 200]
    for request in running.app.seen:
        assert 'HTTP_X_PROJECT_ID' not in request.environ
        assert 'HTTP_X_ROLES' not in request.environ


def test_headers_with_underscores_are_dropped(running: Any) -> None:
    """H11: the same names with hyphens are kept."""
    accepted(running, get('/', b'X_Project_Id: evil\r\nX-Project-Id: good\r\n'
                               b'Content_Length: 5\r\n'
                               b'Transfer_Encoding: chunked\r\n'
                               b'X_Roles: admin\r\nProxy: evil\r\n'))
    environ = running.app.seen[0].environ
    assert environ['HTTP_X_PROJECT_ID'] == 'good'
    assert not {'HTTP_X_ROLES', 'CONTENT_LENGTH', 'HTTP_CONTENT_LENGTH',
                'HTTP_TRANSFER_ENCODING', 'HTTP_PROXY'} & set(environ)


def test_repeated_headers_are_joined(running: Any) -> None:
    """H11: except for headers that may occur only once."""
    accepted(running, get('/', b'Accept: a\r\nAccept: b\r\nCookie: c=1\r\n'
                               b'Cookie: d=2\r\n'))
    environ = running.app.seen[0].environ
    assert environ['HTTP_ACCEPT'] == 'a, b'
    assert environ['HTTP_COOKIE'] == 'c=1; d=2'
    refused(running, [get('/', b'X-Auth-Token: a\r\nX-Auth-Token: b\r\n')])
