# SPDX-License-Identifier: Apache-2.0
"""The statements of a schema's change, each to be printed or run.

Each function gives the work of a step: a function of alembic's Operations.
Where databases spell a thing differently, a table has the words.
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
    """One work after the other."""
    def work(operations: Operations) -> None:
        for one in works:
            one(operations)
    return work


def said(statement: str) -> Work:
    """A statement in the words of its own database."""
    return lambda operations: operations.execute(sa.text(
        statement.replace(':', '\\:')))


# Tables

def create(table: sa.Table) -> Work:
    """A table and its indexes. Its foreign keys are steps of their own, for
    their targets may come later; SQLite looks for those when it writes, and
    could not add a key to a table that is there."""
    def work(operations: Operations) -> None:
        sqlite = _dialect(operations) == SQLITE
        operations.execute(CreateTable(
            table, include_foreign_key_constraints=None if sqlite else []))
        for index in _ordered(table):
            operations.execute(CreateIndex(index))
    return work


def _ordered(table: sa.Table) -> list[sa.Index]:
    return sorted(table.indexes, key=lambda one: str(one.name))


def drop_table(name: str) -> Work:
    return lambda operations: operations.drop_table(name)


def rename_table(old: str, new: str) -> Work:
    return lambda operations: operations.rename_table(old, new)


def delete(table: sa.Table, condition: sa.ColumnElement[bool]) -> Work:
    return lambda operations: operations.execute(
        sa.delete(table).where(condition))


# Columns

def add_column(column: sa.Column[Any], value: Any) -> Work:
    """A column in whose existing rows ``value`` stands, if there is one.

    The default is for them alone, and goes again: a write that leaves a
    column out is a mistake to be told. SQLite cannot take it back.
    """
    table = column.table.name

    def work(operations: Operations) -> None:
        dialect = _dialect(operations)
        operations.add_column(
            table, _added(column, value, dialect),
            inline_references=dialect == SQLITE)
        if value is not MISSING and dialect != SQLITE:
            drop_default(column, bool(column.nullable))(operations)
    return work


def drop_default(column: sa.Column[Any], nullable: bool) -> Work:
    """The table gives rows that leave the column out no value any more."""
    return lambda operations: operations.alter_column(
        column.table.name, column.name, server_default=None,
        existing_type=column.type, existing_nullable=nullable)


def _added(column: sa.Column[Any], value: Any,
           dialect: str) -> sa.Column[Any]:
    default: Any = None
    if value is not MISSING:
        default = sa.literal(value, column.type)
        if dialect in MYSQL:
            # MySQL takes the default of a long text only as an expression.
            default = Grouping(default)
    links = [sa.ForeignKey(one.target_fullname, deferrable=True,
                           initially='IMMEDIATE')
             for one in column.foreign_keys] if dialect == SQLITE else []
    return sa.Column(column.name, column.type, *links,
                     nullable=bool(column.nullable), server_default=default)


def drop_column(table: str, name: str) -> Work:
    return lambda operations: operations.drop_column(table, name)


def rename_column(table: str, old: str, new: str) -> Work:
    """Every supported database has this statement; alembic would have some
    of them told all of the column anew."""
    def work(operations: Operations) -> None:
        operations.execute(
            f'ALTER TABLE {_quoted(operations, table)} RENAME COLUMN '
            f'{_quoted(operations, old)} TO {_quoted(operations, new)}')
    return work


def change_type(column: sa.Column[Any], nullable: bool, *,
                by_text: bool) -> Work:
    """The column in its new type, as nullable as it has been.

    PostgreSQL knows no way from some types to some others, not even for
    nulls, but by text there is one.
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
    """Null allowed or refused, as the column has it."""
    return lambda operations: operations.alter_column(
        column.table.name, column.name, nullable=bool(column.nullable),
        existing_type=column.type, existing_nullable=not column.nullable)


# Keys

def add_key(key: sa.Constraint | sa.Index) -> Work:
    """The constraint stays one of its table, which may be written anew."""
    statement = (CreateIndex(key) if isinstance(key, sa.Index)
                 else AddConstraint(key, isolate_from_table=False))
    return lambda operations: operations.execute(statement)


def drop_index(table: str, name: str) -> Work:
    return lambda operations: operations.drop_index(name, table_name=table)


def drop_constraint(table: str, name: str, type: str) -> Work:
    """``type`` in alembic's words: unique, foreignkey or check."""
    return lambda operations: operations.drop_constraint(name, table,
                                                         type_=type)


def rename_key(table: str, old: str, new: str, *, unique: bool) -> Work:
    """An index or the constraint of a unique under another name."""
    def work(operations: Operations) -> None:
        words = _RENAME_KEY[_dialect(operations), unique]
        operations.execute(words.format(
            **{name: _quoted(operations, one) for name, one in
               (('table', table), ('old', old), ('new', new))}))
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
    """A table written anew, for SQLite can change little of one that is.

    ``values`` is what each column of it is to be made of. Other tables refer
    to it by its name; foreign keys are off meanwhile, so that nothing is done
    to their rows when the old one goes (D24).
    """
    aside = f'new_{table.name}'

    def work(operations: Operations) -> None:
        dialect = operations.get_context().dialect
        create = str(CreateTable(table).compile(dialect=dialect))
        said(create.replace(table.name, aside, 1))(operations)
        operations.execute(sa.insert(sa.table(
            aside, *map(sa.column, values))).from_select(
            list(values), sa.select(*values.values())))
        operations.drop_table(table.name)
        operations.rename_table(aside, table.name)
        for index in _ordered(table):
            operations.execute(CreateIndex(index))
    return work
