# SPDX-License-Identifier: Apache-2.0
"""Overload: more clients than limits allow, and the effect on others."""

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

#: How many clients connect at once.
CLIENTS = 2000
#: The minimum duration of the soak test.
SOAK_SECONDS = float(os.environ.get('PILEUS_TEST_SOAK', '0'))


class Slow:
    """Holds its slots while ``gate`` is closed; ``held`` counts them."""

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


def test_overload_is_refused_at_once_and_harms_no_accepted_request() -> None:
    """R11: 500 slow requests, 64 slots, a queue of 128."""
    app = Slow()
    with serving(app) as running, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(wire.connect(running, 20))
                   for _ in range(500)]
        for client in clients:
            ask(client, '/slow')
        wire.until(lambda: running.counters.refused['overload'] == 308, 10)
        assert (app.held, running.counters.queued) == (64, 128)

        started = time.monotonic()
        late = wire.talk(running, [get('/slow')])
        took = time.monotonic() - started
        assert [answer.status for answer in late] == [503]
        assert late[0].headers['retry-after'] == '1'
        wire.check_document(late[0])
        assert took < 0.5

        probe = wire.talk(running, [get('/healthcheck')], end=True)
        assert [answer.status for answer in probe] == [200]

        app.gate = True
        statuses = [status(client) for client in clients]
        assert (statuses.count(200), statuses.count(503)) == (192, 308)
        assert app.most == 64
        assert running.counters.in_flight == 0
        assert running.counters.queued == 0


def test_a_request_that_waits_too_long_in_the_queue_gets_503() -> None:
    """R11"""
    app = Slow()
    with serving(app, max_in_flight=1, queue_timeout=0.3) as running, \
            wire.connect(running) as first:
        ask(first, '/slow')
        wire.until(lambda: app.held == 1)
        late = wire.talk(running, [get('/slow')])
        assert [answer.status for answer in late] == [503]
        app.gate = True
        assert status(first) == 200
        assert [answer.status for answer in wire.talk(
            running, [get('/')], end=True)] == [200]


def test_reserved_slots_serve_reserved_paths_only() -> None:
    """R11: a probe that ends does not give its slot to the queue."""
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


def test_two_thousand_clients_at_once_are_served(running: Running) -> None:
    """R13: 2000 clients connect at once, and each gets its answer."""
    _may_open(2 * CLIENTS + 100)
    with contextlib.ExitStack() as stack:
        herd = [stack.enter_context(wire.connect(running))
                for _ in range(CLIENTS)]
        for number, sock in enumerate(herd):
            sock.sendall(get(f'/{number}', b'Connection: close\r\n'))
        bodies = [wire.answers(wire.read_all(sock))[0].body for sock in herd]
    assert bodies == [b'/%d' % number for number in range(CLIENTS)]
    assert len(running.app.seen) == CLIENTS


def _may_open(files: int) -> None:
    """Raise the limit: this process has both ends of each connection."""
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
def test_accept_pauses_on_exhausted_resources_and_recovers(
        monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
        number: int) -> None:
    """R06: it retries while a resource is exhausted."""
    class Failing:
        """A listening socket whose accept fails while ``full``."""

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
        errors = [record for record in caplog.records
                  if record.levelno == logging.ERROR]
        assert len(errors) == 1
        assert number in server_acceptor.EXHAUSTED


def test_the_hub_lag_shows_a_request_that_blocks_the_worker() -> None:
    """R16: ``hub_lag`` is as long as the request runs."""
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


def test_a_client_with_a_long_body_does_not_starve_another() -> None:
    """R16: a long stream of small chunks yields the worker, so a later
    request is answered earlier.
    """
    with serving() as running, wire.connect(running) as hog:
        hog.sendall(wire.chunked('/hog', b'1\r\na\r\n' * 200000
                                 + b'0\r\n\r\n'))
        wire.until(lambda: running.counters.in_flight == 1)
        answers = wire.talk(running, [get('/late')], end=True)
        assert [answer.status for answer in answers] == [200]
        wire.until(lambda: len(running.app.seen) == 2, 30)
        assert running.app.paths == ['/late', '/hog']
        assert len(running.app.seen[1].body) == 200000


@pytest.mark.timeout(120 + SOAK_SECONDS)
def test_many_requests_leave_no_descriptors_or_objects_behind(
        running: Running) -> None:
    """R17: thousands of requests, of which 1% are malformed, leave no
    descriptors and hardly any objects.

    PILEUS_TEST_SOAK sets how many seconds to continue.
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
    until = time.monotonic() + SOAK_SECONDS
    number = 0
    while number < 3000 or time.monotonic() < until:
        visit(number)
        number += 1
    after = settled()
    assert after[0] == before[0]
    assert after[1] - before[1] < 500
    assert running.counters.refused['malformed'] == 2 + -(-number // 100)
    assert running.counters.in_flight == 0


def test_a_reply_that_waits_can_release_its_slot() -> None:
    """R11 R13: watches do not keep other requests from being answered."""
    events: list[bool] = []

    def app(environ: dict[str, Any], start: Any) -> Any:
        start('200 OK', [])
        yield b'begun'
        if environ['PATH_INFO'] == '/watch':
            environ['pileus.release_slot']()
            environ['pileus.release_slot']()
            while not events:
                eventlet.sleep(0.005)
        yield b'over'

    with serving(app, max_in_flight=1) as running, \
            contextlib.ExitStack() as stack:
        watchers = [stack.enter_context(wire.connect(running))
                    for _ in range(20)]
        for watcher in watchers:
            ask(watcher, '/watch')
            assert watcher.recv(1)
        wire.until(lambda: running.counters.in_flight == 0)
        assert wire.talk(running, [get('/')], end=True)[0].status == 200
        events.append(True)
        assert all(wire.read_all(watcher).endswith(b'over\r\n0\r\n\r\n')
                   for watcher in watchers)
        assert running.counters.in_flight == 0
