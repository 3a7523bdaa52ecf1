# SPDX-License-Identifier: Apache-2.0
"""Ambiguous requests, of which two readers might find different ends.

Each form is sent whole, byte by byte and in random pieces, followed by a
canary. The server must refuse the form and close the connection, and the
application must receive nothing.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.functional.http import wire
from tests.functional.http.serving import serving
from tests.functional.http.wire import CANARY, HOST, chunked, get, refused

SPLITS = [wire.whole, wire.by_byte, wire.at_random]

CL = b'Content-Length: '
TE = b'Transfer-Encoding: '


def posted(*headers: bytes, body: bytes = b'', host: bytes = HOST,
           line: bytes = b'POST /p HTTP/1.1') -> bytes:
    fields = b''.join(header + b'\r\n' for header in headers)
    return line + b'\r\n' + host + fields + b'\r\n' + body + CANARY


FORMS: list[tuple[str, str, bytes, tuple[int, ...]]] = [
    ('H01', 'length then coding',
     posted(CL + b'5', TE + b'chunked', body=b'0\r\n\r\n'), (400,)),
    ('H01', 'coding then length',
     posted(TE + b'chunked', CL + b'5', body=b'0\r\n\r\n'), (400,)),
    ('H01', 'length zero and coding',
     posted(CL + b'0', TE + b'chunked', body=b'0\r\n\r\n'), (400,)),
    ('H02', 'two lengths that differ',
     posted(CL + b'0', CL + b'54'), (400,)),
    ('H02', 'two lengths alike', posted(CL + b'0', CL + b'0'), (400,)),
    ('H02', 'a list of lengths', posted(CL + b'5, 5', body=b'hello'), (400,)),
    *[('H03', f'length {value!r}', posted(CL + value, body=b'hello'), (400,))
      for value in (b'+5', b'0_5', b'-1', b'0x5', b'', b'5 1', b'5;', b'5.0',
                    b'18446744073709551621', b'99999999999999999999999',
                    '٥'.encode(), b'five', b'\x0b5', b'5\x0b')],
    *[('H04', f'coding {value!r}',
       posted(TE + value, body=b'5\r\nhello\r\n0\r\n\r\n'), (400, 501))
      for value in (b'xchunked', b'chunked, identity', b'"chunked"',
                    b'\x0bchunked', b'identity', b'gzip, chunked', b'gzip',
                    b'chunked, chunked', b'chunked;q=1', b'', b'chunk ed',
                    b',chunked', b'chunked,')],
    ('H04', 'two codings',
     posted(TE + b'chunked', TE + b'chunked', body=b'0\r\n\r\n'), (400,)),
    ('H04', 'chunked and then identity',
     posted(TE + b'chunked', TE + b'identity', body=b'0\r\n\r\n'), (400,)),
    ('H05', 'coding in HTTP/1.0',
     posted(TE + b'chunked', body=b'0\r\n\r\n', line=b'POST /p HTTP/1.0'),
     (400,)),
    *[('H06', f'header {value!r}', posted(value, body=b'hello'), (400,))
      for value in (b'Content-Length : 5', b'Content-Length\t: 5',
                    b' Content-Length: 5', b'\tX: y', b'X: a\r\n b',
                    b'X: a\r\n\tb', TE + b'\r\n chunked', CL + b'\r\n 5',
                    b': no name', b'no colon', b'X y: z', b'X\x00: y',
                    b'X(: y', b'X: y\r\n : z')],
    ('H06', 'a blank line start', b'GET / HTTP/1.1\r\n Host: x\r\n'
     + HOST + b'\r\n' + CANARY, (400,)),
    *[('H07', f'control in {value!r}', posted(value), (400,))
      for value in (b'X: a\nY: b', b'X: a\rY: b', b'X: a\x00b', b'X: a\x07',
                    b'X: a\x7f', b'X: a\r\r\nY: b', b'X: a\n')],
    ('H07', 'bare LF all through',
     b'GET / HTTP/1.1\nHost: x\n\n' + CANARY, (400,)),
    ('H07', 'bare LF at the end',
     b'GET / HTTP/1.1\r\nHost: x\r\n\n' + CANARY, (400,)),
    ('H07', 'CR for a line end',
     b'GET / HTTP/1.1\rHost: x\r\r' + CANARY, (400,)),
    ('H07', 'CR LF CR and a letter', b'\r\n\rX' + CANARY, (400,)),
    ('H07', 'CR CR LF', b'GET / HTTP/1.1\r\r\n' + HOST + b'\r\n' + CANARY,
     (400,)),
    ('H07', 'two empty lines', b'\r\n\r\n' + CANARY, (400,)),
    ('H07', 'a control in the line', b'GET /\x01 HTTP/1.1\r\n' + HOST
     + b'\r\n' + CANARY, (400,)),
    *[('H12', f'line {value!r}',
       value + b'\r\n' + HOST + b'\r\n' + CANARY, statuses)
      for value, statuses in (
          (b'GET /', (400,)), (b'GET', (400,)), (b'', (400,)),
          (b'GET / HTTP/2.0', (505,)), (b'GET / HTTP/1.2', (505,)),
          (b'GET / HTTP/0.9', (505,)), (b'PRI * HTTP/2.0', (505,)),
          (b'GET / HTTP/1.10', (400, 505)), (b'GET / HTTP/11', (400, 505)),
          (b'GET / FTP/1.1', (400,)), (b'GET / http/1.1', (400,)),
          (b'GET  / HTTP/1.1', (400,)), (b'GET /  HTTP/1.1', (400,)),
          (b' GET / HTTP/1.1', (400,)), (b'GET\t/ HTTP/1.1', (400,)),
          (b'GET / HTTP/1.1 ', (400,)), (b'GET / HTTP/1.1x', (400,)),
          (b'get / HTTP/1.1', (501,)), (b'FOO / HTTP/1.1', (501,)),
          (b'G\xe9T / HTTP/1.1', (400,)), (b'G(T / HTTP/1.1', (400,)),
          (b'SETUP / HTTP/1.1', (501,)),
          (b'A' * 33 + b' / HTTP/1.1', (501,)))],
    ('H12', 'a method of 1 MB', b'A' * 1048576, (400, 501)),
    *[('H13', f'target {value!r}',
       b'GET ' + value + b' HTTP/1.1\r\n' + HOST + b'\r\n' + CANARY, (400,))
      for value in (b'/a\x00b', b'/a b', '/é'.encode(), b'/a\x7f', b'relative',
                    b'*', b'pileus.example:80', b'/a#b', b'#', b'?x=1',
                    b'http://evil.example/', b'http:///a', b'http://',
                    b'http://pileus.example@evil/', b'ftp://pileus.example/',
                    b'http://pileus.example:99999/', b'/%zz', b'/%4',
                    b'http://pileus.example/a#b')],
    ('H14', 'CONNECT', b'CONNECT pileus.example:443 HTTP/1.1\r\n' + HOST
     + b'\r\n' + CANARY, (405,)),
    ('H14', 'CONNECT to a path', b'CONNECT / HTTP/1.1\r\n' + HOST + b'\r\n'
     + CANARY, (400,)),
    ('H16', 'no Host', b'GET / HTTP/1.1\r\n\r\n' + CANARY, (400,)),
    ('H16', 'two Hosts', get(extra=HOST) + CANARY, (400,)),
    *[('H16', f'Host {value!r}', b'GET / HTTP/1.1\r\nHost: ' + value
       + b'\r\n\r\n' + CANARY, (400,))
      for value in (b'', b'a/b', b'evil:99999999', b'a:b', b'a@b', b'a b',
                    b'a,b', b'[::1', b'a:', b'\xe9', b'a:80:80', b'[g::1]')],
    ('H16', 'two Hosts in HTTP/1.0',
     b'GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n' + CANARY, (400,)),
]


@pytest.mark.parametrize('split', SPLITS, ids=lambda split: split.__name__)
@pytest.mark.parametrize(
    'payload, allowed',
    [pytest.param(form[2], form[3], id=f'{form[0]} {form[1]}')
     for form in FORMS])
def test_an_ambiguous_head_is_refused(
        running: Any, payload: bytes, allowed: tuple[int, ...],
        split: Any) -> None:
    """H01 H02 H03 H04 H05 H06 H07 H12 H13 H14 H16"""
    if len(payload) > 100000 and split is wire.by_byte:
        split = wire.at_random
    refused(running, split(payload), allowed)


@pytest.mark.parametrize('split', SPLITS, ids=lambda split: split.__name__)
@pytest.mark.parametrize('chunks', [
    b'0x2\r\nhi\r\n0\r\n\r\n', b'0_2\r\nhi\r\n0\r\n\r\n',
    b'+2\r\nhi\r\n0\r\n\r\n', b'-2\r\nhi\r\n0\r\n\r\n',
    b'10000000000000002\r\nhi\r\n0\r\n\r\n', b'2\nhi\r\n0\r\n\r\n',
    b'2\r\nhi0\r\n\r\n', b'2\r\nhi\n0\r\n\r\n', b'2\r\nhi!\r\n0\r\n\r\n',
    b'2;a\rb\r\nhi\r\n0\r\n\r\n', b'2;a\x00\r\nhi\r\n0\r\n\r\n',
    b'2 \r\nhi\r\n0\r\n\r\n', b' 2\r\nhi\r\n0\r\n\r\n', b'\r\nhi\r\n',
    b'g\r\nhi\r\n', b'2 x\r\nhi\r\n0\r\n\r\n', b'0\r\nX y: z\r\n\r\n',
    b'0\r\n folded\r\n\r\n', b'0\r\nX: y\nZ: w\r\n\r\n', b'0\nX: y\r\n\r\n',
], ids=repr)
def test_an_ambiguous_chunk_is_refused(
        running: Any, chunks: bytes, split: Any) -> None:
    """H08: the error occurs while the application reads the body."""
    refused(running, split(chunked('/c', chunks) + CANARY))


@pytest.mark.parametrize('split', SPLITS, ids=lambda split: split.__name__)
def test_valid_requests_are_served_in_all_pieces(running: Any,
                                                 split: Any) -> None:
    """The refusals above have their own reasons: valid requests pass."""
    data = (get('/a') + wire.post('/b', b'hello')
            + chunked('/c', b'2;x=y\r\nhi\r\n3\r\n yo\r\n0\r\nX: y\r\n\r\n')
            + b'\r\n' + get('/d?q'))
    answers = wire.talk(running, split(data), end=True)
    assert [answer.body for answer in answers] == [b'/a', b'/b', b'/c', b'/d']
    assert [request.body for request in running.app.seen] == [
        b'', b'hello', b'hi yo', b'']


def test_an_absolute_target_with_our_host_is_a_path(
        running: Any) -> None:
    """H13"""
    line = b'GET http://PILEUS.example/a?b HTTP/1.1\r\n'
    answers = wire.talk(running, [line + HOST + b'\r\n'], end=True)
    assert [answer.status for answer in answers] == [200]
    seen = running.app.seen[0]
    assert (seen.path, seen.query) == ('/a', 'b')
    assert seen.environ['REQUEST_URI'] == 'http://PILEUS.example/a?b'
    assert seen.environ['RAW_PATH_INFO'] == '/a'


def test_options_of_an_asterisk_is_for_the_root_path(running: Any) -> None:
    """H13"""
    line = b'OPTIONS * HTTP/1.1\r\n'
    answers = wire.talk(running, [line + HOST + b'\r\n'], end=True)
    assert [answer.status for answer in answers] == [200]
    assert running.app.paths == ['/']


@pytest.mark.parametrize('line, status', [
    (b'CONNECT pileus.example:443', 405), (b'CONNECT /', 400),
    (b'FOO /', 501), (b'get /', 501), (b'A' * 40 + b' /', 501),
    (b'GET /' + b'a' * 9000, 414)], ids=lambda value: repr(value)[:20])
def test_a_refusal_has_the_version_headers(
        running: Any, line: bytes, status: int) -> None:
    """H14, MV-8: unless the bytes are no request of HTTP/1."""
    known = refused(running, [line + b' HTTP/1.1\r\n' + HOST + b'\r\n'],
                   (status,))
    assert known.headers['openstack-api-version'] == 'pileus 1.0'
    assert known.headers['vary'] == 'OpenStack-API-Version'
    unknown = refused(running, [b'nonsense\r\n\r\n'])
    assert 'openstack-api-version' not in unknown.headers


TRACE = b'TRACE /a HTTP/1.1\r\n' + HOST + b'\r\n'


def test_the_refusal_of_trace_by_the_application_is_sent() -> None:
    """H14: the server then closes the connection."""
    def refusing(environ: dict[str, Any], start: Any) -> list[bytes]:
        assert environ['REQUEST_METHOD'] == 'TRACE'
        start('405 Method Not Allowed', [('Allow', 'GET, HEAD')])
        return [b'no']

    with serving(refusing) as running:
        answers = wire.talk(running, [TRACE + CANARY])
    [answer] = answers
    assert answer.status == 405
    assert answer.headers['allow'] == 'GET, HEAD'
    assert answer.headers['connection'] == 'close'


def test_an_echo_of_trace_is_never_sent(running: Any) -> None:
    """H14: even if the application sends one."""
    answers = wire.talk(running, [TRACE + CANARY])
    assert [answer.status for answer in answers] == [405]
    assert answers[0].headers['connection'] == 'close'
    assert answers[0].headers['openstack-api-version'] == 'pileus 1.0'
    assert running.app.paths == ['/a']


def test_the_answer_to_a_refused_head_request_has_no_body(
        running: Any) -> None:
    """H19 H21: a client that sends HEAD reads no body."""
    data = b'HEAD / HTTP/1.1\r\n' + HOST + b'Expect: wonders\r\n\r\n'
    answers = wire.talk(running, [data], methods=['HEAD'])
    assert [(answer.status, answer.body) for answer in answers] == [(417, b'')]
