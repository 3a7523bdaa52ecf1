# SPDX-License-Identifier: Apache-2.0
"""Declared types and records in a real SQLite file, for unit tests.

    world = stored.world(tmp_path, desk='{name: desk, plural: desks, ...}')
    desk = world.make('desk', name='by the door')
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg

from service.config import files as config_files
from service.domain.caller import Caller
from service.domain.catalogue.microversion import FIRST_VERSION
from service.domain.catalogue.types import (
    MISSING,
    Catalogue,
    ResourceType,
    Shape,
)
from service.domain.records.operations import NewRecord, Records
from service.domain.records.preconditions import Precondition
from service.domain.records.store import Record
from service.domain.typefiles import type_files
from service.storage.database import engine
from service.storage.schema import startup
from service.storage.store import SQLStore
from service.storage.tables import declared as declared_tables
from service.storage.tables.declared import Tables

ADMIN = Caller('demo', 'root', frozenset({'admin'}), True, 'req-1')
MEMBER = Caller('demo', 'ada', frozenset({'member'}), False, 'req-2')

#: The precondition of a write without any.
UNCONDITIONAL = Precondition()


def catalogue(**files: str) -> Catalogue:
    """Parse type files, given as name=text."""
    return type_files.parse({f'{name}.yaml': text
                          for name, text in files.items()})


def conf(tmp_path: Path, **groups: Mapping[str, object]) -> cfg.ConfigOpts:
    """Return a configuration with options by group, state in ``tmp_path``."""
    sections = {'DEFAULT': {'state_path': tmp_path / 'state'}, **groups}
    (tmp_path / 'pileus.conf').write_text('\n'.join(
        line for group, options in sections.items()
        for line in (f'[{group}]', *(f'{name} = {value}'
                                     for name, value in options.items()))))
    return config_files.load(['--config-dir', str(tmp_path)])


def connect(tmp_path: Path) -> sa.Engine:
    return engine.connect(conf(tmp_path))


def apply_types(connection: sa.Engine, types: Catalogue) -> Tables:
    """Create the tables of these types, as a start does."""
    startup.prepare(connection, types)
    return declared_tables.build(types)


@dataclass
class World:
    """Records of declared types, and their database."""

    catalogue: Catalogue
    engine: sa.Engine
    tables: Tables
    store: SQLStore
    records: Records

    def type(self, name: str) -> ResourceType:
        return self.catalogue.types[name]

    def shape(self, name: str) -> Shape:
        shape = self.type(name).at(FIRST_VERSION)
        assert shape is not None
        return shape

    def new(self, name: str, /, project: str | None = 'demo',
            **values: Any) -> NewRecord:
        """Return a record to be created; omitted values are defaults."""
        defaults = {
            prop.name: None if prop.default is MISSING else prop.default
            for prop in self.type(name).live}
        return NewRecord({**defaults, **values}, project, f'/{name}')

    def make(self, name: str, /, project: str = 'demo',
             **values: Any) -> Record:
        return self.records.create(self.shape(name), ADMIN, [
            self.new(name, project, **values)])[0]

    def change(self, name: str, id: str, /, **values: Any) -> Record:
        return self.records.change(self.shape(name), ADMIN, id, UNCONDITIONAL,
                                   lambda record: values, f'/{name}')

    def delete(self, name: str, id: str, caller: Caller = ADMIN) -> None:
        self.records.delete(self.type(name), caller, id, UNCONDITIONAL)

    def names(self, name: str) -> list[str]:
        """Return the sorted names of all records of a type."""
        table = self.tables.of(self.type(name))
        return sorted(self.rows(sa.select(table.c.name)))

    def revisions(self) -> list[Mapping[str, Any]]:
        """Return all revisions, oldest first."""
        table = self.tables.core.revisions
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(
                sa.select(table).order_by(table.c.number)).mappings()]

    def rows(self, statement: sa.Select[Any]) -> list[Any]:
        with self.engine.connect() as connection:
            return list(connection.scalars(statement))


def world(tmp_path: Path, max_cascade: int = 1000, **files: str) -> World:
    types = catalogue(**files)
    connection = connect(tmp_path)
    tables = apply_types(connection, types)
    store = SQLStore(connection, tables, 1)
    return World(types, connection, tables, store,
                 Records(types, store, max_cascade))
