# SPDX-License-Identifier: Apache-2.0
"""Compare two workers with one, and a shared socket with SO_REUSEPORT.

    python -m bench.two_workers [--rounds 5] [--seconds 3] [--connections 16]

Each worker is a forked process with our server, as under pileus-api. A reply
costs about ``--work`` microseconds of Python, as a reply of the API does. With
0 the client is as busy as the workers, and on two cores it takes CPU time from
them. The modes are measured alternately, and the output is medians. The exit
status is 1 if two workers on a shared socket are less than 1.7 times as fast
as one.
"""

from __future__ import annotations

import argparse
import contextlib
import mmap
import os
import re
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from service.process.listening.connection_balance import (
    ConnectionBalance,
    ConnectionCount,
)

TARGET = 1.7
UNITS = {'us': 0.001, 'ms': 1.0, 's': 1000.0}

#: Mode -> number of workers, and whether each has a socket of its own.
MODES = {'one': (1, False), 'shared': (2, False), 'reuseport': (2, True)}


class Round(NamedTuple):
    """Requests a second, the 99th percentile of latency in ms, and the share
    of the requests that the busiest worker answered."""

    rate: float
    p99: float
    busiest: float


def listener(port: int, own: bool) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if own:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(('127.0.0.1', port))
    sock.listen(2048)
    return sock


@contextlib.contextmanager
def serving(mode: str, work: int) -> Iterator[tuple[int, mmap.mmap]]:
    """Yield the port, and shared memory with each worker's count of replies.
    """
    workers, own = MODES[mode]
    first = listener(0, own)
    port = first.getsockname()[1]
    sockets = [first] + [listener(port, True) if own else first
                         for _ in range(workers - 1)]
    counts = mmap.mmap(-1, 8 * workers)
    balance = ConnectionBalance(workers)
    published = [None if own or workers == 1 else balance.of_worker(index)
                 for index in range(workers)]
    pids = []
    for index, sock in enumerate(sockets):
        pid = os.fork()
        if pid == 0:
            worker(sock, counts, index, work, published[index])
        pids.append(pid)
    try:
        yield port, counts
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        for sock in set(sockets):
            sock.close()


def worker(sock: socket.socket, counts: mmap.mmap, index: int, work: int,
           count: ConnectionCount | None) -> None:
    """Serve until killed."""
    import eventlet
    eventlet.monkey_patch()
    from bench.serve import app as bare
    from bench.serve import limits
    from service.process.server.http_server import Server
    iterations = loop_iterations(work)

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        for _ in range(iterations):
            pass
        replies, = struct.unpack_from('q', counts, 8 * index)
        struct.pack_into('q', counts, 8 * index, replies + 1)
        return bare(environ, start)

    server = Server(app, limits(), multiprocess=True, count=count)
    server.listen(sock)
    server.wait()
    os._exit(0)


def loop_iterations(work: int) -> int:
    """Return how often an empty loop runs in ``work`` microseconds."""
    start = time.process_time()
    for _ in range(1_000_000):
        pass
    return int(work * 1e-6 * 1_000_000 / (time.process_time() - start))


def measure(mode: str, options: argparse.Namespace) -> Round:
    with serving(mode, options.work) as (port, counts):
        wrk(port, 1, options.connections)
        before = numbers(counts)
        text = wrk(port, options.seconds, options.connections)
        answered = [after - first for after, first
                    in zip(numbers(counts), before, strict=True)]
    rate = re.search(r'Requests/sec:\s+([\d.]+)', text)
    late = re.search(r'99%\s+([\d.]+)(us|ms|s)', text)
    assert rate and late, text
    return Round(float(rate[1]), float(late[1]) * UNITS[late[2]],
                 max(answered) / sum(answered))


def numbers(counts: mmap.mmap) -> list[int]:
    return [value for value, in struct.iter_unpack('q', counts[:])]


def wrk(port: int, seconds: int, connections: int) -> str:
    text = subprocess.run(
        ['wrk', '-t1', f'-c{connections}', f'-d{seconds}', '--latency',
         f'http://127.0.0.1:{port}/'], check=True, capture_output=True,
        text=True).stdout
    if 'Non-2xx' in text or 'Socket errors' in text:
        raise SystemExit(f'wrk reports errors:\n{text}')
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=int, default=3)
    parser.add_argument('--connections', type=int, default=16)
    parser.add_argument('--work', type=int, default=1000)
    options = parser.parse_args()
    print(f'{len(os.sched_getaffinity(0))} CPUs, {options.connections} '
          f'connections, {options.work} us of work, {options.rounds} rounds '
          f'of {options.seconds} s')
    rounds: dict[str, list[Round]] = {mode: [] for mode in MODES}
    for _ in range(options.rounds):
        for mode, runs in rounds.items():
            runs.append(measure(mode, options))
    return report(rounds)


def report(rounds: dict[str, list[Round]]) -> int:
    """Print the results; return the exit status."""
    medians = {mode: Round(*map(statistics.median, zip(*runs, strict=True)))
               for mode, runs in rounds.items()}
    for mode, median in medians.items():
        print(f'{mode:10} {median.rate:8.0f} req/s  p99 {median.p99:6.2f} ms  '
              f'busiest worker {median.busiest:4.0%}  '
              f'x {median.rate / medians["one"].rate:.2f}')
    ratio = medians['shared'].rate / medians['one'].rate
    print(f'shared compared with one: {ratio:.2f} (target {TARGET})')
    return 0 if ratio >= TARGET else 1


if __name__ == '__main__':
    sys.exit(main())
