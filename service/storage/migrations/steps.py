# SPDX-License-Identifier: Apache-2.0
"""The steps of migration scripts, which can be repeated.

MariaDB and MySQL commit each change of a table at once. A script that was
killed is run again, so each step first checks whether it is already done.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from service import failpoints
from service.storage.tables import layouts

#: Options of MariaDB and MySQL: the engine with transactions and foreign
#: keys, and four-byte characters.
_ENGINE: Any = {'mysql_engine': 'InnoDB', 'mysql_charset': 'utf8mb4'}


def table(name: str, *parts: sa.schema.SchemaItem) -> None:
    """Create a table unless it exists."""
    if not _inspector().has_table(name):
        op.create_table(name, *parts, **_ENGINE)
        _done()


def column(table: str, added: sa.Column[Any]) -> None:
    """Add a column unless it exists."""
    names = {column['name'] for column in _inspector().get_columns(table)}
    if added.name not in names:
        op.add_column(table, added)
        _done()


def kind(table: str, wanted: sa.Column[Any], using: str) -> None:
    """Change the type of a column; ``using`` is PostgreSQL's expression that
    converts the old value."""
    dialect = op.get_bind().dialect
    type_ = next(column['type'] for column in _inspector().get_columns(table)
                 if column['name'] == wanted.name)
    if layouts.type_name(type_, dialect) == layouts.type_name(
            wanted.type, dialect):
        return
    op.alter_column(table, wanted.name, type_=wanted.type,
                    existing_type=type_, existing_nullable=wanted.nullable,
                    nullable=wanted.nullable, postgresql_using=using)
    _done()


def index(name: str, table: str, *columns: str) -> None:
    """Create the index on these columns, or replace one of this name."""
    existing = {index['name']: index['column_names']
                for index in _inspector().get_indexes(table)}
    if existing.get(name) == list(columns):
        return
    if name in existing:
        op.drop_index(name, table)
    op.create_index(name, table, list(columns))
    _done()


def row(table: str, **values: Any) -> None:
    """Insert the only row of a table unless the table has one."""
    target = sa.table(table, *(sa.column(name) for name in values))
    connection = op.get_bind()
    if not connection.scalar(sa.select(sa.func.count()).select_from(target)):
        connection.execute(sa.insert(target).values(**values))
        _done()


def _inspector() -> sa.Inspector:
    return sa.inspect(op.get_bind())


def _done() -> None:
    failpoints.reach('after_migration_step')
