# SPDX-License-Identifier: Apache-2.0
"""One project floods the service: what does another one notice?

    python -m bench.fair_projects [--connections 64 256] [--seconds 5]
                                  [--rounds 5] [--database URL]
                                  [--path /v1/hosts]

The daemon has one worker on one core. Project A sends as fast as it is
answered on many connections, project B one request after the other on one.
Printed is how long B's requests take with nobody else there and with A, each
measured in turns, and the ratio of the medians of their 99th percentiles. The
exit status is 1 where that is above its target (reliability R12).

On a machine with two cores the client of the flood is as busy as the worker;
it yields to B's, so that what is measured is the service.
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
    """Of one run, in milliseconds."""

    p50: float
    p99: float

    @classmethod
    def of(cls, took: list[float]) -> Times:
        cuts = statistics.quantiles(took, n=100)
        return cls(cuts[49] * 1000, cuts[98] * 1000)

    @classmethod
    def medians(cls, runs: list[Times]) -> Times:
        return cls(*map(statistics.median, zip(*runs, strict=True)))


class Wire:
    """One connection that stays open."""

    def __init__(self, port: int, path: str, project: str) -> None:
        self.sock = socket.create_connection(('127.0.0.1', port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = (f'GET {path} HTTP/1.1\r\nHost: localhost\r\n'
                         f'X-Project-Id: {project}\r\n\r\n').encode()
        self._left = -1
        self.statuses: dict[bytes, int] = {}

    def ask(self) -> None:
        self.sock.sendall(self._request)
        self._left = -1

    def read(self) -> bool:
        """Read on; whether the reply is whole."""
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
    """Project A, until it is killed."""
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    waiting = selectors.DefaultSelector()
    for _ in range(connections):
        wire = Wire(port, path, 'a')
        waiting.register(wire.sock, selectors.EVENT_READ, wire)
        wire.ask()
    print('flooding', flush=True)
    while True:
        for key, _ in waiting.select():
            try:
                if key.data.read():
                    key.data.ask()
            except ConnectionError:
                waiting.unregister(key.fileobj)
                wire = Wire(port, path, 'a')
                waiting.register(wire.sock, selectors.EVENT_READ, wire)
                wire.ask()


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


def measured(port: int, path: str, seconds: float) -> Times:
    """Project B, one request after the other."""
    wire, took = Wire(port, path, 'b'), []
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        begun = time.perf_counter()
        wire.ask()
        while not wire.read():
            pass
        took.append(time.perf_counter() - begun)
    assert set(wire.statuses) == {b'200'}, wire.statuses
    wire.sock.close()
    return Times.of(took[10:])


@contextlib.contextmanager
def daemon(database: str | None) -> Iterator[Daemon]:
    with tempfile.TemporaryDirectory() as where:
        conf = {'database': {'connection': database}} if database else {}
        running = Daemon(config_dir(Path(where), conf=conf))
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


def measured_in_turns(asked: argparse.Namespace) -> dict[int, list[Times]]:
    """Of each round, by the connections of A; 0 is nobody there.

    What else the machine does changes from one minute to the next: all of
    them have to meet it alike.
    """
    runs: dict[int, list[Times]] = {
        one: [] for one in (0, *asked.connections)}
    with daemon(asked.database) as running:
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        for number in range(asked.rounds):
            for connections, found in runs.items():
                beside = (flooded(running.port, asked.path, connections)
                          if connections else contextlib.nullcontext())
                with beside:
                    found.append(measured(running.port, asked.path,
                                          asked.seconds))
            print('; '.join(f'{one}: {found[-1].p50:.2f} {found[-1].p99:.2f}'
                            for one, found in runs.items()),
                  f'(round {number + 1} of {asked.rounds})',
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
    asked = parser.parse_args()
    if asked.flood:
        flood(asked.flood, asked.path, asked.connections[0])
    runs = measured_in_turns(asked)
    idle = Times.medians(runs.pop(0))
    print(f'{"connections of A":>17} {"p50 ms":>8} {"p99 ms":>8} '
          f'{"ratio":>6}\n{0:17} {idle.p50:8.2f} {idle.p99:8.2f}')
    worst = 0.0
    for connections, found in runs.items():
        beside = Times.medians(found)
        ratio = beside.p99 / idle.p99
        worst = max(worst, ratio)
        print(f'{connections:17} {beside.p50:8.2f} {beside.p99:8.2f} '
              f'{ratio:6.2f}')
    return int(worst > TARGET)


if __name__ == '__main__':
    sys.exit(main())
