# SPDX-License-Identifier: Apache-2.0
"""Many processes and threads that write to one database concurrently.

    with racing.world(url, tmp_path, types) as world:
        outcomes = racing.race(world, action, 32)

Each process has its own connections, as workers have.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import (
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from service.config import files as config_files
from service.domain import errors
from service.domain.caller import Caller
from service.domain.catalogue.microversion import FIRST_VERSION
from service.domain.catalogue.types import MISSING, Shape
from service.domain.records.operations import NewRecord, Records
from service.domain.records.preconditions import Precondition
from service.domain.typefiles import type_files
from service.storage.database import engine
from service.storage.store import SQLStore
from service.storage.tables import declared as declared_tables
from service.storage.tables import exclusion
from service.storage.tables.declared import Tables
from tests.functional.harness.daemon import SHIPPED_CONFIG, config_dir

ADMIN = Caller('demo', 'root', frozenset({'admin'}), True)
PROCESSES = 4


@dataclass
class World:
    """The records of one database, with the connections of one process."""

    directory: Path
    types: Mapping[str, str]
    records: Records
    store: SQLStore
    tables: Tables
    engine: sa.Engine
    shapes: Mapping[str, Shape]

    def make(self, name: str, /, **values: Any) -> str:
        """Create a record of a type; return its id."""
        new = self._new(name, values)
        records = self.records.create(self.shapes[name], ADMIN, [new])
        return str(records[0]['id'])

    def put(self, name: str, id: str, /, **values: Any) -> None:
        """Create or replace the record with this id."""
        new = self._new(name, values)
        self.records.replace(self.shapes[name], ADMIN, id, Precondition(),
                             lambda: new, lambda record: new.values,
                             f'/{name}')

    def change(self, name: str, id: str, /, **values: Any) -> None:
        self.records.change(self.shapes[name], ADMIN, id, Precondition(),
                            lambda record: values, f'/{name}')

    def delete(self, name: str, id: str, /) -> None:
        self.records.delete(self.shapes[name].declared, ADMIN, id,
                            Precondition())

    def _new(self, name: str, values: Mapping[str, Any]) -> NewRecord:
        """Return a new record with defaults for missing values."""
        defaults = {prop.name: None if prop.default is MISSING
                    else prop.default
                    for prop in self.shapes[name].declared.live}
        return NewRecord({**defaults, **values}, 'demo', f'/{name}')

    def table(self, name: str) -> sa.Table:
        return self.tables.of(self.shapes[name].declared)

    def rows(self, statement: sa.Select[Any]) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.execute(statement))


def shipped() -> dict[str, str]:
    return {path.stem: path.read_text()
            for path in (SHIPPED_CONFIG / 'resources.d').glob('*.yaml')}


@contextlib.contextmanager
def world(url: sa.URL, tmp_path: Path, types: Mapping[str, str],
          constrained: bool = True) -> Iterator[World]:
    """Create these types in an empty database.

    On PostgreSQL, exclusion constraints are added if ``constrained``.
    """
    directory = config_dir(tmp_path, conf={'database': {
        'connection': url.render_as_string(hide_password=False),
        'statement_timeout': 120, 'lock_timeout': 120}})
    with opened(directory, types) as world:
        _create(world, constrained)
        yield world


@contextlib.contextmanager
def opened(directory: Path, types: Mapping[str, str]) -> Iterator[World]:
    """Connect to the database of a world, in this process."""
    catalogue = type_files.parse({f'{name}.yaml': text
                               for name, text in types.items()})
    connected = engine.connect(
        config_files.load(['--config-dir', str(directory)]))
    built = declared_tables.build(catalogue)
    store = SQLStore(connected, built, 1)
    shapes = {declared.name: shape for declared in catalogue.live
              if (shape := declared.at(FIRST_VERSION)) is not None}
    try:
        yield World(directory, types, Records(catalogue, store, 1000), store,
                    built, connected, shapes)
    finally:
        store.close()


def _create(world: World, constrained: bool) -> None:
    with world.engine.begin() as connection:
        world.tables.metadata.drop_all(connection)
        world.tables.metadata.create_all(connection)
        connection.execute(sa.insert(world.tables.core.counter).values(
            id=1, n=0, generation=1))
        if constrained and exclusion.possible(connection):
            connection.exec_driver_sql(exclusion.EXTENSION)
            for shape in world.shapes.values():
                for statement in exclusion.statements(
                        shape.declared, world.tables.of(shape.declared),
                        connection.dialect).values():
                    connection.exec_driver_sql(statement)


Action = Callable[[World, random.Random, int], None]


def race(world: World, action: Action, clients: int,
         meanwhile: Callable[[], object] = lambda: None) -> Counter[str]:
    """Run ``action`` as many concurrent clients, in several processes.

    Returns the number of each outcome: '' or the code of an error.
    ``meanwhile`` is called repeatedly until the last client is done.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([__name__])
    each = -(-clients // PROCESSES)
    with (context.Manager() as manager,
          ProcessPoolExecutor(PROCESSES, context) as pool):
        start = manager.Barrier(PROCESSES)
        futures: list[Future[Counter[str]]] = [
            pool.submit(_run, world.directory, world.types, action,
                        range(first, first + each), start)
            for first in range(0, clients, each)]
        while wait(futures, 0.001).not_done:
            meanwhile()
        return sum((future.result() for future in futures), Counter())


def _run(directory: Path, types: Mapping[str, str], action: Action,
         clients: range, start: Any) -> Counter[str]:
    """Run the clients of one process, once all processes are ready."""
    outcomes: Counter[str] = Counter()
    with (opened(directory, types) as world,
          ThreadPoolExecutor(len(clients)) as threads):
        world.store.read(lambda rows: None)
        start.wait(60)
        for some in threads.map(
                lambda number: _client(world, action, number), clients):
            outcomes += some
    return outcomes


def _client(world: World, action: Action, number: int) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    source = random.Random(number)
    for _ in range(getattr(action, 'times', 1)):
        try:
            action(world, source, number)
            outcomes[''] += 1
        except errors.PileusError as exc:
            outcomes[exc.code] += 1
    return outcomes
