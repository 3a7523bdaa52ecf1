# SPDX-License-Identifier: Apache-2.0
"""Stopping: what was accepted is answered, what comes later is refused."""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from tests.functional.harness.daemon import WAIT_SECONDS, Daemon
from tests.functional.process import apps
from tests.functional.process.conftest import Served
from tests.functional.process.load import Load


@contextmanager
def asking(daemon: Daemon, path: str) -> Iterator[socket.socket]:
    """A request in flight: sent, and known to have reached the application.
    """
    with daemon.connect() as client:
        client.sendall(f'GET {path} HTTP/1.1\r\nHost: a\r\n\r\n'.encode())
        yield client


def rest(client: socket.socket) -> bytes:
    """All that comes until the server closes."""
    text = b''
    while data := client.recv(65536):
        text += data
    return text


def wait_until_refused(daemon: Daemon) -> None:
    """Return when the port is closed; connections before that must not hang.
    """
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        try:
            # Reset: it waited in the queue of the port that was just closed.
            with suppress(ConnectionResetError):
                daemon.connect().close()
        except ConnectionRefusedError:
            return
    pytest.fail('the port is still open')


def test_sigterm_under_load_answers_all_that_was_accepted(
        serve: Served, tmp_path: Path) -> None:
    """S01: and refuses what comes later, at once.

    A connection that the kernel made and no worker had taken when the port
    was closed may be reset: nobody has seen its request.
    """
    seen = tmp_path / 'seen'
    daemon = serve(workers=2, env={apps.COUNT: str(seen)})
    with ExitStack() as clients, Load(daemon) as load:
        slow = [clients.enter_context(asking(daemon, '/stream?1'))
                for _ in range(4)]
        for client in slow:
            assert client.recv(4096).startswith(b'HTTP/1.1 200 OK')
        load.wait_for(100)
        daemon.send(signal.SIGTERM)
        wait_until_refused(daemon)
        assert [rest(client).endswith(b'end\n\r\n0\r\n\r\n')
                for client in slow] == [True] * 4
        load.stop()
    assert {one.partition(':')[0] for one in load.failures} \
        <= {'ConnectionRefusedError', 'ConnectionResetError'}
    assert seen.stat().st_size == load.total + len(slow)
    assert daemon.wait_for_exit() == 0


def test_a_streamed_reply_of_five_seconds_is_finished(serve: Served) -> None:
    """S01: a fault of its own in the issue: SIGTERM in the middle of it."""
    daemon = serve()
    with asking(daemon, '/stream?5') as client:
        assert client.recv(4096).startswith(b'HTTP/1.1 200 OK')
        daemon.send(signal.SIGTERM)
        wait_until_refused(daemon)
        text = rest(client)
    assert b'49\n' in text
    assert text.endswith(b'end\n\r\n0\r\n\r\n')
    assert daemon.wait_for_exit() == 0


def test_an_idle_connection_does_not_delay_the_end(serve: Served) -> None:
    """S01"""
    daemon = serve()
    with daemon.connect() as idle:
        start = time.monotonic()
        assert daemon.stop() == 0
        assert time.monotonic() - start < 5
        assert rest(idle) == b''


def test_a_request_longer_than_the_timeout_is_cut_and_said(serve: Served
                                                           ) -> None:
    """S02"""
    daemon = serve(graceful_shutdown_timeout=1)
    with asking(daemon, '/stream?30') as client:
        assert client.recv(4096).startswith(b'HTTP/1.1 200 OK')
        start = time.monotonic()
        daemon.send(signal.SIGTERM)
        assert daemon.wait_for_exit() == 1
        assert time.monotonic() - start < 3
    assert 'requests in flight were cut after graceful_shutdown_timeout' \
        in daemon.output


def test_a_worker_that_hangs_does_not_delay_the_end(serve: Served) -> None:
    """S02: it is killed a second after its time."""
    daemon = serve(graceful_shutdown_timeout=1)
    with asking(daemon, '/hang?30'):
        wait_until_hanging(daemon)
        start = time.monotonic()
        assert daemon.stop() == 1
        assert time.monotonic() - start < 4
    assert 'was killed by SIGKILL before all requests were answered' \
        in daemon.output


def wait_until_hanging(daemon: Daemon) -> None:
    """Return when the only worker does not answer any more."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        with daemon.connect() as client:
            client.settimeout(0.3)
            client.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
            try:
                client.recv(1)
            except TimeoutError:
                return
    pytest.fail('the worker still answers')


@pytest.mark.parametrize('first, second, status', [
    (signal.SIGTERM, signal.SIGTERM, 1),
    (signal.SIGTERM, signal.SIGINT, 130),
    (signal.SIGINT, None, 130),
])
def test_a_second_sigterm_and_sigint_end_it_at_once(
        serve: Served, first: int, second: int | None, status: int) -> None:
    """S02: whatever is in flight."""
    daemon = serve()
    with asking(daemon, '/stream?30') as client:
        assert client.recv(4096).startswith(b'HTTP/1.1 200 OK')
        start = time.monotonic()
        daemon.send(first)
        if second is not None:
            wait_until_refused(daemon)
            daemon.send(second)
        assert daemon.wait_for_exit() == status
        assert time.monotonic() - start < 2


def test_of_who_was_told_to_stop_at_once_nobody_is_warned(serve: Served
                                                          ) -> None:
    """S02: Ctrl-C where nothing is in flight."""
    daemon = serve(workers=2)
    assert daemon.request('GET', '/').status == 200
    assert daemon.stop(signal.SIGINT) == 130
    assert 'interrupted: stopping at once' in daemon.output
    assert 'before all requests were answered' not in daemon.output


def test_a_worker_that_dies_by_itself_while_it_stops_is_told_of(
        serve: Served) -> None:
    """S02: not only by its time limit."""
    daemon = serve()
    [worker] = daemon.workers()
    with asking(daemon, '/stream?30') as client:
        assert client.recv(4096).startswith(b'HTTP/1.1 200 OK')
        daemon.send(signal.SIGTERM)
        wait_until_refused(daemon)
        os.kill(worker, signal.SIGKILL)
        assert daemon.wait_for_exit() == 1
    assert 'was killed by SIGKILL before all requests were answered' \
        in daemon.output


def test_workers_whose_launcher_was_killed_finish_and_go(serve: Served
                                                         ) -> None:
    """S08: the port is free at once for the next start."""
    daemon = serve(workers=2)
    with Load(daemon, clients=4) as load:
        load.wait_for_answers(2)
    workers = [os.pidfd_open(pid) for pid in daemon.workers()]
    with asking(daemon, '/stream?1') as client:
        assert client.recv(4096).startswith(b'HTTP/1.1 200 OK')
        daemon.send(signal.SIGKILL)
        assert daemon.wait_for_exit() == -signal.SIGKILL
        wait_until_refused(daemon)
        with Daemon(daemon.directory, env=daemon.env) as again:
            assert again.request('GET', '/').status == 200
        assert rest(client).endswith(b'end\n\r\n0\r\n\r\n')
    for one in workers:
        assert select.select([one], [], [], WAIT_SECONDS)[0]
        os.close(one)


def test_sigterm_to_one_worker_replaces_it(serve: Served) -> None:
    """S01: as systemd does to every process of the unit, unless told not to.
    """
    daemon = serve()
    [worker] = daemon.workers()
    with asking(daemon, '/stream?1') as client:
        assert client.recv(4096).startswith(b'HTTP/1.1 200 OK')
        os.kill(worker, signal.SIGTERM)
        assert rest(client).endswith(b'end\n\r\n0\r\n\r\n')
    assert daemon.request('GET', '/').status == 200
    assert worker not in daemon.workers()
