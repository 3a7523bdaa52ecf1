# SPDX-License-Identifier: Apache-2.0
"""A stop: accepted requests are answered, later ones are refused."""

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
def request_in_flight(daemon: Daemon, path: str) -> Iterator[socket.socket]:
    """Send a request, and yield its connection."""
    with daemon.connect() as client:
        client.sendall(f'GET {path} HTTP/1.1\r\nHost: a\r\n\r\n'.encode())
        yield client


def read_to_end(client: socket.socket) -> bytes:
    """Return all bytes until the server closes the connection."""
    text = b''
    while data := client.recv(65536):
        text += data
    return text


def wait_until_refused(daemon: Daemon) -> None:
    """Return once the port refuses connections; none may hang before."""
    until = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < until:
        try:
            # A connection in the queue is reset when the port closes.
            with suppress(ConnectionResetError):
                daemon.connect().close()
        except ConnectionRefusedError:
            return
    pytest.fail('the port is still open')


def test_sigterm_under_load_answers_all_accepted_requests(
        serve: Served, tmp_path: Path) -> None:
    """S01: and later connections are refused at once.

    A connection that no worker has accepted when the port closes may be
    reset: the application has not seen its request.
    """
    count = tmp_path / 'count'
    daemon = serve(workers=2, env={apps.COUNT: str(count)})
    with ExitStack() as clients, Load(daemon) as load:
        slow = [clients.enter_context(request_in_flight(daemon, '/stream?1'))
                for _ in range(4)]
        for client in slow:
            assert client.recv(4096).startswith(b'HTTP/1.1 200 OK')
        load.wait_for(100)
        daemon.send(signal.SIGTERM)
        wait_until_refused(daemon)
        assert [read_to_end(client).endswith(b'end\n\r\n0\r\n\r\n')
                for client in slow] == [True] * 4
        load.stop()
    assert {text.partition(':')[0] for text in load.failures} \
        <= {'ConnectionRefusedError', 'ConnectionResetError'}
    assert count.stat().st_size == load.total + len(slow)
    assert daemon.wait_for_exit() == 0


def test_a_streamed_reply_of_five_seconds_is_finished(serve: Served) -> None:
    """S01: SIGTERM arrives in the middle of the reply."""
    daemon = serve()
    with request_in_flight(daemon, '/stream?5') as client:
        assert client.recv(4096).startswith(b'HTTP/1.1 200 OK')
        daemon.send(signal.SIGTERM)
        wait_until_refused(daemon)
        text = read_to_end(client)
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
        assert read_to_end(idle) == b''


def test_a_request_beyond_the_timeout_is_cut_and_logged(serve: Served) -> None:
    """S02"""
    daemon = serve(graceful_shutdown_timeout=1)
    with request_in_flight(daemon, '/stream?30') as client:
        assert client.recv(4096).startswith(b'HTTP/1.1 200 OK')
        start = time.monotonic()
        daemon.send(signal.SIGTERM)
        assert daemon.wait_for_exit() == 1
        assert time.monotonic() - start < 3
    assert 'requests in flight were cut after graceful_shutdown_timeout' \
        in daemon.output


def test_a_worker_that_hangs_does_not_delay_the_end(serve: Served) -> None:
    """S02: it is killed a second after its time limit."""
    daemon = serve(graceful_shutdown_timeout=1)
    with request_in_flight(daemon, '/hang?30'):
        wait_until_hanging(daemon)
        start = time.monotonic()
        assert daemon.stop() == 1
        assert time.monotonic() - start < 4
    assert 'was killed by SIGKILL before all requests were answered' \
        in daemon.output


def wait_until_hanging(daemon: Daemon) -> None:
    """Return once the only worker no longer answers."""
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
def test_a_second_sigterm_or_a_sigint_ends_the_service_at_once(
        serve: Served, first: int, second: int | None, status: int) -> None:
    """S02: regardless of requests in flight."""
    daemon = serve()
    with request_in_flight(daemon, '/stream?30') as client:
        assert client.recv(4096).startswith(b'HTTP/1.1 200 OK')
        start = time.monotonic()
        daemon.send(first)
        if second is not None:
            wait_until_refused(daemon)
            daemon.send(second)
        assert daemon.wait_for_exit() == status
        assert time.monotonic() - start < 2


def test_sigint_without_requests_in_flight_logs_no_warning(
        serve: Served) -> None:
    """S02: Ctrl-C without a request in flight."""
    daemon = serve(workers=2)
    assert daemon.request('GET', '/').status == 200
    assert daemon.stop(signal.SIGINT) == 130
    assert 'interrupted: stopping at once' in daemon.output
    assert 'before all requests were answered' not in daemon.output


def test_a_worker_that_dies_during_the_stop_is_logged(
        serve: Served) -> None:
    """S02: not only if its time limit ends it."""
    daemon = serve()
    [worker] = daemon.workers()
    with request_in_flight(daemon, '/stream?30') as client:
        assert client.recv(4096).startswith(b'HTTP/1.1 200 OK')
        daemon.send(signal.SIGTERM)
        wait_until_refused(daemon)
        os.kill(worker, signal.SIGKILL)
        assert daemon.wait_for_exit() == 1
    assert 'was killed by SIGKILL before all requests were answered' \
        in daemon.output


def test_workers_of_a_killed_launcher_finish_and_end(serve: Served) -> None:
    """S08: the next start can use the port at once."""
    daemon = serve(workers=2)
    with Load(daemon, clients=4) as load:
        load.wait_for_answers(2)
    workers = [os.pidfd_open(pid) for pid in daemon.workers()]
    with request_in_flight(daemon, '/stream?1') as client:
        assert client.recv(4096).startswith(b'HTTP/1.1 200 OK')
        daemon.send(signal.SIGKILL)
        assert daemon.wait_for_exit() == -signal.SIGKILL
        wait_until_refused(daemon)
        with Daemon(daemon.directory, env=daemon.env) as again:
            assert again.request('GET', '/').status == 200
        assert read_to_end(client).endswith(b'end\n\r\n0\r\n\r\n')
    for process in workers:
        assert select.select([process], [], [], WAIT_SECONDS)[0]
        os.close(process)


def test_sigterm_to_one_worker_replaces_it(serve: Served) -> None:
    """S01: as systemd does with KillMode=control-group, its default."""
    daemon = serve()
    [worker] = daemon.workers()
    with request_in_flight(daemon, '/stream?1') as client:
        assert client.recv(4096).startswith(b'HTTP/1.1 200 OK')
        os.kill(worker, signal.SIGTERM)
        assert read_to_end(client).endswith(b'end\n\r\n0\r\n\r\n')
    assert daemon.request('GET', '/').status == 200
    assert worker not in daemon.workers()
