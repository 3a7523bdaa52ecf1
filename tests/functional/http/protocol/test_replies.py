# SPDX-License-Identifier: Apache-2.0
"""H21: what a careless application must not do to the wire.

Each mistake ends in a 500 where nothing was sent yet, and in a cut connection
where something was. The next answer on a connection is never a part of the
last one.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any
from wsgiref.validate import validator

import pytest

from tests.functional.http import wire
from tests.functional.http.serving import serving
from tests.functional.http.wire import get, post


def replying(status: str = '200 OK', headers: Any = (), body: Any = b'',
             ) -> Any:
    def app(environ: dict[str, Any], start: Any) -> Any:
        if environ['PATH_INFO'] == '/next':
            start('200 OK', [('Content-Length', '4')])
            return [b'next']
        start(status, list(headers))
        return body if not isinstance(body, bytes) else [body]
    return app


def given(app: Any, data: bytes = get('/') + get('/next'),
          methods: Any = ()) -> list[wire.Answer]:
    with serving(app) as running:
        return wire.talk(running, [data], end=True, methods=methods)


def raw(app: Any, data: bytes = get('/') + get('/next')) -> bytes:
    """What came before the connection was cut."""
    data_read = b''
    with serving(app) as running, wire.connect(running) as sock:
        sock.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            while piece := sock.recv(65536):
                data_read += piece
    return data_read


def each(*chunks: bytes) -> Iterator[bytes]:
    yield from chunks


CARELESS: dict[str, Any] = {
    'CR LF in a value': replying(headers=[('X', 'a\r\nSet-Cookie: b')]),
    'LF in a value': replying(headers=[('X', 'a\nb')]),
    'CR in a value': replying(headers=[('X', 'a\rb')]),
    'NUL in a value': replying(headers=[('X', 'a\0b')]),
    'ESC in a value': replying(headers=[('X', 'a\x1bb')]),
    'a value that ends in CR': replying(headers=[('X', 'a\r')]),
    'CR LF in a name': replying(headers=[('X\r\nY', 'a')]),
    'a colon in a name': replying(headers=[('X:', 'a')]),
    'a blank in a name': replying(headers=[('X ', 'a')]),
    'an empty name': replying(headers=[('', 'a')]),
    'CR LF in the status': replying('200 OK\r\nX: y'),
    'no code': replying('OK'),
    'a code of its own': replying('2000 OK'),
    '100': replying('100 Continue'),
    'bytes for a value': replying(headers=[('X', b'a')]),
    'bytes for a name': replying(headers=[(b'X', 'a')]),
    'no latin-1': replying(headers=[('X', '€')]),
    'two lengths': replying(headers=[('Content-Length', '1')] * 2),
    'no number': replying(headers=[('Content-Length', '+1')]),
    'a coding': replying(headers=[('Transfer-Encoding', 'chunked')]),
    'a connection': replying(headers=[('Connection', 'keep-alive')]),
    'an upgrade': replying('200 OK', [('Upgrade', 'h2c')]),
    'too long': replying(headers=[('Content-Length', '2')], body=b'abc'),
    'too short': replying(headers=[('Content-Length', '4')], body=b'abc'),
    'none': replying(headers=[('Content-Length', '4')]),
    'too long at once': replying(headers=[('Content-Length', '2')],
                                 body=each(b'abc')),
    'a body with 204': replying('204 No Content', body=b'abc'),
    'a body with 304': replying('304 Not Modified', body=each(b'a', b'b')),
    'text for a body': replying(body=['abc']),
    'text in pieces': replying(body=iter(['abc'])),
    'nothing for a body': replying(body=5),
    'no start': lambda environ, start: [b'abc'],
    'started twice': lambda environ, start: [start('200 OK', []),
                                             start('200 OK', [])],
    'an exception': lambda environ, start: 1 / 0,
}


@pytest.mark.parametrize('app', CARELESS.values(), ids=CARELESS.keys())
def test_a_mistake_before_the_first_byte_is_a_500(
        app: Any, caplog: pytest.LogCaptureFixture) -> None:
    """H21: it gives nothing away, and the log says what it was."""
    found = given(app)
    assert [one.status for one in found] == [500]
    wire.check_document(found[0])
    assert found[0].document['error']['message'] == (
        'The service failed to answer. The log has the reason under this '
        'request id.')
    errors = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert len(errors) == 1 and errors[0].exc_info


BROKEN: dict[str, Any] = {
    'too long': replying(headers=[('Content-Length', '3')],
                         body=each(b'abc', b'def')),
    'too short': replying(headers=[('Content-Length', '9')],
                          body=each(b'abc', b'def')),
    'text in the middle': replying(body=each(b'abc', 'def')),  # type: ignore
}


def failing() -> Iterator[bytes]:
    yield b'abc'
    raise RuntimeError('hunter2')


@pytest.mark.parametrize('app', [*BROKEN.values(), replying(body=failing())],
                         ids=[*BROKEN.keys(), 'an exception'])
def test_a_mistake_after_the_first_byte_cuts_the_connection(
        app: Any) -> None:
    """H21: the client can tell that the answer is not whole."""
    data = raw(app)
    assert b'next' not in data and b'hunter2' not in data
    if data:
        assert data.startswith(b'HTTP/1.1 200 OK\r\n')
        assert not data.endswith(b'0\r\n\r\n')
        assert b'Content-Length: 3' in data or b'def' not in data or (
            b'Content-Length: 9' in data)


def test_a_head_reply_is_the_head_of_the_get() -> None:
    """H21: whatever body the application makes is not sent."""
    head = get('/').replace(b'GET', b'HEAD', 1)
    for body in (b'abc', each(b'a', b'bc')):
        app = replying(headers=[('Content-Length', '3')], body=body)
        found = given(app, head + get('/next'), ['HEAD'])
        assert [one.body for one in found] == [b'', b'next']
        assert found[0].headers['content-length'] == '3'


@pytest.mark.parametrize('status', ['204 No Content', '304 Not Modified'])
def test_a_reply_without_body_is_followed_by_the_next(status: str) -> None:
    """H21"""
    found = given(replying(status, [('ETag', '"1"')]))
    assert [one.body for one in found] == [b'', b'next']
    assert 'transfer-encoding' not in found[0].headers
    assert 'content-length' not in found[0].headers


def test_a_204_that_says_a_length_of_nothing_keeps_quiet_about_it() -> None:
    """H21: the field is not allowed there, and some frameworks add it."""
    found = given(replying('204 No Content', [('Content-Length', '0')]))
    assert [one.status for one in found] == [204, 200]
    assert 'content-length' not in found[0].headers


def test_pieces_are_sent_as_they_are_made() -> None:
    """A stream of unknown length is chunked; close() ends the iterable."""
    ended: list[bool] = []

    class Stream:
        def __iter__(self) -> Iterator[bytes]:
            return each(b'one', b'', b'two')

        def close(self) -> None:
            ended.append(True)

    found = given(replying(body=Stream()))
    assert [one.body for one in found] == [b'onetwo', b'next']
    assert found[0].headers['transfer-encoding'] == 'chunked'
    assert ended == [True]


def test_close_is_called_when_the_reply_failed() -> None:
    """H21"""
    ended: list[bool] = []

    class Stream:
        def __iter__(self) -> Iterator[bytes]:
            return failing()

        def close(self) -> None:
            ended.append(True)

    raw(replying(body=Stream()))
    assert ended == [True]


def test_a_stream_for_http_1_0_ends_with_the_connection() -> None:
    found = given(replying(body=each(b'one', b'two')),
                  b'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    assert [one.body for one in found] == [b'onetwo']
    assert found[0].headers['connection'] == 'close'


def test_write_and_iterable_are_one_body() -> None:
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        write = start('200 OK', [])
        write(b'one')
        write(b'two')
        return [b'three']
    assert [one.body for one in given(app, get('/'))] == [b'onetwothree']


def test_exc_info_replaces_headers_that_were_not_sent() -> None:
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        start('200 OK', [('X', 'first')])
        try:
            raise RuntimeError
        except RuntimeError as exc:
            start('503 Later', [], (type(exc), exc, exc.__traceback__))
        return [b'later']
    found = given(app, get('/'))
    assert [(one.status, one.body) for one in found] == [(503, b'later')]
    assert 'x' not in found[0].headers


def test_exc_info_after_the_head_cuts_the_connection() -> None:
    """H21"""
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        start('200 OK', [])(b'one')
        exc = RuntimeError('hunter2')
        start('503 Later', [], (type(exc), exc, None))
        return [b'two']
    data = raw(app)
    assert b'two' not in data and b'next' not in data


def test_an_application_may_close_the_connection() -> None:
    found = given(replying(headers=[('Connection', 'close')], body=b'a'))
    assert [one.body for one in found] == [b'a']
    assert found[0].headers['connection'] == 'close'


def test_its_own_date_stands() -> None:
    found = given(replying(headers=[('Date', 'today')]), get('/'))
    assert found[0].headers['date'] == 'today'


def test_wsgiref_finds_nothing_to_complain_about() -> None:
    """PEP 3333, from both sides."""
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        data = environ['wsgi.input'].read(1000)
        environ['wsgi.errors'].write('')
        environ['wsgi.errors'].flush()
        start('200 OK', [('Content-Type', 'text/plain')])
        return [data]
    found = given(validator(app), get('/a?b=c') + post('/', b'hello'))
    assert [one.body for one in found] == [b'', b'hello']
