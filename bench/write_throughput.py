# SPDX-License-Identifier: Apache-2.0
"""Measure writes a second with 1, 8 and 32 clients of the running service.

    python -m bench.write_throughput --database postgresql+psycopg2://...

Each client creates hosts in a project of its own, one per request, on one
connection. The clients share only the counter that numbers revisions. The
output is the writes a second and the latency of a write. The database keeps
the hosts; drop it when done.
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


class Result(NamedTuple):
    """Writes a second of all clients, and the latency of a write in ms."""

    clients: int
    rate: float
    median: float
    p99: float


@contextlib.contextmanager
def serving(database: str, workers: int) -> Iterator[int]:
    """Run the service on this database; yield its port."""
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
    """Yield the name and the socket that a service notifies when ready."""
    name = f'pileus-bench-{secrets.token_hex(8)}'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind(f'\0{name}')
        yield name, ready


def client(port: int, seconds: float) -> list[float]:
    """Write for ``seconds``; return the latency of each write."""
    project, number, latencies = secrets.token_hex(8), 0, []
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
        latencies.append(time.perf_counter() - begun)
    connection.close()
    return latencies


def measure(port: int, clients: int, seconds: float) -> Result:
    with ThreadPoolExecutor(clients) as threads:
        begun = time.perf_counter()
        by_client = list(threads.map(lambda _: client(port, seconds),
                                     range(clients)))
        elapsed = time.perf_counter() - begun
    latencies = sorted(latency * 1000 for client_latencies in by_client
                       for latency in client_latencies)
    return Result(clients, len(latencies) / elapsed,
                  statistics.median(latencies),
                  latencies[int(len(latencies) * 0.99)])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--database', required=True)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--seconds', type=float, default=10)
    parser.add_argument('--clients', type=int, nargs='+',
                        default=[1, 8, 32])
    parser.add_argument('--format', choices=('table', 'json'),
                        default='table')
    options = parser.parse_args()
    with serving(options.database, options.workers) as port:
        measure(port, 1, 1)
        results = [measure(port, clients, options.seconds)
                   for clients in options.clients]
    if options.format == 'json':
        print(json.dumps([result._asdict() for result in results], indent=2))
    else:
        for result in results:
            print(f'{result.clients:3} clients {result.rate:7.0f} writes/s '
                  f'{result.median:7.2f} ms median {result.p99:8.2f} ms p99')
    return 0


if __name__ == '__main__':
    sys.exit(main())
