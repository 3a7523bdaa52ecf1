# SPDX-License-Identifier: Apache-2.0
"""Many processes and threads that write to one database at once.

    with racing.world(url, tmp_path) as world:
        told = racing.race(world, deed, 32)

Each process opens the database for itself, as workers do.
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
    """The records of one database, as one process has them."""

    directory: Path
    types: Mapping[str, str]
    records: Records
    store: SQLStore
    tables: Tables
    engine: sa.Engine
    shapes: Mapping[str, Shape]

    def make(self, name: str, /, **values: Any) -> str:
        """Create a record of one of the types; its id."""
        new = self._new(name, values)
        made = self.records.create(self.shapes[name], ADMIN, [new])
        return str(made[0]['id'])

    def put(self, name: str, id: str, /, **values: Any) -> None:
        """Create a record under an id, or replace it."""
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
        """What is not given has its default."""
        defaults = {one.name: None if one.default is MISSING else one.default
                    for one in self.shapes[name].declared.live}
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
    """These types on an empty database; on PostgreSQL with its own guard of
    periods if ``constrained``."""
    directory = config_dir(tmp_path, conf={'database': {
        'connection': url.render_as_string(hide_password=False),
        'statement_timeout': 120, 'lock_timeout': 120}})
    with opened(directory, types) as made:
        _create(made, constrained)
        yield made


@contextlib.contextmanager
def opened(directory: Path, types: Mapping[str, str]) -> Iterator[World]:
    """The same in another process."""
    catalogue = type_files.parse({f'{name}.yaml': text
                               for name, text in types.items()})
    connected = engine.connect(
        config_files.load(['--config-dir', str(directory)]))
    built = declared_tables.build(catalogue)
    store = SQLStore(connected, built, 1)
    shapes = {one.name: shape for one in catalogue.live
              if (shape := one.at(FIRST_VERSION)) is not None}
    try:
        yield World(directory, types, Records(catalogue, store, 1000), store,
                    built, connected, shapes)
    finally:
        store.close()


def _create(made: World, constrained: bool) -> None:
    with made.engine.begin() as connection:
        made.tables.metadata.drop_all(connection)
        made.tables.metadata.create_all(connection)
        connection.execute(sa.insert(made.tables.core.counter).values(
            id=1, n=0, generation=1))
        if constrained and exclusion.possible(connection):
            connection.exec_driver_sql(exclusion.EXTENSION)
            for shape in made.shapes.values():
                for said in exclusion.statements(
                        shape.declared, made.tables.of(shape.declared),
                        connection.dialect).values():
                    connection.exec_driver_sql(said)


Deed = Callable[[World, random.Random, int], None]


def race(world: World, deed: Deed, clients: int,
         meanwhile: Callable[[], object] = lambda: None) -> Counter[str]:
    """Do ``deed`` as so many clients at once, spread over processes.

    What came of each is counted: '' or the code of its error. ``meanwhile``
    is done over and over until the last client is done.
    """
    context = multiprocessing.get_context('forkserver')
    context.set_forkserver_preload([__name__])
    each = -(-clients // PROCESSES)
    with (context.Manager() as manager,
          ProcessPoolExecutor(PROCESSES, context) as pool):
        start = manager.Barrier(PROCESSES)
        futures: list[Future[Counter[str]]] = [
            pool.submit(_run, world.directory, world.types, deed,
                        range(first, first + each), start)
            for first in range(0, clients, each)]
        while wait(futures, 0.001).not_done:
            meanwhile()
        return sum((one.result() for one in futures), Counter())


def _run(directory: Path, types: Mapping[str, str], deed: Deed,
         clients: range, start: Any) -> Counter[str]:
    """One process's clients, who begin when those of all others do."""
    told: Counter[str] = Counter()
    with (opened(directory, types) as made,
          ThreadPoolExecutor(len(clients)) as threads):
        made.store.read(lambda rows: None)
        start.wait(60)
        for some in threads.map(lambda one: _client(made, deed, one),
                                clients):
            told += some
    return told


def _client(made: World, deed: Deed, number: int) -> Counter[str]:
    told: Counter[str] = Counter()
    source = random.Random(number)
    for _ in range(getattr(deed, 'times', 1)):
        try:
            deed(made, source, number)
            told[''] += 1
        except errors.PileusError as exc:
            told[exc.code] += 1
    return told
