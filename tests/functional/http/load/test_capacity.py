# SPDX-License-Identifier: Apache-2.0
"""More clients than there is room for, and what they cost the others."""

from __future__ import annotations

import contextlib
import errno
import gc
import logging
import os
import resource
import socket
import statistics
import time
from typing import Any

import eventlet
import pytest

from service.process.server import acceptor as server_acceptor
from tests.functional.http import wire
from tests.functional.http.serving import Running, serving
from tests.functional.http.wire import get, post

#: How many clients come at once.
HERD = 2000
#: For how many seconds the soak goes on, at least.
SOAK = float(os.environ.get('PILEUS_TEST_SOAK', '0'))


class Slow:
    """Holds its slot until told; ``running`` says how many hold one."""

    def __init__(self) -> None:
        self.held = 0
        self.most = 0
        self.gate = False

    def __call__(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        if environ['PATH_INFO'] == '/slow':
            self._hold()
        start('200 OK', [('Content-Length', '2')])
        return [b'ok']

    def _hold(self) -> None:
        self.held += 1
        self.most = max(self.most, self.held)
        while not self.gate:
            eventlet.sleep(0.005)
        self.held -= 1


def ask(sock: socket.socket, path: str) -> None:
    sock.sendall(get(path, b'Connection: close\r\n'))


def status(sock: socket.socket) -> int:
    return wire.answers(wire.read_all(sock))[0].status


def test_overload_is_told_at_once_and_harms_nobody() -> None:
    """R11: 500 slow requests, 64 slots, 128 places in line."""
    app = Slow()
    with serving(app) as running, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(wire.connect(running, 20))
                   for _ in range(500)]
        for one in clients:
            ask(one, '/slow')
        wire.until(lambda: running.counters.refused['overload'] == 308, 10)
        assert (app.held, running.counters.queued) == (64, 128)

        started = time.monotonic()
        late = wire.talk(running, [get('/slow')])
        took = time.monotonic() - started
        assert [one.status for one in late] == [503]
        assert late[0].headers['retry-after'] == '1'
        wire.check_document(late[0])
        assert took < 0.5

        probe = wire.talk(running, [get('/healthcheck')], end=True)
        assert [one.status for one in probe] == [200]

        app.gate = True
        found = [status(one) for one in clients]
        assert (found.count(200), found.count(503)) == (192, 308)
        assert app.most == 64
        assert running.counters.in_flight == 0
        assert running.counters.queued == 0


def test_who_waits_in_line_too_long_is_told_so() -> None:
    """R11"""
    app = Slow()
    with serving(app, max_in_flight=1, queue_timeout=0.3) as running, \
            wire.connect(running) as first:
        ask(first, '/slow')
        wire.until(lambda: app.held == 1)
        late = wire.talk(running, [get('/slow')])
        assert [one.status for one in late] == [503]
        app.gate = True
        assert status(first) == 200
        assert [one.status for one in wire.talk(
            running, [get('/')], end=True)] == [200]


def test_the_reserve_is_not_for_everybody() -> None:
    """R11: a probe that leaves does not hand its place to the line."""
    app = Slow()
    with serving(app, max_in_flight=1, reserved_in_flight=1) as running, \
            wire.connect(running) as first, wire.connect(running) as second:
        ask(first, '/slow')
        wire.until(lambda: app.held == 1)
        ask(second, '/slow')
        wire.until(lambda: running.counters.queued == 1)
        for _ in range(3):
            wire.talk(running, [get('/healthcheck')], end=True)
        assert (app.most, running.counters.queued) == (1, 1)
        app.gate = True
        assert [status(first), status(second)] == [200, 200]


def test_a_herd_is_served(running: Running) -> None:
    """R13: 2000 clients connect at once; each gets its answer."""
    _may_open(2 * HERD + 100)
    with contextlib.ExitStack() as stack:
        herd = [stack.enter_context(wire.connect(running))
                for _ in range(HERD)]
        for number, sock in enumerate(herd):
            sock.sendall(get(f'/{number}', b'Connection: close\r\n'))
        found = [wire.answers(wire.read_all(sock))[0].body for sock in herd]
    assert found == [b'/%d' % number for number in range(HERD)]
    assert len(running.app.seen) == HERD


def _may_open(files: int) -> None:
    """Both ends of every connection are in this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, files), hard))


def test_many_idle_connections_cost_little_time(running: Running) -> None:
    """R05: bench/http_idle.py measures ten thousand of them."""
    with contextlib.ExitStack() as stack:
        for _ in range(400):
            sock = stack.enter_context(wire.connect(running))
            sock.sendall(get('/'))
            assert sock.recv(65536)
        wire.until(lambda: running.counters.idle == 400)
        times = []
        for _ in range(100):
            started = time.monotonic()
            wire.talk(running, [get('/')], end=True)
            times.append(time.monotonic() - started)
    assert statistics.median(times) < 0.05


@pytest.mark.parametrize('number', [errno.EMFILE, errno.ENFILE,
                                    errno.ENOBUFS, errno.ENOMEM])
def test_accept_backs_off_and_recovers(
        monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
        number: int) -> None:
    """R06: the error of a full process, while it is one."""
    class Failing:
        """A listening socket whose accept fails as the kernel's does."""

        def __init__(self, sock: Any) -> None:
            self._sock = sock
            self.full = True
            self.calls = 0

        def accept(self) -> Any:
            if self.full:
                self.calls += 1
                raise OSError(number, os.strerror(number))
            return self._sock.accept()

        def __getattr__(self, name: str) -> Any:
            return getattr(self._sock, name)

    with serving() as running:
        acceptor = running.server._acceptors[0]
        failing = Failing(acceptor._sock)
        monkeypatch.setattr(acceptor, '_sock', failing)
        with wire.connect(running) as sock:
            ask(sock, '/')
            wire.until(lambda: failing.calls >= 3)
            failing.full = False
            started = time.monotonic()
            assert status(sock) == 200
            assert time.monotonic() - started < 1
        assert failing.calls < 10
        told = [one for one in caplog.records if one.levelno == logging.ERROR]
        assert len(told) == 1
        assert number in server_acceptor.EXHAUSTED


def test_the_hub_lag_shows_a_request_that_hogs_the_worker() -> None:
    """R16: and who waits behind it is delayed no longer than it runs."""
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        if environ['PATH_INFO'] == '/hog':
            end = time.monotonic() + 0.15
            while time.monotonic() < end:
                pass
        start('200 OK', [('Content-Length', '2')])
        return [b'ok']

    with serving(app) as running:
        running.call(lambda: running.server.counters.reset_hub_lag())
        wire.talk(running, [get('/')], end=True)
        quiet = running.counters.reset_hub_lag()
        wire.talk(running, [get('/hog')], end=True)
        wire.until(lambda: running.counters.hub_lag > 0)
        lag = running.counters.reset_hub_lag()
        assert quiet < 0.1 <= lag < 1


def test_one_client_with_much_to_say_does_not_starve_another() -> None:
    """R16: a stream of chunks of one byte lets go of the worker, so that who
    comes later is answered earlier.
    """
    with serving() as running, wire.connect(running) as hog:
        hog.sendall(wire.chunked('/hog', b'1\r\na\r\n' * 200000
                                 + b'0\r\n\r\n'))
        wire.until(lambda: running.counters.in_flight == 1)
        found = wire.talk(running, [get('/late')], end=True)
        assert [one.status for one in found] == [200]
        wire.until(lambda: len(running.app.seen) == 2, 30)
        assert running.app.paths == ['/late', '/hog']
        assert len(running.app.seen[1].body) == 200000


@pytest.mark.timeout(120 + SOAK)
def test_nothing_is_left_behind(running: Running) -> None:
    """R17: some thousands of requests, one in a hundred of them malformed,
    later there are no more descriptors and hardly more objects.

    PILEUS_TEST_SOAK is for how many seconds to go on with it.
    """
    def visit(number: int) -> None:
        kinds = [b'broken\r\n\r\n', get('/a'), post('/b', b'x' * 5000),
                 wire.chunked('/c', b'2\r\nhi\r\n0\r\n\r\n'), b'']
        data = kinds[0] if number % 100 == 0 else kinds[number % 4 + 1]
        with wire.connect(running) as sock:
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            wire.read_all(sock)
        running.app.seen.clear()

    def settled() -> tuple[int, int]:
        wire.until(lambda: running.counters.connections == 0)
        gc.collect()
        return len(os.listdir('/proc/self/fd')), len(gc.get_objects())

    for number in range(200):
        visit(number)
    before = settled()
    until = time.monotonic() + SOAK
    number = 0
    while number < 3000 or time.monotonic() < until:
        visit(number)
        number += 1
    after = settled()
    assert after[0] == before[0]
    assert after[1] - before[1] < 500
    assert running.counters.refused['malformed'] == 2 + -(-number // 100)
    assert running.counters.in_flight == 0


def test_a_reply_that_only_waits_may_give_its_slot_back() -> None:
    """R11 R13: watchers do not keep the others from being answered."""
    told: list[bool] = []

    def app(environ: dict[str, Any], start: Any) -> Any:
        start('200 OK', [])
        yield b'begun'
        if environ['PATH_INFO'] == '/watch':
            environ['pileus.release_slot']()
            environ['pileus.release_slot']()
            while not told:
                eventlet.sleep(0.005)
        yield b'over'

    with serving(app, max_in_flight=1) as running, \
            contextlib.ExitStack() as stack:
        watchers = [stack.enter_context(wire.connect(running))
                    for _ in range(20)]
        for one in watchers:
            ask(one, '/watch')
            assert one.recv(1)
        wire.until(lambda: running.counters.in_flight == 0)
        assert wire.talk(running, [get('/')], end=True)[0].status == 200
        told.append(True)
        assert all(wire.read_all(one).endswith(b'over\r\n0\r\n\r\n')
                   for one in watchers)
        assert running.counters.in_flight == 0
