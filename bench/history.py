# SPDX-License-Identifier: Apache-2.0
"""Measure reads of the history, and the removal of old revisions.

    python -m bench.history [--revisions 100000] [--database URL]

Half of the revisions belong to one record, the others to records with five
revisions each. The output is the medians of reads through the storage, and the
rate at which old revisions are removed. The database must be empty.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa

from service.domain.documents import timestamps
from service.domain.records.revisions import RecordHistory
from service.storage.maintenance import purge
from service.storage.maintenance.purge import Retention
from tests.functional.storage import racing
from tests.functional.storage.racing import ADMIN, World

ROUNDS, PAGE_ROWS, BATCH_ROWS, REVISIONS_EACH = 50, 100, 5000, 5
LONG = str(uuid.UUID(int=0))
LONG_AGO = '2020-01-01T00:00:00.000000Z'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--revisions', type=int, default=100_000)
    parser.add_argument('--database', default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        url = options.database or f'sqlite:///{directory}/history.sqlite'
        with racing.world(sa.make_url(url), Path(directory) / 'bench',
                          racing.shipped()) as world:
            fill(world, options.revisions)
            measure(world, options.revisions)
            sweep(world)


def fill(world: World, count: int) -> None:
    table = world.tables.core.revisions
    document = world.records.show(world.shapes['host'].declared, ADMIN,
                                  world.make('host', name='h',
                                             serial='CZ-0001'))
    for first in range(1, count, BATCH_ROWS):
        with world.engine.begin() as connection:
            connection.execute(sa.insert(table), [{
                'number': number + 1, 'type': 'host',
                'record_id': record(number, count), 'action': 'update',
                'record_generation': 1, 'document': document,
                'project_id': 'demo', 'at': LONG_AGO}
                for number in range(first, min(first + BATCH_ROWS, count))])


def record(number: int, count: int) -> str:
    """Return the record of a revision; every other one is ``LONG``."""
    return LONG if number % 2 else str(uuid.UUID(
        int=1 + number // 2 % (count // 2 // REVISIONS_EACH)))


def measure(world: World, count: int) -> None:
    history, host = RecordHistory(world.store), world.shapes['host'].declared
    short = record(2, count)

    def page(id: str, marker: int | None = None) -> Callable[[], object]:
        return lambda: history.list(host, ADMIN, id, PAGE_ROWS,
                                    marker)
    for name, read in {
            'five revisions': page(short),
            f'{PAGE_ROWS} of {count // 2}, the newest': page(LONG),
            f'{PAGE_ROWS} of {count // 2}, the oldest': page(
                LONG, 2 * PAGE_ROWS + 2),
            'one revision': lambda: history.find(host, ADMIN, LONG, 2),
            }.items():
        print(f'{name:40} {median(read) * 1000:8.2f} ms', flush=True)


def median(read: Callable[[], object]) -> float:
    return statistics.median(timed(read) for _ in range(ROUNDS))


def timed(read: Callable[[], object]) -> float:
    begun = time.perf_counter()
    read()
    return time.perf_counter() - begun


def sweep(world: World) -> None:
    for action, dry_run in (('checked', True), ('removed', False)):
        begun = time.perf_counter()
        *_, done = purge.revisions(world.engine, Retention(30, 2),
                                   timestamps.now(), dry_run=dry_run)
        spent = time.perf_counter() - begun
        number = done.checked if dry_run else done.removed
        print(f'{number} {action:33} {number / spent:8.0f} /s', flush=True)


if __name__ == '__main__':
    main()
