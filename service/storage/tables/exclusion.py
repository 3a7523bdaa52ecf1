# SPDX-License-Identifier: Apache-2.0
"""No two periods that overlap: a row to wait for, and a constraint.

Whoever writes a period locks a row first that stands for all it may overlap,
and then looks. SQLite has one writer at a time.

PostgreSQL has a constraint for it too, if the extension btree_gist is there:
it also binds who writes past this service. It does not stand alone. Of two
writers that it sets against each other, each waits for the other, and one is
told of a deadlock a second later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.domain.catalogue.types import (
    Catalogue,
    ExclusivePeriod,
    ResourceType,
)
from service.domain.documents import values
from service.domain.records.store import Record
from service.storage.tables.declared import MAX_NAME_LENGTH, owner

#: What PostgreSQL's constraints need. It is ``trusted``: whoever may create
#: in the database may create it.
EXTENSION = 'CREATE EXTENSION IF NOT EXISTS btree_gist'

_POSSIBLE = sa.text('''
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'btree_gist')
    OR EXISTS (SELECT FROM pg_available_extension_versions
               WHERE name = 'btree_gist'
               AND (NOT superuser OR (trusted AND has_database_privilege(
                        current_database(), 'CREATE'))
                    OR current_setting('is_superuser') = 'on'))''')
_STANDING = sa.text('''
SELECT conname FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
WHERE contype = 'x' AND relname = :table AND pg_table_is_visible(conrelid)''')


# As the schema has it

def possible(connection: Connection) -> bool:
    """Whether this database can have such constraints, or be made to."""
    return (connection.dialect.name == 'postgresql'
            and bool(connection.scalar(_POSSIBLE)))


def notes(connection: Connection, catalogue: Catalogue) -> Iterator[str]:
    """What is missing for the constraints of these types, and what would do.
    """
    wanting = [f'{one.name}.exclusive' for one in catalogue.live
               if one.exclusive]
    if (wanting and connection.dialect.name == 'postgresql'
            and not possible(connection)):
        yield (f'{", ".join(wanting)}: periods are kept apart by rows to '
               'lock, which bind nobody who writes past this service: '
               'PostgreSQL has no extension btree_gist here, and the account '
               'may not create it; for a constraint let a superuser run '
               f'"{EXTENSION}" in this database, then run pileus-manage '
               'schema apply')


def existing_names(connection: Connection, table: str) -> frozenset[str]:
    """The names of a table's exclusion constraints."""
    if connection.dialect.name != 'postgresql':
        return frozenset()
    return frozenset(connection.scalars(_STANDING, {'table': table}))


def statements(declared: ResourceType, table: sa.Table,
               dialect: sa.Dialect) -> Mapping[str, str]:
    """The DDL of each constraint a type's table should have, by name."""
    if dialect.name != 'postgresql':
        return {}
    return {name(declared, rule): _statement(declared, rule, table, dialect)
            for rule in declared.exclusive}


def name(declared: ResourceType, rule: ExclusivePeriod) -> str:
    """The constraint's name, which another rule never has."""
    said = values.canonical([declared.plural, rule.period, rule.over,
                             dict(rule.when)])
    digest = hashlib.sha256(said.encode()).hexdigest()[:10]
    stem = '_'.join(('ex', declared.plural, *rule.over, *rule.period))
    return f'{stem[:MAX_NAME_LENGTH - 11]}_{digest}'


def _statement(declared: ResourceType, rule: ExclusivePeriod, table: sa.Table,
               dialect: sa.Dialect) -> str:
    def quoted(column: str) -> str:
        return dialect.identifier_preparer.quote(column)
    keys = [f'{_comparable(table.c[one], quoted(one))} WITH ='
            for one in (*owner(declared), *rule.over)]
    start, end = map(quoted, rule.period)
    parts = ', '.join((*keys, f'{_range(table, rule, dialect)}({start}, '
                              f"{end}, '[)') WITH &&"))
    where = _said(_when(table, rule), dialect)
    return (f'ALTER TABLE {quoted(table.name)} '
            f'ADD CONSTRAINT {quoted(name(declared, rule))} '
            f'EXCLUDE USING gist ({parts})'
            + (f' WHERE ({where})' if where else ''))


def _comparable(column: sa.Column[object], quoted: str) -> str:
    """Not every PostgreSQL can have a boolean in such a constraint."""
    boolean = isinstance(column.type, sa.Boolean)
    return f'({quoted}::int)' if boolean else quoted


def _range(table: sa.Table, rule: ExclusivePeriod, dialect: sa.Dialect) -> str:
    moment = table.c[rule.period[0]].type.compile(dialect)
    return 'tstzrange' if 'WITH TIME ZONE' in moment else 'tsrange'


def _said(conditions: Collection[sa.ColumnElement[bool]],
          dialect: sa.Dialect) -> str:
    """The conditions as DDL has them, which can bind nothing.

    Drivers that write a percent sign twice do so where values are bound.
    """
    said = ' AND '.join(str(one.compile(
        dialect=dialect, compile_kwargs={'literal_binds': True,
                                         'include_table': False}))
        for one in conditions)
    return said.replace('%%', '%') if dialect.paramstyle in (
        'format', 'pyformat') else said


# As a write looks

def overlapping_record(
        declared: ResourceType, rule: ExclusivePeriod, table: sa.Table,
        records: Collection[Record]) -> sa.Select[tuple[object, ...]]:
    """One other record that the rule binds and that overlaps one of these.
    """
    names = ('id', *owner(declared), *rule.over, *rule.period)
    return sa.select(*(table.c[one] for one in names)).where(
        *_when(table, rule),
        sa.or_(*(sa.and_(*_overlapping(declared, rule, table, one))
                 for one in records))).limit(1)


def _when(table: sa.FromClause,
          rule: ExclusivePeriod) -> list[sa.ColumnElement[bool]]:
    return [table.c[one].in_(given) for one, given in rule.when]


def _overlapping(declared: ResourceType, rule: ExclusivePeriod,
                 table: sa.Table, record: Record
                 ) -> Iterator[sa.ColumnElement[bool]]:
    yield table.c.id != record['id']
    for one in (*owner(declared), *rule.over):
        yield table.c[one] == record[one]
    start, end = (table.c[one] for one in rule.period)
    begins, ends = (record[one] for one in rule.period)
    if begins is not None:
        yield _open(end, end > begins)
    if ends is not None:
        yield _open(start, start < ends)


def _open(column: sa.Column[object], condition: sa.ColumnElement[bool]
          ) -> sa.ColumnElement[bool]:
    return (sa.or_(column.is_(None), condition) if column.nullable
            else condition)


def lock_periods(connection: Connection, locks: sa.Table,
                 declared: ResourceType, rule: ExclusivePeriod,
                 records: Iterable[Record]) -> None:
    """Wait for whoever writes a period that could overlap one of these.

    All take their locks in one order, or two that write several periods each
    would wait for one another. A twin that locks for the first time as well
    is refused its row, and runs again to find ours.
    """
    if connection.dialect.name == 'sqlite':
        return
    wanted = sorted({_lock(declared, rule, one) for one in records})
    held = set(connection.scalars(
        sa.select(locks.c.name).where(locks.c.name.in_(wanted))
        .order_by(locks.c.name).with_for_update()))
    missing = [one for one in wanted if one not in held]
    if missing:
        connection.execute(sa.insert(locks),
                           [{'name': one} for one in missing])


def _lock(declared: ResourceType, rule: ExclusivePeriod,
          record: Record) -> str:
    said = values.canonical([declared.name, rule.period, rule.over,
                             declared.key(rule.over, record)])
    return hashlib.sha256(said.encode()).hexdigest()


# As rows stand that no rule has bound yet

def violating_ids(declared: ResourceType, rule: ExclusivePeriod,
              table: sa.Table) -> sa.Select[tuple[str]]:
    """The ids of records that a new rule would not have let stand: they
    overlap another, or end before they start."""
    other = table.alias('other')
    start, end = rule.period
    meets = sa.and_(
        table.c.id != other.c.id, *_when(table, rule),
        *_when(other, rule),
        *(table.c[one] == other.c[one]
          for one in (*owner(declared), *rule.over)),
        *(sa.or_(after.is_(None), before.is_(None), after > before)
          for after, before in ((table.c[end], other.c[start]),
                                (other.c[end], table.c[start]))))
    backwards = sa.and_(table.c[start] >= table.c[end], *_when(table, rule))
    return sa.select(table.c.id).where(sa.or_(
        backwards, sa.exists(sa.select(other.c.id).where(meets)
                             .correlate(table)))).order_by(table.c.id)
