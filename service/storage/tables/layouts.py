# SPDX-License-Identifier: Apache-2.0
"""Layouts of existing and of declared tables, in a form to compare.

Databases report types and keys under various names; layouts that mean the
same are equal. Keys that do not come from a type file are left out: operators
may add indexes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Dialect
from sqlalchemy.types import TypeEngine

from service.storage.tables import system_catalogs
from service.storage.tables.columns import MYSQL, RecordId
from service.storage.tables.declared import PREFIX

#: Prefixes of the names of keys that come from type files.
_INDEX = ('ix_', 'ia_', 'ir_')
_UNIQUE = ('uq_',)
_FOREIGN_KEY = ('fk_',)


class ColumnLayout(NamedTuple):
    """One column.

    ``default``: the column has a default value, which declared columns have
    only until a step that adds them is complete. ``collation`` is None except
    for text.
    """

    type: str
    nullable: bool
    default: bool = False
    collation: str | None = None


class IndexLayout(NamedTuple):
    """One index. ``valid`` is false if PostgreSQL could not complete it."""

    columns: tuple[str, ...]
    nulls_first: frozenset[str] = frozenset()
    valid: bool = True


class ForeignKeyLayout(NamedTuple):
    """A foreign key."""

    column: str
    target: str


@dataclass(frozen=True)
class TableLayout:
    """One table. Keys are listed by name."""

    columns: Mapping[str, ColumnLayout]
    uniques: Mapping[str, tuple[str, ...]]
    indexes: Mapping[str, IndexLayout]
    foreign_keys: Mapping[str, ForeignKeyLayout]

    def renamed(self, columns: Mapping[str, str],
                tables: Mapping[str, str]) -> TableLayout:
        """Return the layout after these renames, from old to new names."""
        def new_names(names: Iterable[str]) -> tuple[str, ...]:
            return tuple(columns.get(name, name) for name in names)
        return replace(
            self,
            columns={columns.get(name, name): column
                     for name, column in self.columns.items()},
            uniques={name: new_names(unique)
                     for name, unique in self.uniques.items()},
            indexes={name: index._replace(
                         columns=new_names(index.columns),
                         nulls_first=frozenset(
                             new_names(index.nulls_first)))
                     for name, index in self.indexes.items()},
            foreign_keys={name: ForeignKeyLayout(
                              columns.get(key.column, key.column),
                              tables.get(key.target, key.target))
                          for name, key in self.foreign_keys.items()})

    def unnamed(self) -> TableLayout:
        """Return the layout as SQLite reports it, without the names of
        constraints: they are listed by column."""
        return replace(
            self,
            uniques={', '.join(unique): unique
                     for unique in self.uniques.values()},
            foreign_keys={key.column: key
                          for key in self.foreign_keys.values()})


def declared_layout(table: sa.Table, dialect: Dialect) -> TableLayout:
    """Return the layout that a declared type requires."""
    return TableLayout(
        {column.name: ColumnLayout(
            type_name(column.type, dialect), bool(column.nullable),
            collation=_collation(column.type, dialect))
         for column in table.columns},
        {str(constraint.name): tuple(constraint.columns.keys())
         for constraint in _sorted(table.constraints)
         if isinstance(constraint, sa.UniqueConstraint)},
        {str(index.name): IndexLayout(tuple(index.columns.keys()),
                                      _nulls_first(index, dialect))
         for index in _sorted(table.indexes)},
        {str(key.name): ForeignKeyLayout(key.column_keys[0],
                                         key.referred_table.name)
         for key in _sorted(table.foreign_key_constraints)})


def _sorted(keys: Iterable[Any]) -> list[Any]:
    """Sort keys, of which SQLAlchemy has sets, so that plans list them in one
    order."""
    return sorted(keys, key=lambda key: str(key.name))


def _nulls_first(index: sa.Index, dialect: Dialect) -> frozenset[str]:
    if dialect.name != 'postgresql':
        return frozenset()
    return frozenset(index.dialect_options['postgresql']['ops'])


def existing_layouts(connection: Connection) -> dict[str, TableLayout]:
    """Return the layouts of all existing tables of types, by name."""
    inspector = sa.inspect(connection)
    names = [name for name in inspector.get_table_names()
             if name.startswith(PREFIX)]
    if not names:
        return {}
    return _Reflected(connection, inspector, names).layouts(names)


class _Reflected:
    """The tables as SQLAlchemy reflects them, in a few queries for all."""

    def __init__(self, connection: Connection, inspector: sa.Inspector,
                 names: Sequence[str]) -> None:
        self._dialect = inspector.dialect
        self._collations = system_catalogs.collations(connection, names)
        self._invalid = system_catalogs.invalid(connection, names)
        self._columns = _by_table(inspector.get_multi_columns(
            filter_names=names))
        self._uniques = _by_table(inspector.get_multi_unique_constraints(
            filter_names=names))
        self._indexes = _by_table(inspector.get_multi_indexes(
            filter_names=names))
        self._foreign_keys = _by_table(inspector.get_multi_foreign_keys(
            filter_names=names))

    def layouts(self, names: Iterable[str]) -> dict[str, TableLayout]:
        return {name: self._layout(name) for name in names}

    def _layout(self, name: str) -> TableLayout:
        return TableLayout(
            {column['name']: self._column(name, column)
             for column in self._columns[name]},
            {str(unique['name']): tuple(unique['column_names'])
             for unique in self._declared(self._uniques[name], _UNIQUE)},
            {str(index['name']): self._index(name, index)
             for index in self._indexes[name]
             if str(index['name']).startswith(_INDEX)},
            {str(key['name']): ForeignKeyLayout(
                key['constrained_columns'][0], key['referred_table'])
             for key in self._declared(self._foreign_keys[name],
                                       _FOREIGN_KEY)})

    def _column(self, table: str, column: Mapping[str, Any]) -> ColumnLayout:
        """SQLite's defaults are ignored: it cannot drop the default that a
        column was added with."""
        return ColumnLayout(type_name(column['type'], self._dialect),
                            bool(column['nullable']),
                            column['default'] is not None
                            and self._dialect.name != 'sqlite',
                            self._collations.get((table, column['name'])))

    def _index(self, table: str, index: Mapping[str, Any]) -> IndexLayout:
        sorting = index.get('column_sorting', {})
        return IndexLayout(tuple(index['column_names']), frozenset(
            name for name, words in sorting.items()
            if 'nulls_first' in words),
            (table, index['name']) not in self._invalid)

    def _declared(self, keys: Iterable[Any],
                  prefixes: tuple[str, ...]) -> list[Any]:
        """Return the keys that come from a type file.

        SQLite's constraints are part of the table, which only the service
        creates.
        """
        return [key for key in keys if self._dialect.name == 'sqlite'
                or str(key['name']).startswith(prefixes)]


def _by_table(reflected: Mapping[Any, Any]) -> dict[str, Any]:
    return {table: parts for (_, table), parts in reflected.items()}


# Types

_DECORATION = re.compile(r' (COLLATE|CHARACTER SET) \S+')
_LENGTH = re.compile(r'^(VARCHAR|CHAR)\(\d+\)$')
#: PostgreSQL's default precision of a timestamp, which it reports or omits.
_PRECISION = '(6)'

#: Names that a database reports for a type, and the names used here.
_ALIASES: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(MYSQL, {'BIGINT(20)': 'BIGINT', 'BOOL': 'TINYINT(1)',
                            'DOUBLE PRECISION': 'DOUBLE'}),
    'postgresql': {}, 'sqlite': {'DOUBLE PRECISION': 'DOUBLE'}}


_COLLATE = re.compile(r' COLLATE "?(\w+)')


def _collation(type: TypeEngine[Any], dialect: Dialect) -> str | None:
    """Return the collation of a text type; ids need none, as they have one
    spelling."""
    match = _COLLATE.search(type.compile(dialect=dialect))
    return match[1] if match and not isinstance(type, RecordId) else None


def type_name(type: TypeEngine[Any], dialect: Dialect) -> str:
    """Return the name of a type. SQLite has one type for all texts.

    A column that an operator added may have no type, or a type that
    SQLAlchemy does not know.
    """
    if isinstance(type, sa.types.NullType):
        return 'UNKNOWN'
    name = _DECORATION.sub('', type.compile(dialect=dialect).upper())
    if dialect.name == 'postgresql':
        name = name.replace(_PRECISION, '')
    if dialect.name == 'sqlite' and _LENGTH.match(name):
        return 'TEXT'
    return _ALIASES[dialect.name].get(name, name)
