# SPDX-License-Identifier: Apache-2.0
"""Build SQLAlchemy tables from a catalogue.

The table of a type is ``r_<plural>``, with a column for each property. The
database enforces only keys. Rules of values are enforced above it, so that
all kinds of database accept and refuse the same (D14).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from service.domain.catalogue import indexes
from service.domain.catalogue.types import Catalogue, Property, ResourceType
from service.storage.tables import columns, core
from service.storage.tables.core import ENGINE, Core

#: The longest name of an index or constraint: PostgreSQL's limit, in bytes.
MAX_NAME_LENGTH = 63

#: Prefix of the names of types' tables.
PREFIX = 'r_'

#: Key of the type's name in the ``info`` of its table.
TYPE = 'type'


@dataclass(frozen=True, eq=False)
class Tables:
    """All tables of a catalogue; ``of`` returns the table of a type."""

    metadata: sa.MetaData
    types: Mapping[str, sa.Table]
    core: Core

    #: The SELECTs of single records.
    fetches: dict[tuple[str, bool, tuple[str, ...]], sa.Select[Any]] = field(
        default_factory=dict, repr=False)
    #: The SELECTs of lists (``lists.statement_cache``).
    lists: dict[Any, sa.Select[Any]] = field(
        default_factory=dict, repr=False)

    def of(self, declared: ResourceType) -> sa.Table:
        return self.types[declared.name]

    def fetch(self, declared: ResourceType, *, owned: bool,
              columns: tuple[str, ...] = ()) -> sa.Select[Any]:
        """Return the SELECT of one record by the parameter ``pileus_id``.

        With ``owned`` the record must belong to project ``pileus_owner``;
        with ``columns`` only these are selected.
        PERF: the statement is cached; building it takes longer than running
        it.
        """
        key = (declared.name, owned and declared.owned, columns)
        if key not in self.fetches:
            self.fetches[key] = self._fetch(declared, *key[1:])
        return self.fetches[key]

    def _fetch(self, declared: ResourceType, owned: bool,
               columns: tuple[str, ...]) -> sa.Select[Any]:
        table = self.of(declared)
        statement = sa.select(
            *(table.c[name] for name in columns or table.c.keys())).where(
            table.c.id == sa.bindparam('pileus_id'))
        if owned:
            statement = statement.where(
                table.c.project_id == sa.bindparam('pileus_owner'))
        return statement


def build(catalogue: Catalogue) -> Tables:
    metadata = sa.MetaData()
    types = {declared.name: _table(metadata, declared, catalogue)
             for declared in catalogue.live}
    return Tables(metadata, types, core.build(metadata))


def table_name(declared: ResourceType) -> str:
    return PREFIX + declared.plural


def _table(metadata: sa.MetaData, declared: ResourceType,
           catalogue: Catalogue) -> sa.Table:
    return sa.Table(
        table_name(declared), metadata,
        *_common(declared),
        *(_column(prop) for prop in declared.live),
        *_references(declared, catalogue),
        *_uniques(declared),
        *_indexes(declared),
        info={TYPE: declared.name}, **ENGINE)


def _common(declared: ResourceType) -> Iterable[sa.Column]:
    yield sa.Column('id', columns.ID, primary_key=True)
    if declared.owned:
        yield sa.Column('project_id', columns.PROJECT, nullable=False)
    yield sa.Column('generation', sa.BigInteger(), nullable=False)
    yield sa.Column('created_at', columns.Timestamp(), nullable=False)
    yield sa.Column('updated_at', columns.Timestamp(), nullable=False)
    yield sa.Column('tags', columns.Document(), nullable=False)
    yield sa.Column('metadata', columns.Document(), nullable=False)


def _column(prop: Property) -> sa.Column:
    return sa.Column(prop.name, columns.of(prop), nullable=prop.nullable)


def _references(declared: ResourceType, catalogue: Catalogue
                ) -> Iterable[sa.ForeignKeyConstraint]:
    """Yield foreign keys without a cascade.

    The service deletes referring records itself, to record a revision of
    each. The keys are deferrable, so that one transaction can delete records
    that refer to each other.
    """
    for prop in declared.live:
        if prop.references is None:
            continue
        target = table_name(catalogue.types[prop.references])
        yield _Reference(
            [prop.name], [f'{target}.id'],
            name=_name('fk', declared, (prop.name,)),
            deferrable=True, initially='IMMEDIATE', use_alter=False)


class _Reference(sa.ForeignKeyConstraint):
    """A foreign key that is deferrable on SQLite and PostgreSQL."""


@compiles(_Reference, 'mysql', 'mariadb')
def _immediate(constraint: _Reference, compiler: Any, **options: Any) -> str:
    ddl: str = compiler.visit_foreign_key_constraint(constraint, **options)
    return ddl.replace(' DEFERRABLE INITIALLY IMMEDIATE', '')


def _uniques(declared: ResourceType) -> Iterable[sa.UniqueConstraint]:
    for names in declared.unique:
        yield sa.UniqueConstraint(*owner(declared), *names,
                                  name=_name('uq', declared, names))


def _indexes(declared: ResourceType) -> Iterable[sa.Index]:
    """Yield the indexes by which lists filter and sort.

    Each ends with ``id``, which makes its order total.
    """
    for names in indexes.list_indexes(declared):
        yield sa.Index(_name('ix', declared, names),
                       *owner(declared), *names, 'id',
                       postgresql_ops=nulls_first(declared, names))
    if declared.owned:
        yield sa.Index(_name('ix', declared, ('id',)), 'project_id', 'id')
    for names in indexes.all_projects_indexes(declared):
        yield sa.Index(_name('ia', declared, names), *names, 'id')
    for prop in declared.live:
        if prop.references is not None:
            yield sa.Index(_name('ir', declared, (prop.name,)), prop.name)


def owner(declared: ResourceType) -> tuple[str, ...]:
    """Return the columns that each key of a type begins with."""
    return ('project_id',) if declared.owned else ()


def _name(kind: str, declared: ResourceType, names: Iterable[str]) -> str:
    """Return the name of a key; a long name ends with a hash of the whole."""
    name = '_'.join((kind, declared.plural, *names))
    if len(name) <= MAX_NAME_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f'{name[:MAX_NAME_LENGTH - 11]}_{digest}'


def nulls_first(declared: ResourceType,
                names: Iterable[str]) -> dict[str, str]:
    """Return the ``postgresql_ops`` of an index on ``names``.

    Lists sort nulls first. Columns that cannot be null have the default
    order, in lists and in the index.
    """
    nullable = indexes.nullable_columns(declared)
    return {name: 'NULLS FIRST' for name in names if name in nullable}
