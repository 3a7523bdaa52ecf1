# SPDX-License-Identifier: Apache-2.0
"""What thousands of idle keep-alive connections cost one worker.

    python bench/http_idle.py [--idle 10000] [--rounds 5] [--seconds 2]

Measures requests a second of a worker that has them and of one that has not,
in turns, and the memory they take. Each of them has asked for something once.
The exit status is 1 if less than 80 % of the rate is left or one costs over
40 KB.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import socket
import sys
import time

from bench import serve
from bench.http_bare import Round, measure, middle

REQUEST = b'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'
SHARE = 0.8
MOST = 40 * 1024


def connect(served: serve.Served, count: int) -> list[socket.socket]:
    """That many connections, each of which has been answered once."""
    clients = []
    for _ in range(count):
        sock = socket.create_connection(('127.0.0.1', served.port), 10)
        sock.sendall(REQUEST)
        assert sock.recv(1000).startswith(b'HTTP/1.1 200')
        clients.append(sock)
    return clients


def alive(clients: list[socket.socket]) -> int:
    """How many of them still answer."""
    answered = 0
    for sock in clients:
        sock.sendall(REQUEST)
        answered += sock.recv(1000).startswith(b'HTTP/1.1 200')
    return answered


def run(plain: serve.Served, loaded: serve.Served,
        words: argparse.Namespace) -> bool:
    """The same measure on a worker with and one without, taking turns."""
    for served in (plain, loaded):
        measure(served, 1, 16)
    memory = loaded.resident
    started = time.monotonic()
    clients = connect(loaded, words.idle)
    took = time.monotonic() - started
    each = (loaded.resident - memory) / words.idle
    found: dict[str, list[Round]] = {'without': [], 'with': []}
    for _ in range(words.rounds):
        found['without'].append(measure(plain, words.seconds, 16))
        found['with'].append(measure(loaded, words.seconds, 16))
    answered = alive(clients)
    print(f'{words.idle} idle connections, made in {took:.1f} s, '
          f'{answered} still answer at the end')
    print(f'memory {each / 1024:7.1f} KB each (most {MOST / 1024:.0f})')
    share = report(found)
    return answered == words.idle and share >= SHARE and each <= MOST


def report(found: dict[str, list[Round]]) -> float:
    for name, runs in found.items():
        one = middle(runs)
        each = ' '.join(f'{run.rate:.0f}' for run in runs)
        print(f'{name:7} {one.rate:7.0f} req/s  p99 {one.p99:6.2f} ms  '
              f'{one.cost:5.0f} us of CPU each   ({each})')
    share = middle(found['with']).rate / middle(found['without']).rate
    print(f'share   {share:7.2f}        (least {SHARE})')
    return share


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--idle', type=int, default=10000)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=int, default=2)
    words = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if shutil.which('wrk') is None or most < words.idle + 100:
        print('needs wrk (apt-get install wrk) and the right to open '
              f'{words.idle + 100} files, not {most}')
        return 2
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with serve.serving('ours') as plain, serve.serving('ours') as loaded:
        return 0 if run(plain, loaded, words) else 1


if __name__ == '__main__':
    sys.exit(main())
