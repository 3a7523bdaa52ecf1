# SPDX-License-Identifier: Apache-2.0
"""Writes a second with 1, 8 and 32 clients, through the running service.

    python -m bench.write_throughput --database postgresql+psycopg2://...

Each client makes hosts of a project of its own, one a request, on a
connection that it keeps: all share the counter that numbers revisions, and
nothing else. Printed are writes a second and how long a client waited for
one. The database stays as it is; drop it when done.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from bench import deployed


class Written(NamedTuple):
    """What so many clients wrote, and milliseconds a write took them."""

    clients: int
    rate: float
    median: float
    p99: float


@contextlib.contextmanager
def serving(database: str, workers: int) -> Iterator[int]:
    """The port of a service on this database."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    with (deployed.config_dir(database, bind_port=port, workers=workers)
          as directory, notified() as (name, ready)):
        process = subprocess.Popen(
            [pathlib.Path(sys.executable).with_name('pileus-api'),
             '--config-dir', directory], stderr=subprocess.DEVNULL,
            env={**os.environ, 'NOTIFY_SOCKET': f'@{name}'})
        try:
            ready.settimeout(60)
            while b'READY=1' not in ready.recv(4096):
                pass
            yield port
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


@contextlib.contextmanager
def notified() -> Iterator[tuple[str, socket.socket]]:
    """Where a service says that it is ready."""
    name = f'pileus-bench-{secrets.token_hex(8)}'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind(f'\0{name}')
        yield name, ready


def client(port: int, seconds: float) -> list[float]:
    """Write until the time is over; how long each write took."""
    project, number, spent = secrets.token_hex(8), 0, []
    headers = {'Content-Type': 'application/json', 'X-Project-Id': project}
    connection = http.client.HTTPConnection('127.0.0.1', port, timeout=60)
    until = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < until:
        number += 1
        connection.request('POST', '/v1/hosts', json.dumps({'host': {
            'name': f'h{number}', 'serial': f'CZ-{number:08}'}}), headers)
        reply = connection.getresponse()
        body = reply.read()
        assert reply.status == 201, body
        spent.append(time.perf_counter() - begun)
    connection.close()
    return spent


def measured(port: int, clients: int, seconds: float) -> Written:
    with ThreadPoolExecutor(clients) as threads:
        begun = time.perf_counter()
        each = list(threads.map(lambda _: client(port, seconds),
                                range(clients)))
        passed = time.perf_counter() - begun
    spent = sorted(one * 1000 for some in each for one in some)
    return Written(clients, len(spent) / passed, statistics.median(spent),
                   spent[int(len(spent) * 0.99)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--database', required=True)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--seconds', type=float, default=10)
    parser.add_argument('--clients', type=int, nargs='+',
                        default=[1, 8, 32])
    parser.add_argument('--format', choices=('table', 'json'),
                        default='table')
    given = parser.parse_args()
    with serving(given.database, given.workers) as port:
        measured(port, 1, 1)
        found = [measured(port, one, given.seconds)
                 for one in given.clients]
    if given.format == 'json':
        print(json.dumps([one._asdict() for one in found], indent=2))
    else:
        for one in found:
            print(f'{one.clients:3} clients {one.rate:7.0f} writes/s '
                  f'{one.median:7.2f} ms median {one.p99:8.2f} ms p99')
    return 0


if __name__ == '__main__':
    sys.exit(main())
