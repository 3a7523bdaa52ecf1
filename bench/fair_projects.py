# SPDX-License-Identifier: Apache-2.0
"""Measure how a flood of one project slows down the requests of another.

    python -m bench.fair_projects [--connections 64 256] [--seconds 5]
                                  [--rounds 5] [--database URL]
                                  [--path /v1/hosts]

The daemon has one worker on one core. Project A sends requests on many
connections, each as soon as the one before is answered. Project B sends one
request after the other on one connection. The output is the latency of B
without and with A, measured alternately, and the ratio of the medians of the
99th percentiles. The exit status is 1 if a ratio exceeds the target of 2
(reliability R12).

On a machine with two cores, the client of A is as busy as the worker. It runs
at idle priority, so that the client of B measures the service and not A.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import selectors
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.serve import pinned
from tests.functional.harness.daemon import Daemon, config_dir

TARGET = 2.0


class Times(NamedTuple):
    """The latencies of one run, in milliseconds."""

    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: list[float]) -> Times:
        cuts = statistics.quantiles(seconds, n=100)
        return cls(cuts[49] * 1000, cuts[98] * 1000)

    @classmethod
    def medians(cls, runs: list[Times]) -> Times:
        return cls(*map(statistics.median, zip(*runs, strict=True)))


class Client:
    """One connection that stays open."""

    def __init__(self, port: int, path: str, project: str) -> None:
        self.sock = socket.create_connection(('127.0.0.1', port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = (f'GET {path} HTTP/1.1\r\nHost: localhost\r\n'
                         f'X-Project-Id: {project}\r\n\r\n').encode()
        self._left = -1
        self.statuses: dict[bytes, int] = {}

    def send(self) -> None:
        self.sock.sendall(self._request)
        self._left = -1

    def read(self) -> bool:
        """Read some of the reply; return whether it is complete."""
        data = self.sock.recv(1 << 20)
        if not data:
            raise ConnectionError('the service closed the connection')
        if self._left < 0:
            head, _, body = data.partition(b'\r\n\r\n')
            self.statuses[head[9:12]] = self.statuses.get(head[9:12], 0) + 1
            length = head.lower().split(b'content-length: ')[1]
            self._left = int(length.split(b'\r\n')[0]) - len(body)
        else:
            self._left -= len(data)
        return self._left == 0


def flood(port: int, path: str, connections: int) -> None:
    """Send the requests of project A until the process is killed."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    selector = selectors.DefaultSelector()
    for _ in range(connections):
        client = Client(port, path, 'a')
        selector.register(client.sock, selectors.EVENT_READ, client)
        client.send()
    print('flooding', flush=True)
    while True:
        for key, _ in selector.select():
            try:
                if key.data.read():
                    key.data.send()
            except ConnectionError:
                selector.unregister(key.fileobj)
                client = Client(port, path, 'a')
                selector.register(client.sock, selectors.EVENT_READ, client)
                client.send()


@contextlib.contextmanager
def flooded(port: int, path: str, connections: int) -> Iterator[None]:
    argv = [sys.executable, '-m', 'bench.fair_projects', '--flood',
            str(port), '--path', path, '--connections', str(connections)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE,
                          preexec_fn=pinned(-1)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield
        finally:
            process.send_signal(signal.SIGKILL)


def measure(port: int, path: str, seconds: float) -> Times:
    """Send the requests of project B, one after the other."""
    client, latencies = Client(port, path, 'b'), []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        begun = time.perf_counter()
        client.send()
        while not client.read():
            pass
        latencies.append(time.perf_counter() - begun)
    assert set(client.statuses) == {b'200'}, client.statuses
    client.sock.close()
    return Times.of(latencies[10:])


@contextlib.contextmanager
def daemon(database: str | None) -> Iterator[Daemon]:
    with tempfile.TemporaryDirectory() as directory:
        conf = {'database': {'connection': database}} if database else {}
        running = Daemon(config_dir(Path(directory), conf=conf))
        with running:
            for worker in running.workers():
                os.sched_setaffinity(worker, {min(os.sched_getaffinity(0))})
            for project in 'ab':
                for number in range(20):
                    running.request('POST', '/v1/hosts', {'host': {
                        'name': f'{project}{number}',
                        'serial': f'{project.upper()}-{number:04}'}},
                        {'X-Project-Id': project})
            yield running


def measure_all(options: argparse.Namespace) -> dict[int, list[Times]]:
    """Return the times of each round by the connections of A (0: without A).

    Each round measures all of them, since other load on the machine changes
    from one minute to the next and must affect them alike.
    """
    runs: dict[int, list[Times]] = {
        connections: [] for connections in (0, *options.connections)}
    with daemon(options.database) as running:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        for number in range(options.rounds):
            for connections, times in runs.items():
                load = (flooded(running.port, options.path, connections)
                        if connections else contextlib.nullcontext())
                with load:
                    times.append(measure(running.port, options.path,
                                         options.seconds))
            print('; '.join(
                f'{connections}: {times[-1].p50:.2f} {times[-1].p99:.2f}'
                for connections, times in runs.items()),
                  f'(round {number + 1} of {options.rounds})',
                  file=sys.stderr, flush=True)
    return runs


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--connections', type=int, nargs='+',
                        default=[64, 256])
    parser.add_argument('--seconds', type=float, default=5.0)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--path', default='/v1/hosts')
    parser.add_argument('--database')
    parser.add_argument('--flood', type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.flood:
        flood(options.flood, options.path, options.connections[0])
    runs = measure_all(options)
    idle = Times.medians(runs.pop(0))
    print(f'{"connections of A":>17} {"p50 ms":>8} {"p99 ms":>8} '
          f'{"ratio":>6}\n{0:17} {idle.p50:8.2f} {idle.p99:8.2f}')
    worst = 0.0
    for connections, times in runs.items():
        loaded = Times.medians(times)
        ratio = loaded.p99 / idle.p99
        worst = max(worst, ratio)
        print(f'{connections:17} {loaded.p50:8.2f} {loaded.p99:8.2f} '
              f'{ratio:6.2f}')
    return int(worst > TARGET)


if __name__ == '__main__':
    sys.exit(main())
