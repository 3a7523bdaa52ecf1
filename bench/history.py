# SPDX-License-Identifier: Apache-2.0
"""What a look into the history costs when there is much of it.

    python -m bench.history [--revisions 100000] [--database URL]

Half of the revisions are one record's, the others have five each. Printed are
the medians of reads through the storage, and how fast old revisions are
removed. The database must be an empty one of its own.
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

ROUNDS, PAGE, BATCH, EACH = 50, 100, 5000, 5
LONG = str(uuid.UUID(int=0))
LONG_AGO = '2020-01-01T00:00:00.000000Z'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--revisions', type=int, default=100_000)
    parser.add_argument('--database', default=None)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        url = given.database or f'sqlite:///{directory}/history.sqlite'
        with racing.world(sa.make_url(url), Path(directory) / 'bench',
                          racing.shipped()) as world:
            fill(world, given.revisions)
            measure(world, given.revisions)
            sweep(world)


def fill(world: World, count: int) -> None:
    table = world.tables.core.revisions
    document = world.records.show(world.shapes['host'].declared, ADMIN,
                                  world.make('host', name='h',
                                             serial='CZ-0001'))
    for first in range(1, count, BATCH):
        with world.engine.begin() as connection:
            connection.execute(sa.insert(table), [{
                'number': number + 1, 'type': 'host',
                'record_id': record(number, count), 'action': 'update',
                'record_generation': 1, 'document': document,
                'project_id': 'demo', 'at': LONG_AGO}
                for number in range(first, min(first + BATCH, count))])


def record(number: int, count: int) -> str:
    """Every other revision is the long history's."""
    return LONG if number % 2 else str(uuid.UUID(
        int=1 + number // 2 % (count // 2 // EACH)))


def measure(world: World, count: int) -> None:
    past, host = RecordHistory(world.store), world.shapes['host'].declared
    short = record(2, count)

    def page(id: str, marker: int | None = None) -> Callable[[], object]:
        return lambda: past.list(host, ADMIN, id, PAGE, marker)
    for what, look in {
            'five revisions': page(short),
            f'{PAGE} of {count // 2}, the newest': page(LONG),
            f'{PAGE} of {count // 2}, the oldest': page(LONG, 2 * PAGE + 2),
            'one revision': lambda: past.find(host, ADMIN, LONG, 2)}.items():
        print(f'{what:40} {median(look) * 1000:8.2f} ms', flush=True)


def median(look: Callable[[], object]) -> float:
    return statistics.median(timed(look) for _ in range(ROUNDS))


def timed(look: Callable[[], object]) -> float:
    begun = time.perf_counter()
    look()
    return time.perf_counter() - begun


def sweep(world: World) -> None:
    for what, dry_run in (('looked at', True), ('removed', False)):
        begun = time.perf_counter()
        *_, done = purge.revisions(world.engine, Retention(30, 2),
                                   timestamps.now(), dry_run=dry_run)
        spent = time.perf_counter() - begun
        number = done.checked if dry_run else done.removed
        print(f'{number} {what:33} {number / spent:8.0f} /s', flush=True)


if __name__ == '__main__':
    main()
