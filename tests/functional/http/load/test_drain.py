# SPDX-License-Identifier: Apache-2.0
"""Drain and replacement of the application lose no request."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import eventlet
import pytest

from tests.functional.http import wire
from tests.functional.http.serving import Recorder, Running, serving
from tests.functional.http.wire import get


def streaming(environ: dict[str, Any], start: Any) -> Iterator[bytes]:
    """Send ten pieces in half a second."""
    start('200 OK', [])
    for _ in range(10):
        yield b'piece'
        eventlet.sleep(0.05)


def drain(running: Running, timeout: float) -> tuple[bool, float]:
    started = time.monotonic()
    complete = running.call(lambda: running.server.drain(timeout))
    return complete, time.monotonic() - started


def test_a_drain_finishes_a_streamed_reply(running: Running) -> None:
    """S01 S02: new clients are refused meanwhile."""
    with serving(streaming) as running, wire.connect(running) as sock:
        sock.sendall(get('/'))
        assert sock.recv(1)
        complete, took = drain(running, 10)
        assert complete and took < 3
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(running.address)
        data = b'H' + wire.read_all(sock)
        [answer] = wire.answers(data)
        assert answer.body == b'piece' * 10


def test_replies_that_begin_during_a_drain_have_connection_close() -> None:
    """S01"""
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        eventlet.sleep(0.2)
        start('200 OK', [('Content-Length', '4')])
        return [b'done']

    with serving(app) as running, wire.connect(running) as sock:
        sock.sendall(get('/'))
        wire.until(lambda: running.counters.in_flight == 1)
        assert drain(running, 10)[0]
        answers = wire.answers(wire.read_all(sock))
        assert [(answer.body, answer.headers['connection'])
                for answer in answers] == [(b'done', 'close')]


def test_a_drain_closes_idle_connections_after_one_last_request() -> None:
    """S01: a request that was on the way when the drain began is answered.
    """
    with serving() as running, wire.connect(running) as idle, \
            wire.connect(running) as busy:
        for sock in (idle, busy):
            sock.sendall(get('/'))
            assert sock.recv(65536)
        running.call(lambda: setattr(
            running.server._state, 'draining', True))
        busy.sendall(get('/last'))
        assert wire.answers(wire.read_all(busy))[0].body == b'/last'
        complete, took = drain(running, 10)
        assert complete and took < 2.5
        assert idle.recv(1) == b''


def test_a_drain_closes_long_idle_connections_at_once() -> None:
    """S01"""
    with serving() as running, wire.connect(running) as idle:
        wire.until(lambda: running.counters.idle == 1)
        for connection in running.server._connections:
            connection.idle_since -= 10
        complete, took = drain(running, 10)
        assert complete and took < 0.5
        assert idle.recv(1) == b''


def test_a_drain_cuts_requests_at_its_timeout() -> None:
    """S02"""
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        eventlet.sleep(60)
        raise AssertionError('the request was not cut')

    with serving(app) as running, wire.connect(running) as sock:
        sock.sendall(get('/'))
        wire.until(lambda: running.counters.in_flight == 1)
        complete, took = drain(running, 0.3)
        assert not complete and took < 1.5
        with pytest.raises(ConnectionResetError):
            sock.recv(1)


def test_wait_returns_when_the_drain_is_over() -> None:
    """S01"""
    order: list[str] = []
    with serving() as running:
        running.call(lambda: eventlet.spawn_n(
            lambda: (running.server.wait(), order.append('over'))))
        assert order == []
        drain(running, 5)
        wire.until(lambda: order == ['over'])


def test_a_new_application_answers_requests_that_begin_later() -> None:
    """S03: the old application finishes the requests that it began."""
    with serving(streaming) as running, wire.connect(running) as sock:
        sock.sendall(get('/'))
        assert sock.recv(1)
        new = Recorder()
        running.call(lambda: running.server.replace_app(new))
        assert wire.talk(running, [get('/x')], end=True)[0].body == b'/x'
        sock.sendall(get('/y', b'Connection: close\r\n'))
        answers = wire.answers(b'H' + wire.read_all(sock))
        assert [answer.body for answer in answers] == [b'piece' * 10, b'/y']
        assert new.paths == ['/x', '/y']
