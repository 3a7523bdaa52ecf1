# SPDX-License-Identifier: Apache-2.0
"""The end of a server, and a change of application, without a lost request."""

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
    """Ten pieces in half a second."""
    start('200 OK', [])
    for _ in range(10):
        yield b'piece'
        eventlet.sleep(0.05)


def drain(running: Running, timeout: float) -> tuple[bool, float]:
    started = time.monotonic()
    complete = running.call(lambda: running.server.drain(timeout))
    return complete, time.monotonic() - started


def test_a_streamed_reply_is_finished(running: Running) -> None:
    """S01 S02: and new clients are refused meanwhile."""
    with serving(streaming) as running, wire.connect(running) as sock:
        sock.sendall(get('/'))
        assert sock.recv(1)
        complete, took = drain(running, 10)
        assert complete and took < 3
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(running.address)
        data = b'H' + wire.read_all(sock)
        assert [one.body for one in wire.answers(data)] == [b'piece' * 10]


def test_replies_that_begin_during_the_drain_say_close() -> None:
    """S01"""
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        eventlet.sleep(0.2)
        start('200 OK', [('Content-Length', '4')])
        return [b'done']

    with serving(app) as running, wire.connect(running) as sock:
        sock.sendall(get('/'))
        wire.until(lambda: running.counters.in_flight == 1)
        assert drain(running, 10)[0]
        found = wire.answers(wire.read_all(sock))
        assert [(one.body, one.headers['connection']) for one in found] == [
            (b'done', 'close')]


def test_idle_connections_end_soon_and_one_more_request_is_answered() -> None:
    """S01: what was on its way when the drain began is not lost."""
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


def test_a_connection_long_idle_is_closed_at_once() -> None:
    """S01"""
    with serving() as running, wire.connect(running) as idle:
        wire.until(lambda: running.counters.idle == 1)
        for connection in running.server._connections:
            connection.idle_since -= 10
        complete, took = drain(running, 10)
        assert complete and took < 0.5
        assert idle.recv(1) == b''


def test_what_lasts_too_long_is_cut() -> None:
    """S02"""
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        eventlet.sleep(60)
        raise AssertionError('it was not cut')

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


def test_a_new_application_answers_what_begins_later() -> None:
    """S03: what began on the old one ends on it."""
    with serving(streaming) as running, wire.connect(running) as sock:
        sock.sendall(get('/'))
        assert sock.recv(1)
        new = Recorder()
        running.call(lambda: running.server.replace_app(new))
        assert wire.talk(running, [get('/x')], end=True)[0].body == b'/x'
        sock.sendall(get('/y', b'Connection: close\r\n'))
        found = wire.answers(b'H' + wire.read_all(sock))
        assert [one.body for one in found] == [b'piece' * 10, b'/y']
        assert new.paths == ['/x', '/y']
