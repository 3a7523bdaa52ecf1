# SPDX-License-Identifier: Apache-2.0
"""What a version's script is made of: steps that may be taken twice.

MariaDB keeps each change of a table at once, so that a script which was
killed half-way is run again over what it did. Each step looks first.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from service import failpoints
from service.storage.tables import layouts

#: MariaDB and MySQL: the engine with transactions and foreign keys.
_ENGINE: Any = {'mysql_engine': 'InnoDB', 'mysql_charset': 'utf8mb4'}


def table(name: str, *parts: sa.schema.SchemaItem) -> None:
    """Make a table, unless it is there."""
    if not _look().has_table(name):
        op.create_table(name, *parts, **_ENGINE)
        _taken()


def column(table: str, made: sa.Column[Any]) -> None:
    """Add a column, unless it is there."""
    names = {one['name'] for one in _look().get_columns(table)}
    if made.name not in names:
        op.add_column(table, made)
        _taken()


def kind(table: str, wanted: sa.Column[Any], using: str) -> None:
    """Let a column be of this type; PostgreSQL is told what of the old value
    the new one is made of."""
    dialect = op.get_bind().dialect
    found = next(one['type'] for one in _look().get_columns(table)
                 if one['name'] == wanted.name)
    if layouts.type_name(found, dialect) == layouts.type_name(
            wanted.type, dialect):
        return
    op.alter_column(table, wanted.name, type_=wanted.type,
                    existing_type=found, existing_nullable=wanted.nullable,
                    nullable=wanted.nullable, postgresql_using=using)
    _taken()


def index(name: str, table: str, *columns: str) -> None:
    """Let the index of this name be over these columns."""
    found = {one['name']: one['column_names']
             for one in _look().get_indexes(table)}
    if found.get(name) == list(columns):
        return
    if name in found:
        op.drop_index(name, table)
    op.create_index(name, table, list(columns))
    _taken()


def row(table: str, **values: Any) -> None:
    """Add the only row of a table, unless it has one."""
    made = sa.table(table, *(sa.column(name) for name in values))
    connection = op.get_bind()
    if not connection.scalar(sa.select(sa.func.count()).select_from(made)):
        connection.execute(sa.insert(made).values(**values))
        _taken()


def _look() -> sa.Inspector:
    return sa.inspect(op.get_bind())


def _taken() -> None:
    failpoints.reach('after_migration_step')
