# SPDX-License-Identifier: Apache-2.0
"""Declared tables against the real ones: what is missing, added at start.

A start adds what takes nothing away: tables, columns that old rows can have,
indexes. Anything else is refused, with every difference listed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.domain import types
from service.domain.types import Catalogue, Property
from service.errors import StartError
from service.storage.engine import FAILURES, unusable
from service.storage.tables import Tables, owner, table_name


@dataclass(frozen=True)
class Plan:
    """What to add, and what stands in the way of going on."""

    tables: tuple[sa.Table, ...]
    columns: tuple[tuple[sa.Table, Property], ...]
    indexes: tuple[sa.Index, ...]
    refused: tuple[str, ...]

    @property
    def told(self) -> str:
        """What a start would add, in a sentence."""
        wanted = (('tables', [one.name for one in self.tables]),
                  ('columns', [f'{table.name}.{prop.name}'
                               for table, prop in self.columns]),
                  ('indexes', [str(one.name) for one in self.indexes]))
        adds = [f'{what} {", ".join(names)}' for what, names in wanted
                if names]
        return (f'The next start adds {"; ".join(adds)}.' if adds
                else 'The tables fit the types.')


def planned(engine: Engine, catalogue: Catalogue, tables: Tables) -> Plan:
    """What a start would do; StartError where the database does not answer.
    """
    try:
        with engine.connect() as connection:
            return plan(connection, catalogue, tables)
    except FAILURES as exc:
        raise unusable(engine, exc) from exc


def plan(connection: Connection, catalogue: Catalogue,
         tables: Tables) -> Plan:
    """Compare the declared tables with the database's own."""
    inspector = sa.inspect(connection)
    real = set(inspector.get_table_names())
    standing = [one for one in catalogue.live if table_name(one) in real]
    columns: list[tuple[sa.Table, Property]] = []
    indexes: list[sa.Index] = []
    refused: list[str] = []
    for declared in standing:
        table = tables.of(declared)
        names = {one['name'] for one in inspector.get_columns(table.name)}
        columns += [(table, one) for one in declared.live
                    if one.name not in names]
        refused += _extra(declared, names)
        refused += [f'{declared.name}: unique {list(one)} is not in the '
                    f'database' for one in _lost_uniques(
                        inspector, table, declared)]
        known = {one['name'] for one in inspector.get_indexes(table.name)}
        indexes += [one for one in table.indexes if one.name not in known]
    refused += _unfilled(columns)
    return Plan(tuple(one for one in tables.metadata.tables.values()
                      if one.name not in real),
                tuple(columns), tuple(indexes), tuple(refused))


def bring_up(connection: Connection, catalogue: Catalogue,
             tables: Tables) -> None:
    """Add what is missing; StartError lists what only an operator may do."""
    found = plan(connection, catalogue, tables)
    if found.refused:
        raise StartError('the database does not fit the declared types: '
                         + '; '.join(found.refused))
    if found.columns:
        _add(connection, found.columns)
    tables.metadata.create_all(connection, tables=list(found.tables))
    for index in found.indexes:
        index.create(connection)
    _start_counter(connection, tables)


def _add(connection: Connection,
         columns: Iterable[tuple[sa.Table, Property]]) -> None:
    """PERF: alembic takes a tenth of a second to import, and most starts
    add nothing."""
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    operations = Operations(MigrationContext.configure(connection))
    for table, prop in columns:
        operations.add_column(table.name, _added(table, prop))


def _extra(declared: types.ResourceType, names: set[str]) -> Iterator[str]:
    known = {one.name for one in declared.live} | set(types.COMMON)
    for name in sorted(names - known):
        yield (f'{declared.name}: the table has a column {name} that no '
               f'property declares')


def _lost_uniques(inspector: sa.Inspector, table: sa.Table,
                  declared: types.ResourceType
                  ) -> Iterator[tuple[str, ...]]:
    real = {tuple(one['column_names'])
            for one in inspector.get_unique_constraints(table.name)}
    return (names for names in declared.unique
            if (*owner(declared), *names) not in real)


def _unfilled(columns: Iterable[tuple[sa.Table, Property]]) -> Iterator[str]:
    """A new column that old rows can have no value for."""
    for table, prop in columns:
        if not prop.nullable and prop.before is types.MISSING:
            yield (f'{table.name}: the new property {prop.name} is required; '
                   f'give it a default or a backfill')


def _added(table: sa.Table, prop: Property) -> sa.Column[object]:
    """The column, with the value that old rows take."""
    column = table.c[prop.name]
    value = prop.before
    default = None if value is types.MISSING else sa.literal(
        value, column.type)
    return sa.Column(prop.name, column.type, nullable=prop.nullable,
                     server_default=default)


def _start_counter(connection: Connection, tables: Tables) -> None:
    counter = tables.core.counter
    if connection.scalar(sa.select(counter.c.id)) is None:
        connection.execute(sa.insert(counter).values(id=1, n=0, generation=1))
