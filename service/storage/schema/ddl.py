# SPDX-License-Identifier: Apache-2.0
"""The DDL of steps, which can be printed or executed.

Each function returns the work of a step: a function on alembic's Operations.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.schema import AddConstraint, CreateIndex, CreateTable
from sqlalchemy.sql.elements import Grouping

from service.domain.catalogue.types import MISSING
from service.storage.schema.steps import Work
from service.storage.tables.columns import MYSQL

if TYPE_CHECKING:
    from alembic.operations import Operations

SQLITE = 'sqlite'
POSTGRESQL = 'postgresql'


def several(*works: Work) -> Work:
    """Return the works as one, in this order."""
    def run(operations: Operations) -> None:
        for work in works:
            work(operations)
    return run


def execute(statement: str) -> Work:
    """Execute a statement in the database's own SQL."""
    return lambda operations: operations.execute(sa.text(
        statement.replace(':', '\\:')))


# Tables

def create(table: sa.Table) -> Work:
    """Create a table and its indexes.

    Foreign keys are separate steps, because their target tables may be
    created later. SQLite cannot add a foreign key to an existing table, and
    looks for the target only when a row is written.
    """
    def work(operations: Operations) -> None:
        sqlite = _dialect(operations) == SQLITE
        operations.execute(CreateTable(
            table, include_foreign_key_constraints=None if sqlite else []))
        for index in _ordered(table):
            operations.execute(CreateIndex(index))
    return work


def _ordered(table: sa.Table) -> list[sa.Index]:
    return sorted(table.indexes, key=lambda index: str(index.name))


def drop_table(name: str) -> Work:
    return lambda operations: operations.drop_table(name)


def rename_table(old: str, new: str) -> Work:
    return lambda operations: operations.rename_table(old, new)


def delete(table: sa.Table, condition: sa.ColumnElement[bool]) -> Work:
    return lambda operations: operations.execute(
        sa.delete(table).where(condition))


# Columns

def add_column(column: sa.Column[Any], value: Any) -> Work:
    """Add a column with ``value`` in the existing rows, unless MISSING.

    The value is a column default, which is then dropped: an INSERT without
    the column is a bug and has to fail. SQLite cannot drop a default.
    """
    table = column.table.name

    def work(operations: Operations) -> None:
        dialect = _dialect(operations)
        operations.add_column(
            table, _with_default(column, value, dialect),
            inline_references=dialect == SQLITE)
        if value is not MISSING and dialect != SQLITE:
            drop_default(column, bool(column.nullable))(operations)
    return work


def drop_default(column: sa.Column[Any], nullable: bool) -> Work:
    """Drop the default value of a column."""
    return lambda operations: operations.alter_column(
        column.table.name, column.name, server_default=None,
        existing_type=column.type, existing_nullable=nullable)


def _with_default(column: sa.Column[Any], value: Any,
                  dialect: str) -> sa.Column[Any]:
    default: Any = None
    if value is not MISSING:
        default = sa.literal(value, column.type)
        if dialect in MYSQL:
            # MySQL accepts the default of a long text only as an expression.
            default = Grouping(default)
    foreign_keys = [sa.ForeignKey(key.target_fullname, deferrable=True,
                                  initially='IMMEDIATE')
                    for key in column.foreign_keys
                    ] if dialect == SQLITE else []
    return sa.Column(column.name, column.type, *foreign_keys,
                     nullable=bool(column.nullable), server_default=default)


def drop_column(table: str, name: str) -> Work:
    return lambda operations: operations.drop_column(table, name)


def rename_column(table: str, old: str, new: str) -> Work:
    """Rename a column by a statement that every supported database has.

    Alembic's statement for MariaDB and MySQL repeats the column's definition.
    """
    def work(operations: Operations) -> None:
        operations.execute(
            f'ALTER TABLE {_quoted(operations, table)} RENAME COLUMN '
            f'{_quoted(operations, old)} TO {_quoted(operations, new)}')
    return work


def change_type(column: sa.Column[Any], nullable: bool, *,
                by_text: bool) -> Work:
    """Change the type of a column, which stays nullable or not.

    PostgreSQL cannot convert between some types, even if all values are null.
    With ``by_text`` it converts to text first, which always works for nulls.
    """
    def work(operations: Operations) -> None:
        using = (_quoted(operations, column.name) + '::text' * by_text + '::'
                 + column.type.compile(operations.get_context().dialect)
                 .split(' COLLATE')[0])
        operations.alter_column(
            column.table.name, column.name, type_=column.type,
            existing_type=column.type, existing_nullable=nullable,
            postgresql_using=using)
    return work


def nullable(column: sa.Column[Any]) -> Work:
    """Allow or forbid null, as the column declares."""
    return lambda operations: operations.alter_column(
        column.table.name, column.name, nullable=bool(column.nullable),
        existing_type=column.type, existing_nullable=not column.nullable)


# Keys

def add_key(key: sa.Constraint | sa.Index) -> Work:
    """Add an index or a constraint.

    ``isolate_from_table=False`` keeps the constraint in the table's
    definition, from which SQLite's table may be rebuilt.
    """
    statement = (CreateIndex(key) if isinstance(key, sa.Index)
                 else AddConstraint(key, isolate_from_table=False))
    return lambda operations: operations.execute(statement)


def drop_index(table: str, name: str) -> Work:
    return lambda operations: operations.drop_index(name, table_name=table)


def drop_constraint(table: str, name: str, type: str) -> Work:
    """Drop a constraint of alembic's ``type``: unique, foreignkey or check.
    """
    return lambda operations: operations.drop_constraint(name, table,
                                                         type_=type)


def rename_key(table: str, old: str, new: str, *, unique: bool) -> Work:
    """Rename an index or a unique constraint."""
    def work(operations: Operations) -> None:
        statement = _RENAME_KEY[_dialect(operations), unique]
        operations.execute(statement.format(
            table=_quoted(operations, table), old=_quoted(operations, old),
            new=_quoted(operations, new)))
    return work


_RENAME_KEY: Mapping[tuple[str, bool], str] = {
    (POSTGRESQL, False): 'ALTER INDEX {old} RENAME TO {new}',
    (POSTGRESQL, True): 'ALTER TABLE {table} RENAME CONSTRAINT {old} '
                        'TO {new}',
    **{(name, unique): 'ALTER TABLE {table} RENAME INDEX {old} TO {new}'
       for name in MYSQL for unique in (False, True)}}


def _dialect(operations: Operations) -> str:
    return operations.get_context().dialect.name


def _quoted(operations: Operations, name: str) -> str:
    dialect = operations.get_context().dialect
    return str(dialect.identifier_preparer.quote(name))


# SQLite

def rebuild(table: sa.Table, values: Mapping[str, Any]) -> Work:
    """Replace a table by a new one with the same rows.

    SQLite can change little of an existing table. ``values`` has the
    expression for each column. Foreign keys are off meanwhile: other tables
    refer to the table by name, and dropping the old one must not change their
    rows (D24).
    """
    new_name = f'new_{table.name}'

    def work(operations: Operations) -> None:
        dialect = operations.get_context().dialect
        create = str(CreateTable(table).compile(dialect=dialect))
        execute(create.replace(table.name, new_name, 1))(operations)
        operations.execute(sa.insert(sa.table(
            new_name, *map(sa.column, values))).from_select(
            list(values), sa.select(*values.values())))
        operations.drop_table(table.name)
        operations.rename_table(new_name, table.name)
        for index in _ordered(table):
            operations.execute(CreateIndex(index))
    return work
