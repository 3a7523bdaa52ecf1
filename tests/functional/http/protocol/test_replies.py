# SPDX-License-Identifier: Apache-2.0
"""H21: mistakes of an application do not corrupt the connection.

Each mistake leads to a 500 if nothing has been sent, and to a cut connection
otherwise. A client never reads the next answer as a part of the last one.
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


def replies_of(
        app: Any, data: bytes = get('/') + get('/next'),
        methods: Any = ()) -> list[wire.Answer]:
    with serving(app) as running:
        return wire.talk(running, [data], end=True, methods=methods)


def raw_reply(app: Any, data: bytes = get('/') + get('/next')) -> bytes:
    """Return the bytes that arrive before the connection is cut."""
    data_read = b''
    with serving(app) as running, wire.connect(running) as sock:
        sock.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            while piece := sock.recv(65536):
                data_read += piece
    return data_read


def pieces(*chunks: bytes) -> Iterator[bytes]:
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
                                 body=pieces(b'abc')),
    'a body with 204': replying('204 No Content', body=b'abc'),
    'a body with 304': replying('304 Not Modified', body=pieces(b'a', b'b')),
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
    """H21: the answer reveals nothing, and the log has the exception."""
    answers = replies_of(app)
    assert [answer.status for answer in answers] == [500]
    wire.check_document(answers[0])
    assert answers[0].document['error']['message'] == (
        'The service failed to answer. The log has the reason under this '
        'request id.')
    errors = [record for record in caplog.records
              if record.levelno == logging.ERROR]
    assert len(errors) == 1 and errors[0].exc_info


BROKEN: dict[str, Any] = {
    'too long': replying(headers=[('Content-Length', '3')],
                         body=pieces(b'abc', b'def')),
    'too short': replying(headers=[('Content-Length', '9')],
                          body=pieces(b'abc', b'def')),
    'text in the middle': replying(body=pieces(b'abc', 'def')),  # type: ignore
}


def failing() -> Iterator[bytes]:
    yield b'abc'
    raise RuntimeError('hunter2')


@pytest.mark.parametrize('app', [*BROKEN.values(), replying(body=failing())],
                         ids=[*BROKEN.keys(), 'an exception'])
def test_a_mistake_after_the_first_byte_cuts_the_connection(
        app: Any) -> None:
    """H21: the client can detect that the answer is incomplete."""
    data = raw_reply(app)
    assert b'next' not in data and b'hunter2' not in data
    if data:
        assert data.startswith(b'HTTP/1.1 200 OK\r\n')
        assert not data.endswith(b'0\r\n\r\n')
        assert b'Content-Length: 3' in data or b'def' not in data or (
            b'Content-Length: 9' in data)


def test_a_head_reply_is_the_head_of_the_get() -> None:
    """H21: the body that the application returns is not sent."""
    head = get('/').replace(b'GET', b'HEAD', 1)
    for body in (b'abc', pieces(b'a', b'bc')):
        app = replying(headers=[('Content-Length', '3')], body=body)
        answers = replies_of(app, head + get('/next'), ['HEAD'])
        assert [answer.body for answer in answers] == [b'', b'next']
        assert answers[0].headers['content-length'] == '3'


@pytest.mark.parametrize('status', ['204 No Content', '304 Not Modified'])
def test_a_reply_without_a_body_is_followed_by_the_next(status: str) -> None:
    """H21"""
    answers = replies_of(replying(status, [('ETag', '"1"')]))
    assert [answer.body for answer in answers] == [b'', b'next']
    assert 'transfer-encoding' not in answers[0].headers
    assert 'content-length' not in answers[0].headers


def test_content_length_0_is_removed_from_a_204() -> None:
    """H21: the header is not allowed there, but some frameworks add it."""
    answers = replies_of(replying('204 No Content', [('Content-Length', '0')]))
    assert [answer.status for answer in answers] == [204, 200]
    assert 'content-length' not in answers[0].headers


def test_a_reply_in_pieces_is_chunked() -> None:
    """A body of unknown length is chunked, and close() is called."""
    ended: list[bool] = []

    class Stream:
        def __iter__(self) -> Iterator[bytes]:
            return pieces(b'one', b'', b'two')

        def close(self) -> None:
            ended.append(True)

    answers = replies_of(replying(body=Stream()))
    assert [answer.body for answer in answers] == [b'onetwo', b'next']
    assert answers[0].headers['transfer-encoding'] == 'chunked'
    assert ended == [True]


def test_close_is_called_if_the_reply_fails() -> None:
    """H21"""
    ended: list[bool] = []

    class Stream:
        def __iter__(self) -> Iterator[bytes]:
            return failing()

        def close(self) -> None:
            ended.append(True)

    raw_reply(replying(body=Stream()))
    assert ended == [True]


def test_a_stream_for_http_1_0_ends_with_the_connection() -> None:
    answers = replies_of(
        replying(body=pieces(b'one', b'two')),
        b'GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    assert [answer.body for answer in answers] == [b'onetwo']
    assert answers[0].headers['connection'] == 'close'


def test_write_and_the_iterable_form_one_body() -> None:
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        write = start('200 OK', [])
        write(b'one')
        write(b'two')
        return [b'three']
    [answer] = replies_of(app, get('/'))
    assert answer.body == b'onetwothree'


def test_exc_info_replaces_headers_that_were_not_sent() -> None:
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        start('200 OK', [('X', 'first')])
        try:
            raise RuntimeError
        except RuntimeError as exc:
            start('503 Later', [], (type(exc), exc, exc.__traceback__))
        return [b'later']
    answers = replies_of(app, get('/'))
    assert [(answer.status, answer.body)
            for answer in answers] == [(503, b'later')]
    assert 'x' not in answers[0].headers


def test_exc_info_after_the_head_cuts_the_connection() -> None:
    """H21"""
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        start('200 OK', [])(b'one')
        exc = RuntimeError('hunter2')
        start('503 Later', [], (type(exc), exc, None))
        return [b'two']
    data = raw_reply(app)
    assert b'two' not in data and b'next' not in data


def test_an_application_may_close_the_connection() -> None:
    answers = replies_of(
        replying(headers=[('Connection', 'close')], body=b'a'))
    assert [answer.body for answer in answers] == [b'a']
    assert answers[0].headers['connection'] == 'close'


def test_a_date_of_the_application_is_kept() -> None:
    answers = replies_of(replying(headers=[('Date', 'today')]), get('/'))
    assert answers[0].headers['date'] == 'today'


def test_the_server_conforms_to_wsgirefs_validator() -> None:
    """wsgiref's validator checks the application and the server."""
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        data = environ['wsgi.input'].read(1000)
        environ['wsgi.errors'].write('')
        environ['wsgi.errors'].flush()
        start('200 OK', [('Content-Type', 'text/plain')])
        return [data]
    answers = replies_of(validator(app), get('/a?b=c') + post('/', b'hello'))
    assert [answer.body for answer in answers] == [b'', b'hello']
