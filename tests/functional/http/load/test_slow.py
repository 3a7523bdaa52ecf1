# SPDX-License-Identifier: Apache-2.0
"""Slow clients: each deadline applies to a whole head, body or reply piece.

The limits are tenths of a second. The clients send bytes several times within
a limit, so a deadline for each byte would never pass.
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


def send_slowly(
        running: Running, data: bytes, pause: float) -> tuple[bytes, float]:
    """Send byte by byte until the server answers; return answer and time."""
    with wire.connect(running) as sock:
        started = time.monotonic()
        sock.settimeout(pause)
        for byte in wire.by_byte(data):
            with contextlib.suppress(TimeoutError):
                sock.sendall(byte)
                first = sock.recv(65536)
                sock.settimeout(wire.WAIT_SECONDS)
                return first + wire.read_all(sock), time.monotonic() - started
    raise AssertionError('the server waited for all of it')


def test_a_slow_head_is_refused_at_its_deadline() -> None:
    """R01"""
    with serving(header_timeout=0.6) as running:
        answer, elapsed = send_slowly(running, get('/' + 'a' * 200), 0.05)
        answers = wire.answers(answer)
        assert [answer.status for answer in answers] == [408]
        wire.check_document(answers[0])
        assert 0.5 < elapsed < 1.5
        assert running.counters.deadline_closes == 1
        assert running.app.seen == []


@pytest.mark.parametrize('head, body', [
    (b'Content-Length: 200\r\n', b'a' * 200),
    (b'Transfer-Encoding: chunked\r\n', b'1\r\na\r\n' * 40),
    (b'Transfer-Encoding: chunked\r\n', b'2;' + b'a' * 200),
], ids=['length', 'chunks', 'extension'])
def test_a_slow_body_is_refused(head: bytes, body: bytes) -> None:
    """R02"""
    with serving(body_grace=0.6) as running:
        data = b'POST / HTTP/1.1\r\n' + HOST + head + b'\r\n'
        with wire.connect(running) as sock:
            sock.sendall(data)
            started = time.monotonic()
            answers = wire.answers(_send_slowly(sock, body))
            elapsed = time.monotonic() - started
        assert [answer.status for answer in answers] == [408]
        assert answers[0].headers['openstack-api-version'] == 'pileus 1.0'
        assert 0.5 < elapsed < 1.5
        assert running.counters.in_flight == 0


def _send_slowly(sock: socket.socket, body: bytes) -> bytes:
    sock.settimeout(0.05)
    for byte in wire.by_byte(body):
        with contextlib.suppress(TimeoutError):
            sock.sendall(byte)
            first = sock.recv(65536)
            sock.settimeout(wire.WAIT_SECONDS)
            return first + wire.read_all(sock)
    raise AssertionError('the server waited for all of it')


def test_a_body_that_stops_after_a_fast_start_is_refused_as_soon() -> None:
    """R02: fast bytes earn no more credit than ``body_grace``."""
    with serving(body_grace=0.5, min_body_rate=100) as running:
        with wire.connect(running) as sock:
            sock.sendall(wire.post('/', b'a' * 100000)[:-1])
            started = time.monotonic()
            answers = wire.answers(wire.read_all(sock))
        assert [answer.status for answer in answers] == [408]
        assert time.monotonic() - started < 1.5


def test_a_body_at_the_minimum_rate_may_take_longer_than_the_grace() -> None:
    """R02"""
    with serving(body_grace=0.3, min_body_rate=100) as running:
        with wire.connect(running) as sock:
            sock.sendall(b'POST / HTTP/1.1\r\n' + HOST
                         + b'Content-Length: 400\r\n\r\n')
            for _ in range(8):
                threading.Event().wait(0.1)
                sock.sendall(b'a' * 50)
            sock.shutdown(socket.SHUT_WR)
            answers = wire.answers(wire.read_all(sock))
        assert [answer.status for answer in answers] == [200]


def test_the_whole_body_has_a_deadline() -> None:
    """R02: even for a body at the minimum rate that never ends."""
    with serving(body_timeout=0.5, min_body_rate=1) as running:
        with wire.connect(running) as sock:
            sock.sendall(b'POST / HTTP/1.1\r\n' + HOST
                         + b'Content-Length: 200\r\n\r\n')
            answers = wire.answers(_send_slowly(sock, b'a' * 200))
        assert [answer.status for answer in answers] == [408]


def test_a_client_that_hardly_reads_its_reply_is_cut() -> None:
    """R03: and the server does not buffer the rest of the reply."""
    chunk = b'a' * 65536
    pieces = []

    def app(environ: dict[str, Any], start: Any) -> Any:
        start('200 OK', [])
        for _ in range(1600):
            pieces.append(1)
            yield chunk

    with serving(app, write_timeout=0.5) as running:
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.settimeout(wire.WAIT_SECONDS)
            sock.connect(running.address)
            sock.sendall(get('/'))
            started = time.monotonic()
            wire.until(lambda: running.counters.deadline_closes == 1)
            assert time.monotonic() - started < 3
            wire.until(lambda: running.counters.connections == 0)
        assert len(pieces) < 400


def test_idle_connections_are_closed_without_an_answer() -> None:
    """R04: before the first request and after it."""
    with serving(keepalive_timeout=0.4) as running, \
            wire.connect(running) as silent, wire.connect(running) as used:
        used.sendall(get('/'))
        assert used.recv(65536).startswith(b'HTTP/1.1 200')
        started = time.monotonic()
        assert used.recv(1) == b''
        assert silent.recv(1) == b''
        assert 0.2 < time.monotonic() - started < 1.5


def test_idle_connections_do_not_delay_requests() -> None:
    """R04: idle connections hold no slot."""
    with serving(max_in_flight=1) as running, contextlib.ExitStack() as stack:
        for _ in range(230):
            stack.enter_context(wire.connect(running))
        wire.until(lambda: running.counters.idle == 230)
        started = time.monotonic()
        answers = wire.talk(running, [get('/')], end=True)
        assert [answer.status for answer in answers] == [200]
        assert time.monotonic() - started < 0.5


def test_the_longest_idle_connection_is_closed_for_a_new_one() -> None:
    """R04"""
    with serving(max_connections=4) as running, \
            contextlib.ExitStack() as stack:
        clients = []
        for number in range(4):
            clients.append(stack.enter_context(wire.connect(running)))
            wire.until(lambda n=number: running.counters.idle == n + 1)
        answers = wire.talk(running, [get('/')], end=True)
        assert [answer.status for answer in answers] == [200]
        assert clients[0].recv(1) == b''
        assert running.counters.evicted == 1
        clients[3].sendall(get('/last'))
        assert clients[3].recv(65536).endswith(b'/last')


def test_new_connections_wait_while_all_are_busy() -> None:
    """R04: a new connection is accepted once a busy one ends."""
    with serving(max_connections=4) as running, \
            contextlib.ExitStack() as stack:
        busy = [stack.enter_context(wire.connect(running)) for _ in range(4)]
        for client in busy:
            client.sendall(b'GET / HTTP/1.1\r\n')
        wire.until(lambda: running.counters.connections == 4
                   and running.counters.idle == 0)
        late = stack.enter_context(wire.connect(running))
        late.sendall(get('/late', b'Connection: close\r\n'))
        busy[0].close()
        [answer] = wire.answers(wire.read_all(late))
        assert answer.body == b'/late'
        assert running.counters.evicted == 0


def test_deadlines_do_not_depend_on_the_wall_clock(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """S10: an hour forward or back closes no connection."""
    with serving() as running, wire.connect(running) as sock:
        for hour in (3600, -7200):
            monkeypatch.setattr('service.process.http.server_state.time',
                                lambda moved=hour: time.time() + moved)
            sock.sendall(get('/'))
            assert sock.recv(65536).startswith(b'HTTP/1.1 200')
        assert running.counters.deadline_closes == 0


def test_a_client_that_ends_within_a_chunked_body_gets_no_answer() -> None:
    with serving() as running:
        data = chunked('/', b'5\r\nhello\r\n')
        assert wire.talk(running, [data], end=True) == []
        assert running.counters.clients_gone == 1
