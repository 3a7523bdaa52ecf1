# SPDX-License-Identifier: Apache-2.0
"""Workers that die, hang, are suspended or lose their log; clock changes."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from tests.functional.harness.daemon import ROOT
from tests.functional.process import apps
from tests.functional.process.conftest import Served
from tests.functional.process.load import Load


def test_two_workers_share_the_connections_of_a_burst(serve: Served) -> None:
    """R13: connections that stay open are spread evenly."""
    daemon = serve(workers=2)
    with Load(daemon, clients=2) as load:
        load.wait_for_answers(2)
    with ExitStack() as connections:
        clients = [connections.enter_context(daemon.connect())
                   for _ in range(40)]
        for client in clients:
            client.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        answered = Counter(client.recv(4096).split()[-2]
                           for client in clients)
    assert len(answered) == 2
    assert min(answered.values()) >= 15


def test_a_killed_worker_loses_only_its_own_requests(serve: Served) -> None:
    """S06: after kill -9 under load, another worker serves soon."""
    daemon = serve(workers=2)
    with Load(daemon, clients=2) as load:
        load.wait_for_answers(2)
        killed = daemon.workers()[0]
        start = time.monotonic()
        os.kill(killed, signal.SIGKILL)
        load.wait_for_answers(3)
        took = time.monotonic() - start
        load.wait_for(100)
    assert took < 3
    assert len(load.failures) <= 4
    assert killed not in daemon.workers()
    assert f'worker {killed} was killed by SIGKILL; another worker starts ' \
        'in 0.0 seconds' in daemon.output


def test_a_killed_idle_worker_fails_no_request(serve: Served) -> None:
    """S06"""
    daemon = serve()
    [killed] = daemon.workers()
    os.kill(killed, signal.SIGKILL)
    assert daemon.request('GET', '/').status == 200
    assert daemon.stop() == 0


def test_a_worker_that_cannot_start_is_retried_with_pauses(
        serve: Served) -> None:
    """S07: the others serve meanwhile, until the files are corrected."""
    daemon = serve(workers=2)
    with Load(daemon, clients=2) as load:
        load.wait_for_answers(2)
        paste = daemon.directory / 'api-paste.ini'
        paste.write_text('[broken\n')
        os.kill(daemon.workers()[0], signal.SIGKILL)
        while 'another worker starts in 0.5 seconds' not in daemon.output:
            load.wait_for(1)
        paste.write_text(apps.paste('second'))
        while not any(body.startswith('second') for body in load.answers):
            load.wait_for(1)
    assert len(load.failures) <= 2
    assert 'cannot start: ' in daemon.output
    assert daemon.stop() == 0


def test_a_worker_that_hangs_is_replaced(serve: Served) -> None:
    """S09: and its stack is on stderr."""
    daemon = serve(worker_timeout=1)
    [hung] = daemon.workers()
    with daemon.connect() as client:
        client.sendall(b'GET /hang?60 HTTP/1.1\r\nHost: a\r\n\r\n')
        assert client.recv(1) == b''
    assert daemon.request('GET', '/').status == 200
    assert hung not in daemon.workers()
    assert f'worker {hung} sent no heartbeat for worker_timeout = 1 ' \
        'seconds' in daemon.output
    assert 'in hang' in daemon.output


def test_a_suspended_worker_leaves_the_others_serving(serve: Served) -> None:
    """S11: it serves again when it is continued, and is not replaced."""
    daemon = serve(workers=2)
    with Load(daemon, clients=2) as load:
        load.wait_for_answers(2)
    stopped = daemon.workers()[0]
    os.kill(stopped, signal.SIGSTOP)
    with Load(daemon, clients=1) as load:
        load.wait_for(50)
    assert {int(body.split()[1]) for body in load.answers} \
        == set(daemon.workers()) - {stopped}
    os.kill(stopped, signal.SIGCONT)
    with Load(daemon, clients=8) as load:
        load.wait_for_answers(2)
    assert load.failures == []
    assert stopped in daemon.workers()


def test_a_launcher_that_was_suspended_ends_no_worker(serve: Served) -> None:
    """S11: it received no heartbeats, but the workers are not to blame."""
    daemon = serve(worker_timeout=1)
    workers = daemon.workers()
    for pid in (daemon.pid, *workers):
        os.kill(pid, signal.SIGSTOP)
    assert os.waitid(os.P_PID, daemon.pid, os.WSTOPPED) is not None
    time.sleep(2.2)  # longer than worker_timeout
    for pid in (daemon.pid, *workers):
        os.kill(pid, signal.SIGCONT)
    with Load(daemon, clients=1) as load:
        load.wait_for(100)
    assert load.failures == []
    assert daemon.workers() == workers


#: A sitecustomize that moves the clock by the seconds in a file.
CLOCK = """
import time
real = time.time
def jumped():
    with open({path!r}) as file:
        return real() + float(file.read())
time.time = jumped
"""


def test_a_clock_that_jumps_changes_no_deadline(
        serve: Served, tmp_path: Path) -> None:
    """S10: heartbeats, keep-alive and the stop use the monotonic clock."""
    offset = tmp_path / 'offset'
    new_offset = tmp_path / 'new_offset'
    offset.write_text('0')
    (tmp_path / 'sitecustomize.py').write_text(
        CLOCK.format(path=str(offset)))
    daemon = serve(worker_timeout=2, graceful_shutdown_timeout=10,
                   env={'PYTHONPATH': f'{tmp_path}:{ROOT}'})
    workers = daemon.workers()
    with Load(daemon, clients=2) as load, daemon.connect() as client:
        for jump in (3600, -3600):
            new_offset.write_text(str(jump))
            new_offset.rename(offset)
            moved = float(daemon.request('GET', '/clock').body)
            assert abs(moved - time.time() - jump) < 60
            load.wait_for(100)
        client.sendall(b'GET /stream?1 HTTP/1.1\r\nHost: a\r\n\r\n')
        assert client.recv(4096).startswith(b'HTTP/1.1 200 OK')
        load.stop()
        daemon.send(signal.SIGTERM)
        text = b''
        while data := client.recv(4096):
            text += data
        assert text.endswith(b'end\n\r\n0\r\n\r\n')
    assert load.failures == []
    assert set(workers) == {int(body.split()[1]) for body in load.answers}
    assert daemon.wait_for_exit() == 0


def test_a_full_log_disk_does_not_stop_the_service(serve: Served) -> None:
    """S12: requests, reloads and the stop work without a log."""
    daemon = serve('--log-file', '/dev/full', '--debug')
    assert daemon.request('GET', '/').status == 200
    daemon.reload()
    assert daemon.request('GET', '/').status == 200
    assert daemon.stop() == 0


def test_a_closed_log_pipe_does_not_stop_the_service(serve: Served
                                                     ) -> None:
    """S12: the process that reads the log may end."""
    reader, writer = os.pipe()
    log = f'/proc/{os.getpid()}/fd/{writer}'
    daemon = serve('--log-file', log)
    os.close(reader)
    os.close(writer)
    daemon.send(signal.SIGHUP)
    daemon.wait_for('READY=1')
    assert daemon.request('GET', '/').status == 200
    assert daemon.stop() == 0


def test_the_log_names_each_request_by_its_own_id(serve):
    """Requests in a worker are interleaved, each with its own context."""
    served = serve()

    def answer(number: int) -> str:
        reply = served.request('GET', f'/context?req-{number}')
        return reply.body.decode()

    with ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(answer, range(16)))
    assert answers == [f'req-{number} req-{number}' for number in range(16)]
