# SPDX-License-Identifier: Apache-2.0
"""Several requests on one connection, and bodies nobody wants."""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

import pytest

from tests.functional.http import wire
from tests.functional.http.serving import Recorder, serving
from tests.functional.http.wire import CANARY, HOST, chunked, get, post

#: SO_LINGER of no seconds: close() resets the connection.
ABORT = struct.pack('ii', 1, 0)


def unread(environ: dict[str, Any], start: Any) -> list[bytes]:
    """An application that does not care for bodies."""
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
    given = wire.talk(running, [b''.join(map(get, paths))], end=True)
    assert [one.body.decode() for one in given] == paths
    assert running.app.paths == paths


def test_a_request_behind_a_body_is_the_next_request(running: Any) -> None:
    """H17"""
    data = post('/a', b'GET /smuggled HTTP/1.1\r\n\r\n') + get('/b')
    given = wire.talk(running, [data], end=True)
    assert [one.body for one in given] == [b'/a', b'/b']


def test_nothing_is_answered_after_close(running: Any) -> None:
    """H17"""
    given = wire.talk(running, [get('/a', b'Connection: close\r\n') + CANARY])
    assert [one.body for one in given] == [b'/a']
    assert given[0].headers['connection'] == 'close'
    assert running.app.paths == ['/a']


@pytest.mark.parametrize('upgrade', [b'h2c', b'websocket', b'TLS/1.0'])
@pytest.mark.parametrize('connection', [b'Connection: Upgrade\r\n', b''])
def test_an_upgrade_is_ignored_and_the_connection_closed(
        running: Any, upgrade: bytes, connection: bytes) -> None:
    """H15: a body that comes with it is a body."""
    data = post('/a', CANARY, b'Upgrade: ' + upgrade + b'\r\n' + connection)
    given = wire.talk(running, [data + CANARY])
    assert [one.body for one in given] == [b'/a']
    assert given[0].headers['connection'] == 'close'
    assert [one.body for one in running.app.seen] == [CANARY]


def test_every_split_of_a_request_is_the_same_request(running: Any) -> None:
    """H18: at every place, over a real socket; units do it exactly."""
    data = chunked('/a%20b?c=d', b'3;x\r\nabc\r\n0\r\nT: t\r\n\r\n',
                   b'X-Long: ' + b'y' * 40 + b'\r\n')
    for place in range(1, len(data)):
        given = wire.talk(running, [data[:place], data[place:]], end=True)
        assert [one.status for one in given] == [200]
    fields = [{key: value for key, value in one.environ.items()
               if isinstance(value, str) and key != 'REMOTE_PORT'}
              for one in running.app.seen]
    assert all(one == fields[0] for one in fields)
    assert {one.body for one in running.app.seen} == {b'abc'}
    assert {one.path for one in running.app.seen} == {'/a b'}
    assert fields[0]['RAW_PATH_INFO'] == '/a%20b'


EXPECTING = (b'POST /e HTTP/1.1\r\n' + HOST
             + b'Content-Length: 5\r\nExpect: 100-continue\r\n\r\n')


def test_an_expected_body_is_invited_when_the_application_reads() -> None:
    """H19"""
    with serving(reading) as running, wire.connect(running) as sock:
        sock.sendall(EXPECTING)
        assert sock.recv(1000) == b'HTTP/1.1 100 Continue\r\n\r\n'
        sock.sendall(b'hello' + get('/', b'Connection: close\r\n'))
        given = wire.answers(wire.read_all(sock))
    assert [one.body for one in given] == [b'hello', b'']


def test_a_body_that_came_unasked_needs_no_invitation(running: Any) -> None:
    """H19"""
    with wire.connect(running) as sock:
        sock.sendall(EXPECTING + b'hello')
        sock.shutdown(socket.SHUT_WR)
        data = wire.read_all(sock)
    assert b'100 Continue' not in data
    assert [one.status for one in wire.answers(data)] == [200]


def test_an_early_answer_uninvites_the_body() -> None:
    """H19: whether the client sends it now cannot be known, so: close."""
    with serving(unread) as running:
        with wire.connect(running) as sock:
            sock.sendall(EXPECTING)
            data = wire.read_all(sock)
        given = wire.answers(data)
        assert b'100 Continue' not in data
        assert [one.status for one in given] == [404]
        assert given[0].headers['connection'] == 'close'


def test_no_other_expectation_is_met(running: Any) -> None:
    """H19"""
    wire.refused(running, [post('/', b'a', b'Expect: 200-ok\r\n')], [417])


def test_a_small_body_nobody_wants_costs_no_connection() -> None:
    """H20"""
    with serving(unread) as running:
        data = (post('/', b'a' * 1000) + chunked('/', b'2\r\nhi\r\n0\r\n\r\n')
                + get('/'))
        given = wire.talk(running, [data], end=True)
        assert [one.status for one in given] == [404, 404, 404]
        assert 'connection' not in given[1].headers


def test_a_large_body_nobody_wants_is_not_swallowed() -> None:
    """H20: the answer comes at once, and little more is taken."""
    size = 300 * 1024 * 1024
    head = (b'POST / HTTP/1.1\r\n' + HOST + b'Content-Length: %d\r\n\r\n'
            % size)
    with serving(unread, max_body=size) as running:
        with wire.connect(running) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            started = time.monotonic()
            sock.sendall(head)
            given, _ = wire.one_answer(sock.recv(65536))
            assert time.monotonic() - started < 0.5
            wire.send(sock, [b'a' * 65536] * 4096)
        assert (given.status, given.headers['connection']) == (404, 'close')
        wire.until(lambda: running.counters.connections == 0)
        assert (running.counters.drained_bytes
                <= running.limits.max_drain)


def test_an_unwanted_chunked_body_is_drained_to_the_limit_only() -> None:
    """H20"""
    with serving(unread) as running:
        chunk = b'1000\r\n' + b'a' * 4096 + b'\r\n'
        given = wire.talk(running, [chunked('/', chunk * 200 + b'0\r\n\r\n')
                                    + CANARY])
        assert [one.status for one in given] == [404]


def test_http_1_0_closes_unless_asked_to_stay(running: Any) -> None:
    old = b'GET /a HTTP/1.0\r\n\r\n'
    assert [one.headers['connection']
            for one in wire.talk(running, [old + CANARY])] == ['close']
    stays = b'GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n'
    assert [one.headers['connection'] for one in wire.talk(
        running, [stays + old])] == ['keep-alive', 'close']


def test_a_client_that_leaves_within_a_body_is_no_error() -> None:
    """The application meets an OSError, and the slot is free again."""
    met: list[BaseException] = []

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        try:
            environ['wsgi.input'].read()
        except OSError as exc:
            met.append(exc)
            raise
        return []

    with serving(app) as running:
        with wire.connect(running) as sock:
            sock.sendall(post('/', b'hello')[:-1])
        wire.until(lambda: running.counters.clients_gone == 1)
        assert len(met) == 1
        assert running.counters.in_flight == 0
        assert running.counters.broken_replies == 0


def test_a_body_is_read_in_every_way_a_file_is() -> None:
    """readline, readlines, iteration and sizes, over chunk borders."""
    results: list[Any] = []
    ways = {
        '/read': lambda body: [body.read(3), body.read(3), body.read()],
        '/line': lambda body: [body.readline(), body.readline(2),
                               body.readline()],
        '/lines': lambda body: body.readlines(),
        '/each': lambda body: list(body),
    }

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        results.append(ways[environ['PATH_INFO']](environ['wsgi.input']))
        return Recorder()(environ, start)

    with serving(app) as running:
        body = b'3\r\nab\n\r\n4\r\ncd\ne\r\n1\r\nf\r\n0\r\n\r\n'
        for path in ways:
            wire.talk(running, [chunked(path, body)], end=True)
    assert results == [[b'ab\n', b'cd\n', b'ef'], [b'ab\n', b'cd', b'\n'],
                       [b'ab\n', b'cd\n', b'ef'], [b'ab\n', b'cd\n', b'ef']]


def test_a_reset_within_a_reply_frees_the_slot() -> None:
    """The client vanishes: the stream is closed and nothing logged as ours."""
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


def test_a_client_that_ends_its_side_is_answered(running: Any) -> None:
    """A half-closed socket still reads."""
    given = wire.talk(running, [get('/a') + get('/b')], end=True)
    assert [one.body for one in given] == [b'/a', b'/b']
