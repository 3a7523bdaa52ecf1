# SPDX-License-Identifier: Apache-2.0
"""Every limit, one byte below it, at it and one above."""

from __future__ import annotations

import gzip
import time
from typing import Any

import pytest

from tests.functional.http import wire
from tests.functional.http.serving import serving
from tests.functional.http.wire import CANARY, HOST, chunked, get, refused


def accepted(running: Any, data: bytes) -> wire.Answer:
    given = wire.talk(running, [data], end=True)
    assert [one.status for one in given] == [200], given
    return given[0]


def header(length: int, name: bytes = b'X-A') -> bytes:
    """A header line of ``length`` bytes and its line end."""
    return name + b': ' + b'a' * (length - len(name) - 2) + b'\r\n'


def test_the_longest_target_and_one_byte_more(running: Any) -> None:
    """R07"""
    most = running.limits.max_target
    accepted(running, get('/' + 'a' * (most - 2)))
    accepted(running, get('/' + 'a' * (most - 1)))
    refused(running, [get('/' + 'a' * most) + CANARY], [414])
    refused(running, [b'GET /' + b'a' * 10 * most], [414])


def test_the_longest_header_line_and_one_byte_more(running: Any) -> None:
    """R07"""
    most = running.limits.max_header_line
    accepted(running, get('/', header(most - 1)))
    accepted(running, get('/', header(most)))
    refused(running, [get('/', header(most + 1)) + CANARY], [431])


def test_the_largest_header_section_and_one_byte_more(running: Any) -> None:
    """R07: also when it never ends."""
    most = running.limits.max_header_bytes
    lines = [header(8000, b'X-%d' % i) for i in range(8)]
    spare = most - len(HOST) - 2 - sum(map(len, lines))
    accepted(running, get('/', b''.join(lines) + header(spare, b'X-Z')))
    refused(running, [get('/', b''.join(lines)
                          + header(spare + 1, b'X-Z')) + CANARY], [431])
    refused(running, [b'GET / HTTP/1.1\r\n' + b''.join(lines * 40)], [431])


def test_the_most_headers_and_one_more(running: Any) -> None:
    """R07"""
    most = running.limits.max_header_count
    lines = [b'X-%d: y\r\n' % i for i in range(most)]
    accepted(running, get('/', b''.join(lines[:most - 1])))
    refused(running, [get('/', b''.join(lines)) + CANARY], [431])


def test_the_largest_body_and_one_byte_more() -> None:
    """R08: by its length, in chunks, and in chunks of a lying size."""
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


def test_a_body_that_is_too_large_by_its_length_is_not_read(
        running: Any) -> None:
    """R08 H20: the answer is there before a byte of the body is."""
    data = (b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: %d\r\n\r\n'
            % (running.limits.max_body + 1))
    started = time.monotonic()
    refused(running, [data], [413])
    assert time.monotonic() - started < running.limits.drain_timeout + 1


def test_a_compressed_body_stays_compressed(running: Any) -> None:
    """R09: the server unpacks nothing, so that a small body cannot grow."""
    packed = gzip.compress(b'a' * 100000)
    accepted(running, wire.post('/', packed, b'Content-Encoding: gzip\r\n'))
    seen = running.app.seen[0]
    assert seen.body == packed
    assert seen.environ['HTTP_CONTENT_ENCODING'] == 'gzip'


@pytest.mark.parametrize('chunks', [
    b'2;' + b'a' * 1048576 + b'\r\nhi\r\n0\r\n\r\n',
    (b'1;' + b'a' * 1024 + b'\r\nx\r\n') * 1000 + b'0\r\n\r\n',
], ids=['one of 1 MB', '1 KB to a byte'])
def test_chunk_extensions_are_counted(running: Any, chunks: bytes) -> None:
    """H09"""
    before = time.process_time()
    refused(running, [chunked('/', chunks) + CANARY], [400, 413])
    assert time.process_time() - before < 0.5


def test_a_few_chunk_extensions_are_passed_over(running: Any) -> None:
    """H09"""
    accepted(running, chunked('/', b'2;a=b;c="d e"\r\nhi\r\n0;last\r\n\r\n'))
    assert running.app.seen[0].body == b'hi'


@pytest.mark.parametrize('trailers, allowed', [
    (b'X: ' + b'a' * 8200 + b'\r\n', [431, 400]),
    (b''.join(b'X-%d: y\r\n' % i for i in range(33)), [431]),
    (b'Content-Length: 5\r\n', [400]), (b'Host: evil\r\n', [400]),
    (b'Transfer-Encoding: chunked\r\n', [400]), (b'no colon\r\n', [400]),
], ids=['long', 'many', 'length', 'host', 'coding', 'no colon'])
def test_trailers_have_limits(running: Any, trailers: bytes,
                              allowed: list[int]) -> None:
    """H10"""
    data = chunked('/', b'2\r\nhi\r\n0\r\n' + trailers + b'\r\n')
    refused(running, [data + CANARY], allowed)


def test_trailers_never_reach_the_environ(running: Any) -> None:
    """H10: whoever could add a header after the head was checked, would."""
    data = chunked('/', b'2\r\nhi\r\n0\r\nX-Project-Id: evil\r\n'
                        b'X-Roles: admin\r\n\r\n')
    given = wire.talk(running, [data + get('/next')], end=True)
    assert [one.status for one in given] == [200, 200]
    for seen in running.app.seen:
        assert 'HTTP_X_PROJECT_ID' not in seen.environ
        assert 'HTTP_X_ROLES' not in seen.environ


def test_headers_with_underscores_are_dropped(running: Any) -> None:
    """H11: their twins with hyphens are not."""
    accepted(running, get('/', b'X_Project_Id: evil\r\nX-Project-Id: good\r\n'
                               b'Content_Length: 5\r\n'
                               b'Transfer_Encoding: chunked\r\n'
                               b'X_Roles: admin\r\nProxy: evil\r\n'))
    environ = running.app.seen[0].environ
    assert environ['HTTP_X_PROJECT_ID'] == 'good'
    assert not {'HTTP_X_ROLES', 'CONTENT_LENGTH', 'HTTP_CONTENT_LENGTH',
                'HTTP_TRANSFER_ENCODING', 'HTTP_PROXY'} & set(environ)


def test_repeated_headers_are_one_list(running: Any) -> None:
    """H11: but for those that may stand only once."""
    accepted(running, get('/', b'Accept: a\r\nAccept: b\r\nCookie: c=1\r\n'
                               b'Cookie: d=2\r\n'))
    environ = running.app.seen[0].environ
    assert environ['HTTP_ACCEPT'] == 'a, b'
    assert environ['HTTP_COOKIE'] == 'c=1; d=2'
    refused(running, [get('/', b'X-Auth-Token: a\r\nX-Auth-Token: b\r\n')])
