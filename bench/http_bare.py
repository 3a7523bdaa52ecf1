# SPDX-License-Identifier: Apache-2.0
"""Compare the rate of our server with eventlet.wsgi's, on a bare application.

    python bench/http_bare.py [--rounds 5] [--seconds 4] [--connections 16]

Each server runs the same WSGI callable in a process of its own, with all
checks and limits enabled. They are measured alternately, so that other load on
the machine affects both. The client is wrk, on another core if there are two.
The output is the medians and their ratio. The exit status is 1 if the ratio is
below the target of 2.3, or our 99th percentile of latency is higher.
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
    """Requests a second, 99th percentile in ms, us of CPU a request."""

    rate: float
    p99: float
    cost: float


def measure(served: serve.Served, seconds: int, connections: int) -> Round:
    """Measure a server with one run of wrk."""
    before = served.spent
    text = subprocess.run(
        ['wrk', '-t1', f'-c{connections}', f'-d{seconds}', '--latency',
         served.url], check=True, capture_output=True, text=True,
        preexec_fn=serve.pinned(1)).stdout
    spent = served.spent - before
    if 'Non-2xx' in text or 'Socket errors' in text:
        raise SystemExit(f'wrk reports errors:\n{text}')
    rate = re.search(r'Requests/sec:\s+([\d.]+)', text)
    late = re.search(r'99%\s+([\d.]+)(us|ms|s)', text)
    count = re.search(r'(\d+) requests in', text)
    assert rate and late and count, text
    return Round(float(rate[1]), float(late[1]) * UNITS[late[2]],
                 spent / int(count[1]) * 1e6)


def compare(rounds: int, seconds: int, connections: int,
            ) -> dict[str, list[Round]]:
    rounds_of: dict[str, list[Round]] = {'stock': [], 'ours': []}
    with serve.serving('stock') as stock, serve.serving('ours') as ours:
        for served in (stock, ours):
            measure(served, 1, connections)
        for _ in range(rounds):
            rounds_of['stock'].append(measure(stock, seconds, connections))
            rounds_of['ours'].append(measure(ours, seconds, connections))
    return rounds_of


def report(rounds_of: dict[str, list[Round]]) -> bool:
    """Print the results; return whether the targets are met."""
    stock, ours = (medians(rounds_of[name]) for name in ('stock', 'ours'))
    for name, rounds in rounds_of.items():
        median = medians(rounds)
        each = ' '.join(f'{run.rate:.0f}@{run.p99:.1f}' for run in rounds)
        print(f'{name:6} {median.rate:8.0f} req/s  p99 {median.p99:6.2f} ms  '
              f'{median.cost:5.0f} us of CPU each   ({each})')
    ratio = ours.rate / stock.rate
    print(f'ratio  {ratio:8.2f}        (target {TARGET}; by CPU '
          f'{stock.cost / ours.cost:.2f})')
    return ratio >= TARGET and ours.p99 <= stock.p99


def medians(rounds: list[Round]) -> Round:
    return Round(*map(statistics.median, zip(*rounds, strict=True)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=int, default=4)
    parser.add_argument('--connections', type=int, default=16)
    options = parser.parse_args()
    if shutil.which('wrk') is None:
        print('wrk is not installed (apt-get install wrk)')
        return 2
    print(f'{os.cpu_count()} CPUs, {options.connections} connections, '
          f'{options.rounds} rounds of {options.seconds} s, load average '
          f'{os.getloadavg()[0]:.1f}')
    met = report(compare(options.rounds, options.seconds, options.connections))
    return 0 if met else 1


if __name__ == '__main__':
    sys.exit(main())
