# SPDX-License-Identifier: Apache-2.0
"""Tables as they are and as they should be, in one form to compare.

What a database calls a type, and what it makes of a key, is its own; here
two that are the same are equal. Keys that no type file makes are left out:
an operator may have indexes of his own.
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

#: What names of our own indexes, uniques and foreign keys begin with.
_INDEX = ('ix_', 'ia_', 'ir_')
_UNIQUE = ('uq_',)
_LINK = ('fk_',)


class ColumnLayout(NamedTuple):
    """One column: its type in a word, whether it may be null, whether rows
    that leave it out are given a value (none of ours are, for long), and how
    its text compares, where that is to be said."""

    type: str
    nullable: bool
    default: bool = False
    collation: str | None = None


class IndexLayout(NamedTuple):
    """The columns of an index, which of them it has nulls first in, and
    whether it is of any use."""

    columns: tuple[str, ...]
    nulls_first: frozenset[str] = frozenset()
    valid: bool = True


class ForeignKeyLayout(NamedTuple):
    """A foreign key."""

    column: str
    target: str


@dataclass(frozen=True)
class TableLayout:
    """One table; its keys by name."""

    columns: Mapping[str, ColumnLayout]
    uniques: Mapping[str, tuple[str, ...]]
    indexes: Mapping[str, IndexLayout]
    links: Mapping[str, ForeignKeyLayout]

    def renamed(self, columns: Mapping[str, str],
                tables: Mapping[str, str]) -> TableLayout:
        """As it is when these were renamed, from old to new."""
        def all_of(names: Iterable[str]) -> tuple[str, ...]:
            return tuple(columns.get(one, one) for one in names)
        return replace(
            self,
            columns={columns.get(name, name): one
                     for name, one in self.columns.items()},
            uniques={name: all_of(one) for name, one in self.uniques.items()},
            indexes={name: one._replace(
                         columns=all_of(one.columns),
                         nulls_first=frozenset(all_of(one.nulls_first)))
                     for name, one in self.indexes.items()},
            links={name: ForeignKeyLayout(columns.get(one.column, one.column),
                              tables.get(one.target, one.target))
                   for name, one in self.links.items()})

    def unnamed(self) -> TableLayout:
        """As SQLite knows it, which has no names for constraints."""
        return replace(
            self,
            uniques={', '.join(one): one for one in self.uniques.values()},
            links={one.column: one for one in self.links.values()})


def declared_layout(table: sa.Table, dialect: Dialect) -> TableLayout:
    """The layout that a declared type asks for."""
    return TableLayout(
        {one.name: ColumnLayout(type_name(one.type, dialect),
                                bool(one.nullable),
                                collation=_collation(one.type, dialect))
         for one in table.columns},
        {str(one.name): tuple(one.columns.keys())
         for one in _sorted(table.constraints)
         if isinstance(one, sa.UniqueConstraint)},
        {str(one.name): IndexLayout(tuple(one.columns.keys()),
                              _nulls_first(one, dialect))
         for one in _sorted(table.indexes)},
        {str(one.name): ForeignKeyLayout(one.column_keys[0],
                                         one.referred_table.name)
         for one in _sorted(table.foreign_key_constraints)})


def _sorted(keys: Iterable[Any]) -> list[Any]:
    """SQLAlchemy has sets of them, and a plan is told in one order."""
    return sorted(keys, key=lambda one: str(one.name))


def _nulls_first(index: sa.Index, dialect: Dialect) -> frozenset[str]:
    if dialect.name != 'postgresql':
        return frozenset()
    return frozenset(index.dialect_options['postgresql']['ops'])


def existing_layouts(connection: Connection) -> dict[str, TableLayout]:
    """The layouts of all tables of types that there are, by name."""
    inspector = sa.inspect(connection)
    names = [one for one in inspector.get_table_names()
             if one.startswith(PREFIX)]
    if not names:
        return {}
    return _Reflected(connection, inspector, names).layouts(names)


class _Reflected:
    """What SQLAlchemy tells of these tables, in a few queries for all."""

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
        self._links = _by_table(inspector.get_multi_foreign_keys(
            filter_names=names))

    def layouts(self, names: Iterable[str]) -> dict[str, TableLayout]:
        return {name: self._layout(name) for name in names}

    def _layout(self, name: str) -> TableLayout:
        return TableLayout(
            {one['name']: self._field(name, one)
             for one in self._columns[name]},
            {str(one['name']): tuple(one['column_names'])
             for one in self._ours(self._uniques[name], _UNIQUE)},
            {str(one['name']): self._index(name, one)
             for one in self._indexes[name]
             if str(one['name']).startswith(_INDEX)},
            {str(one['name']): ForeignKeyLayout(one['constrained_columns'][0],
                                    one['referred_table'])
             for one in self._ours(self._links[name], _LINK)})

    def _field(self, table: str, told: Mapping[str, Any]) -> ColumnLayout:
        """SQLite cannot take the default back that a column came with."""
        return ColumnLayout(type_name(told['type'], self._dialect),
                     bool(told['nullable']),
                     told['default'] is not None
                     and self._dialect.name != 'sqlite',
                     self._collations.get((table, told['name'])))

    def _index(self, table: str, told: Mapping[str, Any]) -> IndexLayout:
        sorting = told.get('column_sorting', {})
        return IndexLayout(tuple(told['column_names']), frozenset(
            name for name, words in sorting.items()
            if 'nulls_first' in words),
            (table, told['name']) not in self._invalid)

    def _ours(self, told: Iterable[Any],
              beginning: tuple[str, ...]) -> list[Any]:
        """Those that a type file makes. In SQLite a constraint is written in
        its table, of which nobody but us says what it is."""
        return [one for one in told if self._dialect.name == 'sqlite'
                or str(one['name']).startswith(beginning)]


def _by_table(found: Mapping[Any, Any]) -> dict[str, Any]:
    return {table: told for (_, table), told in found.items()}


# Types

_DECORATION = re.compile(r' (COLLATE|CHARACTER SET) \S+')
_LENGTH = re.compile(r'^(VARCHAR|CHAR)\(\d+\)$')
#: PostgreSQL keeps as many digits where nothing is said of them.
_PRECISION = '(6)'

#: Two names of one type.
_ALIASES: Mapping[str, Mapping[str, str]] = {
    **dict.fromkeys(MYSQL, {'BIGINT(20)': 'BIGINT', 'BOOL': 'TINYINT(1)',
                            'DOUBLE PRECISION': 'DOUBLE'}),
    'postgresql': {}, 'sqlite': {'DOUBLE PRECISION': 'DOUBLE'}}


_COLLATE = re.compile(r' COLLATE "?(\w+)')


def _collation(type: TypeEngine[Any], dialect: Dialect) -> str | None:
    """How a text is to compare; ids are written in one way only."""
    found = _COLLATE.search(type.compile(dialect=dialect))
    return found[1] if found and not isinstance(type, RecordId) else None


def type_name(type: TypeEngine[Any], dialect: Dialect) -> str:
    """The type in a word; SQLite has one for all texts. A hand can have made
    a column of none, or of one that SQLAlchemy does not know."""
    if isinstance(type, sa.types.NullType):
        return 'UNKNOWN'
    said = _DECORATION.sub('', type.compile(dialect=dialect).upper())
    if dialect.name == 'postgresql':
        said = said.replace(_PRECISION, '')
    if dialect.name == 'sqlite' and _LENGTH.match(said):
        return 'TEXT'
    return _ALIASES[dialect.name].get(said, said)
