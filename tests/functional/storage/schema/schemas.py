# SPDX-License-Identifier: Apache-2.0
"""A database to which tests apply one catalogue after another."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from service.domain.catalogue.types import Catalogue
from service.domain.typefiles import type_files
from service.storage import migrations
from service.storage.database import engine
from service.storage.schema import apply
from service.storage.schema import plan as schema_plan
from service.storage.tables import declared as declared_tables
from tests.functional.storage.schema.changes import IDS, Case, Rows, Words

CREATED_AT = '2026-01-01T00:00:00.000000Z'

#: How to drop tables in spite of references.
EMPTYING = {
    'sqlite': ('PRAGMA foreign_keys = OFF', 'DROP TABLE {}'),
    'postgresql': ('SELECT 1', 'DROP TABLE {} CASCADE'),
    'mysql': ('SET foreign_key_checks = 0', 'DROP TABLE {}')}


def catalogue(types: Sequence[Words]) -> Catalogue:
    return type_files.parse(texts(types))


def texts(types: Sequence[Words]) -> dict[str, str]:
    """Return type files by name, in JSON, which is valid YAML."""
    return {f'{type_["name"]}.yaml': json.dumps(type_, ensure_ascii=False)
            for type_ in types}


class Schema:
    """A database; ``directory`` has the configuration with its URL."""

    def __init__(self, connected: sa.Engine, directory: Path) -> None:
        self.engine = connected
        self.directory = directory
        migrations.upgrade(connected)

    def empty(self) -> None:
        """Drop all tables of types and forget the applied types."""
        before, drop = EMPTYING[self.engine.dialect.name]
        with self.engine.connect() as connection:
            connection.detach()
            connection.exec_driver_sql(before)
            for name in sa.inspect(connection).get_table_names():
                if name.startswith(declared_tables.PREFIX):
                    connection.exec_driver_sql(drop.format(name))
            connection.execute(sa.text('DELETE FROM pileus_catalogues'))
            connection.commit()

    def plan(self, types: Sequence[Words]) -> schema_plan.Plan:
        return schema_plan.of_database(self.engine, catalogue(types))

    def apply(self, types: Sequence[Words],
              **options: Any) -> apply.ApplyResult:
        return apply.apply(self.engine, catalogue(types), **options)

    def fill(self, types: Sequence[Words], name: str, rows: Rows) -> None:
        declared = catalogue(types).types[name]
        table = declared_tables.build(catalogue(types)).of(declared)
        common: dict[str, Any] = {
            'generation': 1, 'created_at': CREATED_AT,
            'updated_at': CREATED_AT,
            'tags': ['red'], 'metadata': {'a': 'b'}}
        if declared.owned:
            common['project_id'] = 'demo'
        empty = {prop.name: None for prop in declared.live}
        if rows:
            with engine.writer(self.engine).begin() as connection:
                connection.execute(sa.insert(table), [
                    {**common, **empty, 'id': id, **row}
                    for id, row in zip(IDS, rows, strict=False)])

    def rows(self, types: Sequence[Words],
             name: str) -> list[Mapping[str, Any]]:
        parsed = catalogue(types)
        table = declared_tables.build(parsed).of(parsed.types[name])
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(
                sa.select(table).order_by(table.c.id)).mappings()]

    def prepare(self, case: Case) -> None:
        """Apply the old types of a case and insert its rows."""
        self.apply(case.old)
        for name, rows in case.others.items():
            self.fill(case.old, name, rows)
        self.fill(case.old, 'box', case.rows)
