# SPDX-License-Identifier: Apache-2.0
"""Requests a second of a bare application: our server against eventlet.wsgi.

    python bench/http_bare.py [--rounds 5] [--seconds 4] [--connections 16]

Both serve the same WSGI callable, one process each, all checks and limits on.
They take turns, so that what else the machine does falls on both. The client
is wrk, on another core where there is one. Printed are medians and their
ratio; the exit status is 1 if the ratio or the p99 misses its target.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
from typing import NamedTuple

from bench import serve

TARGET = 2.3
UNITS = {'us': 0.001, 'ms': 1.0, 's': 1000.0}


class Round(NamedTuple):
    """Requests a second, the 99th percentile in ms, CPU us a request."""

    rate: float
    p99: float
    cost: float


def measure(served: serve.Served, seconds: int, connections: int) -> Round:
    """One run of wrk."""
    before = served.spent
    text = subprocess.run(
        ['wrk', '-t1', f'-c{connections}', f'-d{seconds}', '--latency',
         served.url], check=True, capture_output=True, text=True,
        preexec_fn=serve.pinned(1)).stdout
    spent = served.spent - before
    if 'Non-2xx' in text or 'Socket errors' in text:
        raise SystemExit(f'wrk met errors:\n{text}')
    rate = re.search(r'Requests/sec:\s+([\d.]+)', text)
    late = re.search(r'99%\s+([\d.]+)(us|ms|s)', text)
    count = re.search(r'(\d+) requests in', text)
    assert rate and late and count, text
    return Round(float(rate[1]), float(late[1]) * UNITS[late[2]],
                 spent / int(count[1]) * 1e6)


def compare(rounds: int, seconds: int, connections: int,
            ) -> dict[str, list[Round]]:
    found: dict[str, list[Round]] = {'stock': [], 'ours': []}
    with serve.serving('stock') as stock, serve.serving('ours') as ours:
        for served in (stock, ours):
            measure(served, 1, connections)
        for _ in range(rounds):
            found['stock'].append(measure(stock, seconds, connections))
            found['ours'].append(measure(ours, seconds, connections))
    return found


def report(found: dict[str, list[Round]]) -> bool:
    stock, ours = (middle(found[name]) for name in ('stock', 'ours'))
    for name, runs in found.items():
        one = middle(runs)
        each = ' '.join(f'{run.rate:.0f}@{run.p99:.1f}' for run in runs)
        print(f'{name:6} {one.rate:8.0f} req/s  p99 {one.p99:6.2f} ms  '
              f'{one.cost:5.0f} us of CPU each   ({each})')
    ratio = ours.rate / stock.rate
    print(f'ratio  {ratio:8.2f}        (target {TARGET}; by CPU '
          f'{stock.cost / ours.cost:.2f})')
    return ratio >= TARGET and ours.p99 <= stock.p99


def middle(runs: list[Round]) -> Round:
    return Round(*map(statistics.median, zip(*runs, strict=True)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=int, default=4)
    parser.add_argument('--connections', type=int, default=16)
    words = parser.parse_args()
    if shutil.which('wrk') is None:
        print('wrk is not installed (apt-get install wrk)')
        return 2
    print(f'{os.cpu_count()} CPUs, {words.connections} connections, '
          f'{words.rounds} rounds of {words.seconds} s, load average '
          f'{os.getloadavg()[0]:.1f}')
    met = report(compare(words.rounds, words.seconds, words.connections))
    return 0 if met else 1


if __name__ == '__main__':
    sys.exit(main())
