# SPDX-License-Identifier: Apache-2.0
"""Measure what thousands of idle keep-alive connections cost a worker.

    python bench/http_idle.py [--idle 10000] [--rounds 5] [--seconds 2]

Measures alternately the requests a second of a worker with idle connections
and of one without, and the memory of the connections. Each idle connection has
had one request. The exit status is 1 if the rate falls below 80 %, or if a
connection costs more than 40 KB.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import socket
import sys
import time

from bench import serve
from bench.http_bare import Round, measure, medians

REQUEST = b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
MIN_SHARE = 0.8
MAX_BYTES = 40 * 1024


def connect(served: serve.Served, count: int) -> list[socket.socket]:
    """Return ``count`` connections that have had one request each."""
    clients = []
    for _ in range(count):
        sock = socket.create_connection(('127.0.0.1', served.port), 10)
        sock.sendall(REQUEST)
        assert sock.recv(1000).startswith(b'HTTP/1.1 200')
        clients.append(sock)
    return clients


def alive(clients: list[socket.socket]) -> int:
    """Return on how many of the connections a request is answered."""
    answered = 0
    for sock in clients:
        sock.sendall(REQUEST)
        answered += sock.recv(1000).startswith(b'HTTP/1.1 200')
    return answered


def run(plain: serve.Served, loaded: serve.Served,
        options: argparse.Namespace) -> bool:
    """Measure both workers alternately; return whether targets are met."""
    for served in (plain, loaded):
        measure(served, 1, 16)
    memory = loaded.resident
    started = time.monotonic()
    clients = connect(loaded, options.idle)
    took = time.monotonic() - started
    each = (loaded.resident - memory) / options.idle
    rounds: dict[str, list[Round]] = {'without': [], 'with': []}
    for _ in range(options.rounds):
        rounds['without'].append(measure(plain, options.seconds, 16))
        rounds['with'].append(measure(loaded, options.seconds, 16))
    answered = alive(clients)
    print(f'{options.idle} idle connections, made in {took:.1f} s, '
          f'{answered} still answer at the end')
    print(f'memory {each / 1024:7.1f} KB each '
          f'(at most {MAX_BYTES / 1024:.0f})')
    share = report(rounds)
    return (answered == options.idle and share >= MIN_SHARE
            and each <= MAX_BYTES)


def report(rounds: dict[str, list[Round]]) -> float:
    """Print the results; return the share of the rate that is left."""
    for name, runs in rounds.items():
        median = medians(runs)
        each = ' '.join(f'{run.rate:.0f}' for run in runs)
        print(f'{name:7} {median.rate:7.0f} req/s  p99 {median.p99:6.2f} ms  '
              f'{median.cost:5.0f} us of CPU each   ({each})')
    share = medians(rounds['with']).rate / medians(rounds['without']).rate
    print(f'share   {share:7.2f}        (at least {MIN_SHARE})')
    return share


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--idle', type=int, default=10000)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=int, default=2)
    options = parser.parse_args()
    _, max_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    if shutil.which('wrk') is None or max_files < options.idle + 100:
        print('needs wrk (apt-get install wrk) and permission to open '
              f'{options.idle + 100} files; the limit is {max_files}')
        return 2
    resource.setrlimit(resource.RLIMIT_NOFILE, (max_files, max_files))
    with serve.serving('ours') as plain, serve.serving('ours') as loaded:
        return 0 if run(plain, loaded, options) else 1


if __name__ == '__main__':
    sys.exit(main())
