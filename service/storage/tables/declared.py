# SPDX-License-Identifier: Apache-2.0
"""Catalogue -> SQLAlchemy tables.

A type's table is ``r_<plural>`` with one column a property, named as
declared. Nothing but keys is enforced by the database: value rules live above
it, so that all databases refuse and accept the same (D14).
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

#: PostgreSQL's limit; the others allow as much or more.
MAX_NAME_LENGTH = 63

#: What the name of a type's table begins with.
PREFIX = 'r_'

#: What the ``info`` of a type's table has its name under.
TYPE = 'type'


@dataclass(frozen=True, eq=False)
class Tables:
    """Every table of the service; ``of`` finds a type's by its name."""

    metadata: sa.MetaData
    types: Mapping[str, sa.Table]
    core: Core

    fetches: dict[tuple[str, bool, tuple[str, ...]], sa.Select[Any]] = field(
        default_factory=dict, repr=False)
    #: The SELECTs of lists, by their form (``prepared``).
    lists: dict[Any, sa.Select[Any]] = field(
        default_factory=dict, repr=False)

    def of(self, declared: ResourceType) -> sa.Table:
        return self.types[declared.name]

    def fetch(self, declared: ResourceType, *, owned: bool,
              columns: tuple[str, ...] = ()) -> sa.Select[Any]:
        """The SELECT of one record by ``pileus_id``, made once.

        With ``owned``, only among the records of ``pileus_owner``; with
        ``columns``, no more of it than those.
        PERF: building a statement costs more than running this one.
        """
        key = (declared.name, owned and declared.owned, columns)
        if key not in self.fetches:
            self.fetches[key] = self._fetch(declared, *key[1:])
        return self.fetches[key]

    def _fetch(self, declared: ResourceType, owned: bool,
               columns: tuple[str, ...]) -> sa.Select[Any]:
        table = self.of(declared)
        statement = sa.select(
            *(table.c[one] for one in columns or table.c.keys())).where(
            table.c.id == sa.bindparam('pileus_id'))
        if owned:
            statement = statement.where(
                table.c.project_id == sa.bindparam('pileus_owner'))
        return statement


def build(catalogue: Catalogue) -> Tables:
    metadata = sa.MetaData()
    types = {one.name: _table(metadata, one, catalogue)
             for one in catalogue.live}
    return Tables(metadata, types, core.build(metadata))


def table_name(declared: ResourceType) -> str:
    return PREFIX + declared.plural


def _table(metadata: sa.MetaData, declared: ResourceType,
           catalogue: Catalogue) -> sa.Table:
    return sa.Table(
        table_name(declared), metadata,
        *_common(declared),
        *(_column(one) for one in declared.live),
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
    """NO ACTION keys: storage cascades itself, and records that it did.

    Deferrable, so that one transaction may remove a ring of records.
    """
    for one in declared.live:
        if one.references is None:
            continue
        target = table_name(catalogue.types[one.references])
        yield _Reference(
            [one.name], [f'{target}.id'],
            name=_named('fk', declared, (one.name,)),
            deferrable=True, initially='IMMEDIATE', use_alter=False)


class _Reference(sa.ForeignKeyConstraint):
    """A foreign key that is deferrable where the database knows the word."""


@compiles(_Reference, 'mysql', 'mariadb')
def _immediate(constraint: _Reference, compiler: Any, **options: Any) -> str:
    said: str = compiler.visit_foreign_key_constraint(constraint, **options)
    return said.replace(' DEFERRABLE INITIALLY IMMEDIATE', '')


def _uniques(declared: ResourceType) -> Iterable[sa.UniqueConstraint]:
    for names in declared.unique:
        yield sa.UniqueConstraint(*owner(declared), *names,
                                  name=_named('uq', declared, names))


def _indexes(declared: ResourceType) -> Iterable[sa.Index]:
    """What lists filter and sort on; ``id`` last makes every order total."""
    for names in indexes.list_indexes(declared):
        yield sa.Index(_named('ix', declared, names),
                       *owner(declared), *names, 'id',
                       postgresql_ops=nulls_first(declared, names))
    if declared.owned:
        yield sa.Index(_named('ix', declared, ('id',)), 'project_id', 'id')
    for names in indexes.all_projects_indexes(declared):
        yield sa.Index(_named('ia', declared, names), *names, 'id')
    for one in declared.live:
        if one.references is not None:
            yield sa.Index(_named('ir', declared, (one.name,)), one.name)


def owner(declared: ResourceType) -> tuple[str, ...]:
    """What every key of a type begins with."""
    return ('project_id',) if declared.owned else ()


def _named(kind: str, declared: ResourceType, names: Iterable[str]) -> str:
    """A constraint's name; a long one ends in a hash of the whole."""
    name = '_'.join((kind, declared.plural, *names))
    if len(name) <= MAX_NAME_LENGTH:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f'{name[:MAX_NAME_LENGTH - 11]}_{digest}'


def nulls_first(declared: ResourceType,
                names: Iterable[str]) -> dict[str, str]:
    """The ``postgresql_ops`` of an index on ``names``: nulls as lists have
    them. What cannot be null keeps the plain order, as lists do."""
    nullable = indexes.nullable_columns(declared)
    return {one: 'NULLS FIRST' for one in names if one in nullable}
