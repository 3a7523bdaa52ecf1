# SPDX-License-Identifier: Apache-2.0
"""Revision numbers follow the order of commits, on each database.

A reader that has read up to a number has all revisions up to it, however long
a transaction takes. Numbers that are assigned at the INSERT, such as those of
AUTOINCREMENT or a sequence, do not have this property: the revision of a slow
transaction appears behind the reader.
"""

from __future__ import annotations

import contextlib
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
import sqlalchemy as sa

from service.domain import errors
from service.failpoints import ENVIRONMENT
from service.storage.rows.revisions import History
from tests.functional.harness import databases
from tests.functional.harness.daemon import Daemon, config_dir
from tests.functional.storage import racing
from tests.functional.storage.racing import World

T = TypeVar('T')
WRITERS, TIMES = 32, 3
DESK = {'desk': '''
name: desk
plural: desks
properties: {place: {type: string}}
'''}


class Reader:
    """Reads the revision log repeatedly from its last position."""

    def __init__(self, engine: sa.Engine, revisions: sa.Table) -> None:
        self._engine = engine
        self._number = revisions.c.number
        self.numbers: list[int] = []

    def read(self) -> None:
        self.numbers += self._above(self.numbers[-1] if self.numbers else 0)

    def verify(self, written: int) -> None:
        """Raise AssertionError if this reader missed a revision, or if the
        numbers have a gap."""
        self.read()
        assert self._above(0) == self.numbers, 'behind the reader'
        assert self.numbers == list(range(1, written + 1)), 'a gap'

    def _above(self, number: int) -> list[int]:
        with self._engine.connect() as connection:
            return list(connection.scalars(
                sa.select(self._number).where(self._number > number)
                .order_by(self._number)))


# In the store

@pytest.fixture
def world(database: sa.Engine, tmp_path: Path,
          monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A world whose processes wait for a random time before each commit."""
    monkeypatch.setenv(ENVIRONMENT, 'before_commit=sleep 0-0.02')
    with racing.world(database.url, tmp_path, DESK) as world:
        yield world


def write(world: World, source: random.Random, number: int) -> None:
    """Create a record and change it, after a random delay."""
    time.sleep(source.uniform(0, 0.01))
    id = retried(lambda: world.make('desk', place=str(number)))
    retried(lambda: world.change('desk', id, place='elsewhere'))


def retried(action: Callable[[], T]) -> T:
    """Repeat an action while the database is unavailable."""
    while True:
        with contextlib.suppress(errors.Unavailable):
            return action()


write.times = TIMES


def write_stamped(world: World, source: random.Random, number: int) -> None:
    """The wrong implementation. Only this process of writers is patched."""
    History.seal = _stamp
    write(world, source, number)


write_stamped.times = TIMES


def _stamp(rows: History) -> None:
    """Take a number as AUTOINCREMENT does: in a transaction of its own."""
    core = rows._tables.core
    with rows._connection.engine.begin() as other:
        other.execute(sa.update(core.counter).values(n=core.counter.c.n + 1))
        number = other.scalar(sa.select(core.counter.c.n))
    rows._connection.execute(sa.insert(core.revisions).values([
        {'number': number, **revision._asdict()}
        for revision in rows._revisions]))


def race_and_verify(world: World, action: Callable[..., None]) -> None:
    reader = Reader(world.engine, world.tables.core.revisions)
    outcomes = racing.race(world, action, WRITERS, reader.read)
    reader.verify(2 * WRITERS * TIMES)
    assert outcomes == Counter({'': WRITERS * TIMES})


def test_no_revision_appears_behind_a_reader(world):
    """C07: numbers follow the order of commits, however long each takes."""
    race_and_verify(world, write)


def test_numbers_assigned_at_the_insert_appear_behind_a_reader(world):
    """C07: shows that the test above can fail."""
    if world.engine.dialect.name == 'sqlite':
        pytest.skip('SQLite has one writer at a time')
    with pytest.raises(AssertionError, match='behind the reader'):
        race_and_verify(world, write_stamped)


# Over HTTP

@contextlib.contextmanager
def served(tmp_path: Path, kind: str) -> Iterator[tuple[Daemon, Reader]]:
    """Start two workers that wait before each commit, and a reader."""
    url = (sa.make_url(f'sqlite:///{tmp_path}/order.sqlite')
           if kind == 'sqlite' else databases.create(kind))
    directory = config_dir(tmp_path, DESK, {
        'api': {'workers': 2},
        'database': {'connection': databases.config_url(url)}})
    engine = sa.create_engine(url)
    table = sa.Table('pileus_revisions', sa.MetaData(),
                     sa.Column('number', sa.BigInteger()))
    with Daemon(directory, env={
            ENVIRONMENT: 'before_commit=sleep 0-0.02'}) as daemon:
        yield daemon, Reader(engine, table)
    engine.dispose()


@pytest.mark.parametrize('kind', ['sqlite', *databases.SERVERS])
def test_acknowledged_writes_of_two_workers_are_in_the_log_in_order(
        tmp_path, kind):
    """C07: and the writer finds its revision at once."""
    with served(tmp_path, kind) as (daemon, reader):
        def client(number: int) -> list[int]:
            """Return the revision numbers of its writes."""
            path = f'/v1/desks/{uuid.UUID(int=number)}'
            numbers = []
            for place in range(TIMES):
                sent = put(daemon, number, path, str(place))
                newest = daemon.request('GET', f'{path}/revisions?limit=1',
                                        None, project(number))
                revision, = newest.json['revisions']
                assert revision['desk'] == sent
                numbers.append(revision['number'])
            return numbers
        with ThreadPoolExecutor(WRITERS + 1) as threads:
            clients = [threads.submit(client, number)
                       for number in range(WRITERS)]
            while not all(future.done() for future in clients):
                reader.read()
        by_client = [future.result() for future in clients]
        assert all(numbers == sorted(numbers) for numbers in by_client)
        assert len({number for numbers in by_client for number in numbers}
                   ) == WRITERS * TIMES
        reader.verify(WRITERS * TIMES)


def project(number: int) -> dict[str, str]:
    """Return a project for each writer: writers of one project would wait
    for each other's quota rather than meet at the commit."""
    return {'X-Project-Id': f'p{number}'}


def put(daemon: Daemon, number: int, path: str, place: str) -> dict[str, Any]:
    while True:
        reply = daemon.request('PUT', path, {'desk': {'place': place}},
                               project(number))
        if reply.status != 503:
            assert reply.status in (200, 201), reply.body
            return reply.json['desk']
