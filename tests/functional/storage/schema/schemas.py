# SPDX-License-Identifier: Apache-2.0
"""A database that types are applied to, one catalogue after another."""

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

MADE = '2026-01-01T00:00:00.000000Z'

#: How to drop tables whatever refers to them.
EMPTYING = {
    'sqlite': ('PRAGMA foreign_keys = OFF', 'DROP TABLE {}'),
    'postgresql': ('SELECT 1', 'DROP TABLE {} CASCADE'),
    'mysql': ('SET foreign_key_checks = 0', 'DROP TABLE {}')}


def catalogue(types: Sequence[Words]) -> Catalogue:
    return type_files.parse(texts(types))


def texts(types: Sequence[Words]) -> dict[str, str]:
    """The type files, by name: JSON is YAML."""
    return {f'{one["name"]}.yaml': json.dumps(one, ensure_ascii=False)
            for one in types}


class Schema:
    """``directory`` has the configuration that names the database."""

    def __init__(self, made: sa.Engine, directory: Path) -> None:
        self.engine = made
        self.directory = directory
        migrations.upgrade(made)

    def empty(self) -> None:
        """As if nothing had ever been applied to it."""
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

    def apply(self, types: Sequence[Words], **how: Any) -> apply.ApplyResult:
        return apply.apply(self.engine, catalogue(types), **how)

    def fill(self, types: Sequence[Words], name: str, rows: Rows) -> None:
        declared = catalogue(types).types[name]
        table = declared_tables.build(catalogue(types)).of(declared)
        common: dict[str, Any] = {
            'generation': 1, 'created_at': MADE, 'updated_at': MADE,
            'tags': ['red'], 'metadata': {'a': 'b'}}
        if declared.owned:
            common['project_id'] = 'demo'
        empty = {one.name: None for one in declared.live}
        if rows:
            with engine.writer(self.engine).begin() as connection:
                connection.execute(sa.insert(table), [
                    {**common, **empty, 'id': id, **row}
                    for id, row in zip(IDS, rows, strict=False)])

    def rows(self, types: Sequence[Words],
             name: str) -> list[Mapping[str, Any]]:
        found = catalogue(types)
        table = declared_tables.build(found).of(found.types[name])
        with self.engine.connect() as connection:
            return [dict(one) for one in connection.execute(
                sa.select(table).order_by(table.c.id)).mappings()]

    def filled(self, case: Case) -> None:
        self.apply(case.old)
        for name, rows in case.others.items():
            self.fill(case.old, name, rows)
        self.fill(case.old, 'box', case.rows)
