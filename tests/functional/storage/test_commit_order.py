# SPDX-License-Identifier: Apache-2.0
"""The log of revisions is in the order of commits, on every database.

Who has read up to a number has read all there will ever be up to it, however
long some transaction takes to end. Numbers that are given when a revision is
inserted, as those of an AUTOINCREMENT or a sequence, do not keep that: a slow
transaction appears behind a reader who has long passed.
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
    """Follows the log, each time from where it was; remembers what it met."""

    def __init__(self, engine: sa.Engine, revisions: sa.Table) -> None:
        self._engine = engine
        self._number = revisions.c.number
        self.met: list[int] = []

    def read(self) -> None:
        self.met += self._numbers(self.met[-1] if self.met else 0)

    def hold(self, written: int) -> None:
        """Raise AssertionError if the log was not as a log is.

        Nothing is in it that this reader did not meet on its way, each number
        once, and there are none between them.
        """
        self.read()
        assert self._numbers(0) == self.met, 'behind the reader'
        assert self.met == list(range(1, written + 1)), 'a gap'

    def _numbers(self, above: int) -> list[int]:
        with self._engine.connect() as connection:
            return list(connection.scalars(
                sa.select(self._number).where(self._number > above)
                .order_by(self._number)))


# In the storage

@pytest.fixture
def world(database: sa.Engine, tmp_path: Path,
          monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Its processes wait a random while before each commit."""
    monkeypatch.setenv(ENVIRONMENT, 'before_commit=sleep 0-0.02')
    with racing.world(database.url, tmp_path, DESK) as made:
        yield made


def write(world: World, source: random.Random, number: int) -> None:
    """Several records in turn, and the same ones from several sides: some
    transactions have much to do before their end, some little."""
    time.sleep(source.uniform(0, 0.01))
    id = insisted(lambda: world.make('desk', place=str(number)))
    insisted(lambda: world.change('desk', id, place='elsewhere'))


def insisted(deed: Callable[[], T]) -> T:
    """Done, however often a busy database asks to try again."""
    while True:
        with contextlib.suppress(errors.Unavailable):
            return deed()


write.times = TIMES


def write_stamped(world: World, source: random.Random, number: int) -> None:
    """As it is easily done wrong. This process is the writers' own."""
    History.seal = _stamp
    write(world, source, number)


write_stamped.times = TIMES


def _stamp(rows: History) -> None:
    """Take the number as AUTOINCREMENT does: at once, for all to see."""
    core = rows._tables.core
    with rows._connection.engine.begin() as other:
        other.execute(sa.update(core.counter).values(n=core.counter.c.n + 1))
        number = other.scalar(sa.select(core.counter.c.n))
    rows._connection.execute(sa.insert(core.revisions).values([
        {'number': number, **one._asdict()} for one in rows._revisions]))


def followed(world: World, deed: Callable[..., None]) -> None:
    reader = Reader(world.engine, world.tables.core.revisions)
    told = racing.race(world, deed, WRITERS, reader.read)
    reader.hold(2 * WRITERS * TIMES)
    assert told == Counter({'': WRITERS * TIMES})


def test_nothing_appears_behind_a_reader(world):
    """C07: the log is the log of commits, whoever takes how long."""
    followed(world, write)


def test_a_number_of_the_insert_would_appear_behind(world):
    """C07: or the test above would say nothing. SQLite has one writer at a
    time, to whom it makes no difference."""
    if world.engine.dialect.name == 'sqlite':
        pytest.skip('SQLite has one writer at a time')
    with pytest.raises(AssertionError, match='behind the reader'):
        followed(world, write_stamped)


# Over HTTP

@contextlib.contextmanager
def served(tmp_path: Path, kind: str) -> Iterator[tuple[Daemon, Reader]]:
    """Two workers who wait before each commit, and a reader of their log."""
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
def test_what_is_acknowledged_is_in_the_log_in_order(tmp_path, kind):
    """C07: across workers; and who wrote finds the revision at once."""
    with served(tmp_path, kind) as (daemon, reader):
        def client(number: int) -> list[int]:
            """The numbers of its writes, as its own history tells them."""
            path = f'/v1/desks/{uuid.UUID(int=number)}'
            told = []
            for place in range(TIMES):
                sent = put(daemon, number, path, str(place))
                newest = daemon.request('GET', f'{path}/revisions?limit=1',
                                        None, project(number))
                one, = newest.json['revisions']
                assert one['desk'] == sent
                told.append(one['number'])
            return told
        with ThreadPoolExecutor(WRITERS + 1) as threads:
            clients = [threads.submit(client, number)
                       for number in range(WRITERS)]
            while not all(one.done() for one in clients):
                reader.read()
        numbers = [one.result() for one in clients]
        assert all(one == sorted(one) for one in numbers)
        assert len({each for one in numbers for each in one}) == (
            WRITERS * TIMES)
        reader.hold(WRITERS * TIMES)


def project(number: int) -> dict[str, str]:
    """One for each writer: those of one project wait for each other's
    quota, and here they shall meet at the very end."""
    return {'X-Project-Id': f'p{number}'}


def put(daemon: Daemon, number: int, path: str, place: str) -> dict[str, Any]:
    while True:
        reply = daemon.request('PUT', path, {'desk': {'place': place}},
                               project(number))
        if reply.status != 503:
            assert reply.status in (200, 201), reply.body
            return reply.json['desk']
