# SPDX-License-Identifier: Apache-2.0
"""Several requests on a connection, and bodies that no application reads."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

import pytest

from tests.functional.http import wire
from tests.functional.http.serving import Recorder, serving
from tests.functional.http.wire import CANARY, HOST, chunked, get, post

#: SO_LINGER with 0 seconds: close() resets the connection.
ABORT = struct.pack('ii', 1, 0)


def not_reading(environ: dict[str, Any], start: Any) -> list[bytes]:
    """An application that does not read the body."""
    start('404 Not Found', [('Content-Length', '4')])
    return [b'none']


def reading(environ: dict[str, Any], start: Any) -> list[bytes]:
    data = environ['wsgi.input'].read()
    start('200 OK', [('Content-Length', str(len(data)))])
    return [data]


@pytest.mark.parametrize('count', [2, 50, 500])
def test_pipelined_requests_are_answered_in_order(running: Any,
                                                  count: int) -> None:
    """H17"""
    paths = [f'/{number}' for number in range(count)]
    answers = wire.talk(running, [b''.join(map(get, paths))], end=True)
    assert [answer.body.decode() for answer in answers] == paths
    assert running.app.paths == paths


def test_bytes_after_a_body_are_the_next_request(running: Any) -> None:
    """H17"""
    data = post('/a', b'GET /smuggled HTTP/1.1\r\n\r\n') + get('/b')
    answers = wire.talk(running, [data], end=True)
    assert [answer.body for answer in answers] == [b'/a', b'/b']


def test_nothing_is_answered_after_close(running: Any) -> None:
    """H17"""
    answers = wire.talk(
        running, [get('/a', b'Connection: close\r\n') + CANARY])
    assert [answer.body for answer in answers] == [b'/a']
    assert answers[0].headers['connection'] == 'close'
    assert running.app.paths == ['/a']


@pytest.mark.parametrize('upgrade', [b'h2c', b'websocket', b'TLS/1.0'])
@pytest.mark.parametrize('connection', [b'Connection: Upgrade\r\n', b''])
def test_an_upgrade_is_ignored_and_the_connection_closed(
        running: Any, upgrade: bytes, connection: bytes) -> None:
    """H15: the body of the request is still a body."""
    data = post('/a', CANARY, b'Upgrade: ' + upgrade + b'\r\n' + connection)
    answers = wire.talk(running, [data + CANARY])
    assert [answer.body for answer in answers] == [b'/a']
    assert answers[0].headers['connection'] == 'close'
    assert [request.body for request in running.app.seen] == [CANARY]


def test_the_pieces_of_a_request_make_no_difference(running: Any) -> None:
    """H18: over a real socket; unit tests control the pieces exactly."""
    data = chunked('/a%20b?c=d', b'3;x\r\nabc\r\n0\r\nT: t\r\n\r\n',
                   b'X-Long: ' + b'y' * 40 + b'\r\n')
    for position in range(1, len(data)):
        answers = wire.talk(
            running, [data[:position], data[position:]], end=True)
        assert [answer.status for answer in answers] == [200]
    fields = [{key: value for key, value in request.environ.items()
               if isinstance(value, str) and key != 'REMOTE_PORT'}
              for request in running.app.seen]
    assert all(environ == fields[0] for environ in fields)
    assert {request.body for request in running.app.seen} == {b'abc'}
    assert {request.path for request in running.app.seen} == {'/a b'}
    assert fields[0]['RAW_PATH_INFO'] == '/a%20b'


EXPECTING = (b'POST /e HTTP/1.1\r\n' + HOST
             + b'Content-Length: 5\r\nExpect: 100-continue\r\n\r\n')


def test_100_continue_is_sent_when_the_application_reads() -> None:
    """H19"""
    with serving(reading) as running, wire.connect(running) as sock:
        sock.sendall(EXPECTING)
        assert sock.recv(1000) == b'HTTP/1.1 100 Continue\r\n\r\n'
        sock.sendall(b'hello' + get('/', b'Connection: close\r\n'))
        answers = wire.answers(wire.read_all(sock))
    assert [answer.body for answer in answers] == [b'hello', b'']


def test_100_continue_is_not_sent_if_the_body_has_arrived(
        running: Any) -> None:
    """H19"""
    with wire.connect(running) as sock:
        sock.sendall(EXPECTING + b'hello')
        sock.shutdown(socket.SHUT_WR)
        data = wire.read_all(sock)
    assert b'100 Continue' not in data
    assert [answer.status for answer in wire.answers(data)] == [200]


def test_an_early_answer_closes_the_connection_without_100_continue() -> None:
    """H19: the client may or may not send the body, so the server closes."""
    with serving(not_reading) as running:
        with wire.connect(running) as sock:
            sock.sendall(EXPECTING)
            data = wire.read_all(sock)
        answers = wire.answers(data)
        assert b'100 Continue' not in data
        assert [answer.status for answer in answers] == [404]
        assert answers[0].headers['connection'] == 'close'


def test_other_expectations_are_refused_with_417(running: Any) -> None:
    """H19"""
    wire.refused(running, [post('/', b'a', b'Expect: 200-ok\r\n')], [417])


def test_a_small_unread_body_is_discarded_and_the_connection_kept() -> None:
    """H20"""
    with serving(not_reading) as running:
        data = (post('/', b'a' * 1000) + chunked('/', b'2\r\nhi\r\n0\r\n\r\n')
                + get('/'))
        answers = wire.talk(running, [data], end=True)
        assert [answer.status for answer in answers] == [404, 404, 404]
        assert 'connection' not in answers[1].headers


def test_a_large_unread_body_is_not_discarded_as_a_whole() -> None:
    """H20: the answer comes at once, and the server reads little more."""
    size = 300 * 1024 * 1024
    head = (b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: %d\r\n\r\n'
            % size)
    with serving(not_reading, max_body=size) as running:
        with wire.connect(running) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            started = time.monotonic()
            sock.sendall(head)
            answer, _ = wire.one_answer(sock.recv(65536))
            assert time.monotonic() - started < 0.5
            wire.send(sock, [b'a' * 65536] * 4096)
        assert (answer.status, answer.headers['connection']) == (404, 'close')
        wire.until(lambda: running.counters.connections == 0)
        assert (running.counters.drained_bytes
                <= running.limits.max_drain)


def test_an_unread_chunked_body_is_discarded_to_the_limit_only() -> None:
    """H20"""
    with serving(not_reading) as running:
        chunk = b'1000\r\n' + b'a' * 4096 + b'\r\n'
        answers = wire.talk(
            running, [chunked('/', chunk * 200 + b'0\r\n\r\n') + CANARY])
        assert [answer.status for answer in answers] == [404]


def test_http_1_0_closes_unless_keep_alive_is_requested(running: Any) -> None:
    old = b'GET /a HTTP/1.0\r\n\r\n'
    assert [answer.headers['connection']
            for answer in wire.talk(running, [old + CANARY])] == ['close']
    stays = b'GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'
    assert [answer.headers['connection'] for answer in wire.talk(
        running, [stays + old])] == ['keep-alive', 'close']


def test_a_client_that_disconnects_within_a_body_is_no_failure() -> None:
    """The application gets an OSError, and the slot is released."""
    errors: list[BaseException] = []

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        try:
            environ['wsgi.input'].read()
        except OSError as exc:
            errors.append(exc)
            raise
        return []

    with serving(app) as running:
        with wire.connect(running) as sock:
            sock.sendall(post('/', b'hello')[:-1])
        wire.until(lambda: running.counters.clients_gone == 1)
        assert len(errors) == 1
        assert running.counters.in_flight == 0
        assert running.counters.broken_replies == 0


def test_a_body_supports_all_ways_to_read_a_file() -> None:
    """readline, readlines, iteration and sizes, across chunks."""
    results: list[Any] = []
    reads = {
        '/read': lambda body: [body.read(3), body.read(3), body.read()],
        '/line': lambda body: [body.readline(), body.readline(2),
                               body.readline()],
        '/lines': lambda body: body.readlines(),
        '/each': lambda body: list(body),
    }

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        results.append(reads[environ['PATH_INFO']](environ['wsgi.input']))
        return Recorder()(environ, start)

    with serving(app) as running:
        body = b'3\r\nab\n\r\n4\r\ncd\ne\r\n1\r\nf\r\n0\r\n\r\n'
        for path in reads:
            wire.talk(running, [chunked(path, body)], end=True)
    assert results == [[b'ab\n', b'cd\n', b'ef'], [b'ab\n', b'cd', b'\n'],
                       [b'ab\n', b'cd\n', b'ef'], [b'ab\n', b'cd\n', b'ef']]


def test_a_reset_within_a_reply_releases_the_slot() -> None:
    """The stream is closed, and no error of the application is logged."""
    ended: list[bool] = []

    class Endless:
        def __iter__(self) -> Any:
            while True:
                yield b'a' * 65536

        def close(self) -> None:
            ended.append(True)

    def app(environ: dict[str, Any], start: Any) -> Any:
        start('200 OK', [])
        return Endless()

    with serving(app) as running:
        with wire.connect(running) as sock:
            sock.sendall(get('/'))
            assert sock.recv(65536)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, ABORT)
        wire.until(lambda: running.counters.connections == 0)
        assert ended == [True]
        assert running.counters.in_flight == 0
        assert running.counters.broken_replies == 0


def test_a_half_closed_client_is_answered(running: Any) -> None:
    """A client that shuts down its sending side can still read."""
    answers = wire.talk(running, [get('/a') + get('/b')], end=True)
    assert [answer.body for answer in answers] == [b'/a', b'/b']
