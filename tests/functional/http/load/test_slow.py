# SPDX-License-Identifier: Apache-2.0
"""Clients that take their time. Every deadline is for the whole of a thing.

The limits are shortened to tenths of a second; the drips come several times
within each of them, so that a deadline a byte would never pass.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Any

import pytest

from tests.functional.http import wire
from tests.functional.http.serving import Running, serving
from tests.functional.http.wire import HOST, chunked, get


def drip(running: Running, data: bytes, every: float) -> tuple[bytes, float]:
    """Send a byte now and then until the server answers; what, and when."""
    with wire.connect(running) as sock:
        started = time.monotonic()
        sock.settimeout(every)
        for byte in wire.by_byte(data):
            with contextlib.suppress(TimeoutError):
                sock.sendall(byte)
                first = sock.recv(65536)
                sock.settimeout(wire.PATIENCE)
                return first + wire.read_all(sock), time.monotonic() - started
    raise AssertionError('the server waited for all of it')


def test_a_head_that_drips_is_cut_at_its_deadline() -> None:
    """R01"""
    with serving(header_timeout=0.6) as running:
        answer, took = drip(running, get('/' + 'a' * 200), 0.05)
        found = wire.answers(answer)
        assert [one.status for one in found] == [408]
        wire.check_document(found[0])
        assert 0.5 < took < 1.5
        assert running.counters.deadline_closes == 1
        assert running.app.seen == []


@pytest.mark.parametrize('head, body', [
    (b'Content-Length: 200\r\n', b'a' * 200),
    (b'Transfer-Encoding: chunked\r\n', b'1\r\na\r\n' * 40),
    (b'Transfer-Encoding: chunked\r\n', b'2;' + b'a' * 200),
], ids=['length', 'chunks', 'extension'])
def test_a_body_that_drips_is_cut(head: bytes, body: bytes) -> None:
    """R02"""
    with serving(body_grace=0.6) as running:
        data = b'POST / HTTP/1.1\r\n' + HOST + head + b'\r\n'
        with wire.connect(running) as sock:
            sock.sendall(data)
            started = time.monotonic()
            found = wire.answers(_dripped(sock, body))
            took = time.monotonic() - started
        assert [one.status for one in found] == [408]
        assert found[0].headers['openstack-api-version'] == 'pileus 1.0'
        assert 0.5 < took < 1.5
        assert running.counters.in_flight == 0


def _dripped(sock: socket.socket, body: bytes) -> bytes:
    sock.settimeout(0.05)
    for byte in wire.by_byte(body):
        with contextlib.suppress(TimeoutError):
            sock.sendall(byte)
            first = sock.recv(65536)
            sock.settimeout(wire.PATIENCE)
            return first + wire.read_all(sock)
    raise AssertionError('the server waited for all of it')


def test_a_body_that_stops_after_a_good_start_is_cut_as_soon() -> None:
    """R02: what came fast earns no more than the grace."""
    with serving(body_grace=0.5, min_body_rate=100) as running:
        with wire.connect(running) as sock:
            sock.sendall(wire.post('/', b'a' * 100000)[:-1])
            started = time.monotonic()
            found = wire.answers(wire.read_all(sock))
        assert [one.status for one in found] == [408]
        assert time.monotonic() - started < 1.5


def test_a_body_at_a_fair_rate_may_take_longer_than_the_grace() -> None:
    """R02"""
    with serving(body_grace=0.3, min_body_rate=100) as running:
        with wire.connect(running) as sock:
            sock.sendall(b'POST / HTTP/1.1\r\n' + HOST
                         + b'Content-Length: 400\r\n\r\n')
            for _ in range(8):
                threading.Event().wait(0.1)
                sock.sendall(b'a' * 50)
            sock.shutdown(socket.SHUT_WR)
            found = wire.answers(wire.read_all(sock))
        assert [one.status for one in found] == [200]


def test_the_whole_body_has_a_deadline_too() -> None:
    """R02: at a fair rate, for ever."""
    with serving(body_timeout=0.5, min_body_rate=1) as running:
        with wire.connect(running) as sock:
            sock.sendall(b'POST / HTTP/1.1\r\n' + HOST
                         + b'Content-Length: 200\r\n\r\n')
            found = wire.answers(_dripped(sock, b'a' * 200))
        assert [one.status for one in found] == [408]


def test_a_reader_that_hardly_reads_is_cut() -> None:
    """R03: and what it does not take is not copied for it."""
    chunk = b'a' * 65536
    made = []

    def app(environ: dict[str, Any], start: Any) -> Any:
        start('200 OK', [])
        for _ in range(1600):
            made.append(1)
            yield chunk

    with serving(app, write_timeout=0.5) as running:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(wire.PATIENCE)
            sock.connect(running.address)
            sock.sendall(get('/'))
            started = time.monotonic()
            wire.until(lambda: running.counters.deadline_closes == 1)
            assert time.monotonic() - started < 3
            wire.until(lambda: running.counters.connections == 0)
        assert len(made) < 400


def test_idle_connections_are_closed_without_a_word() -> None:
    """R04: before the first request and after one."""
    with serving(keepalive_timeout=0.4) as running, \
            wire.connect(running) as silent, wire.connect(running) as kept:
        kept.sendall(get('/'))
        assert kept.recv(65536).startswith(b'HTTP/1.1 200')
        started = time.monotonic()
        assert kept.recv(1) == b''
        assert silent.recv(1) == b''
        assert 0.2 < time.monotonic() - started < 1.5


def test_silent_connections_hold_nothing_up() -> None:
    """R04: idle ones take no slot."""
    with serving(max_in_flight=1) as running, contextlib.ExitStack() as stack:
        for _ in range(230):
            stack.enter_context(wire.connect(running))
        wire.until(lambda: running.counters.idle == 230)
        started = time.monotonic()
        found = wire.talk(running, [get('/')], end=True)
        assert [one.status for one in found] == [200]
        assert time.monotonic() - started < 0.5


def test_the_oldest_idle_connection_makes_room() -> None:
    """R04"""
    with serving(max_connections=4) as running, \
            contextlib.ExitStack() as stack:
        kept = []
        for number in range(4):
            kept.append(stack.enter_context(wire.connect(running)))
            wire.until(lambda n=number: running.counters.idle == n + 1)
        found = wire.talk(running, [get('/')], end=True)
        assert [one.status for one in found] == [200]
        assert kept[0].recv(1) == b''
        assert running.counters.evicted == 1
        kept[3].sendall(get('/last'))
        assert kept[3].recv(65536).endswith(b'/last')


def test_busy_connections_make_the_new_ones_wait() -> None:
    """R04: and a place is free as soon as one of them ends."""
    with serving(max_connections=4) as running, \
            contextlib.ExitStack() as stack:
        busy = [stack.enter_context(wire.connect(running)) for _ in range(4)]
        for one in busy:
            one.sendall(b'GET / HTTP/1.1\r\n')
        wire.until(lambda: running.counters.connections == 4
                   and running.counters.idle == 0)
        late = stack.enter_context(wire.connect(running))
        late.sendall(get('/late', b'Connection: close\r\n'))
        busy[0].close()
        assert [one.body for one in wire.answers(wire.read_all(late))] == [
            b'/late']
        assert running.counters.evicted == 0


def test_deadlines_do_not_follow_the_wall_clock(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """S10: an hour forth or back closes nobody's connection."""
    with serving() as running, wire.connect(running) as sock:
        for hour in (3600, -7200):
            monkeypatch.setattr('service.process.http.server_state.time',
                                lambda moved=hour: time.time() + moved)
            sock.sendall(get('/'))
            assert sock.recv(65536).startswith(b'HTTP/1.1 200')
        assert running.counters.deadline_closes == 0


def test_a_chunked_body_that_ends_within_a_line_is_an_end() -> None:
    with serving() as running:
        data = chunked('/', b'5\r\nhello\r\n')
        assert wire.talk(running, [data], end=True) == []
        assert running.counters.clients_gone == 1
