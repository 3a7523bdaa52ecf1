# SPDX-License-Identifier: Apache-2.0
"""Rules of ``exclusive``: locks and constraints against overlapping periods.

A transaction that writes a period first locks a row that stands for all
periods it may overlap with, then reads the periods. SQLite has one writer at
a time and needs no lock.

PostgreSQL also gets an exclusion constraint, if the extension btree_gist is
available: the constraint binds writers that bypass the service as well. The
constraint does not replace the lock: two writers that conflict in it wait for
each other, and one of them fails with a deadlock a second later.
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

#: The extension that the constraints need. It is ``trusted``: an account with
#: CREATE on the database may create it.
EXTENSION = 'CREATE EXTENSION IF NOT EXISTS btree_gist'

_INSTALLABLE = sa.text('''
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'btree_gist')
    OR EXISTS (SELECT FROM pg_available_extension_versions
               WHERE name = 'btree_gist'
               AND (NOT superuser OR (trusted AND has_database_privilege(
                        current_database(), 'CREATE'))
                    OR current_setting('is_superuser') = 'on'))''')
_CONSTRAINT_NAMES = sa.text('''
SELECT conname FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
WHERE contype = 'x' AND relname = :table AND pg_table_is_visible(conrelid)''')


# Constraints

def possible(connection: Connection) -> bool:
    """Whether this is PostgreSQL with the extension, or may install it."""
    return (connection.dialect.name == 'postgresql'
            and bool(connection.scalar(_INSTALLABLE)))


def notes(connection: Connection, catalogue: Catalogue) -> Iterator[str]:
    """Yield a note if the extension is missing, with how to install it."""
    places = [f'{declared.name}.exclusive' for declared in catalogue.live
              if declared.exclusive]
    if (places and connection.dialect.name == 'postgresql'
            and not possible(connection)):
        yield (f'{", ".join(places)}: the service prevents overlapping '
               'periods with row locks, but writers that bypass the service '
               'are not prevented: the PostgreSQL extension btree_gist is not '
               'installed, and this account may not create it. For a '
               f'constraint, let a superuser run "{EXTENSION}" in this '
               'database, then run pileus-manage schema apply')


def existing_names(connection: Connection, table: str) -> frozenset[str]:
    """Return the names of the exclusion constraints of a table."""
    if connection.dialect.name != 'postgresql':
        return frozenset()
    return frozenset(connection.scalars(_CONSTRAINT_NAMES, {'table': table}))


def statements(declared: ResourceType, table: sa.Table,
               dialect: sa.Dialect) -> Mapping[str, str]:
    """Return the DDL of each constraint that a type requires, by name."""
    if dialect.name != 'postgresql':
        return {}
    return {name(declared, rule): _statement(declared, rule, table, dialect)
            for rule in declared.exclusive}


def name(declared: ResourceType, rule: ExclusivePeriod) -> str:
    """Return the constraint's name, which is unique to the rule."""
    identity = values.canonical([declared.plural, rule.period, rule.over,
                             dict(rule.when)])
    digest = hashlib.sha256(identity.encode()).hexdigest()[:10]
    stem = '_'.join(('ex', declared.plural, *rule.over, *rule.period))
    return f'{stem[:MAX_NAME_LENGTH - 11]}_{digest}'


def _statement(declared: ResourceType, rule: ExclusivePeriod, table: sa.Table,
               dialect: sa.Dialect) -> str:
    def quoted(column: str) -> str:
        return dialect.identifier_preparer.quote(column)
    keys = [f'{_comparable(table.c[column], quoted(column))} WITH ='
            for column in (*owner(declared), *rule.over)]
    start, end = map(quoted, rule.period)
    parts = ', '.join((*keys, f'{_range(table, rule, dialect)}({start}, '
                              f"{end}, '[)') WITH &&"))
    where = _literal(_when(table, rule), dialect)
    return (f'ALTER TABLE {quoted(table.name)} '
            f'ADD CONSTRAINT {quoted(name(declared, rule))} '
            f'EXCLUDE USING gist ({parts})'
            + (f' WHERE ({where})' if where else ''))


def _comparable(column: sa.Column[object], quoted: str) -> str:
    """Older releases of btree_gist do not support booleans; integers do."""
    boolean = isinstance(column.type, sa.Boolean)
    return f'({quoted}::int)' if boolean else quoted


def _range(table: sa.Table, rule: ExclusivePeriod, dialect: sa.Dialect) -> str:
    moment = table.c[rule.period[0]].type.compile(dialect)
    return 'tstzrange' if 'WITH TIME ZONE' in moment else 'tsrange'


def _literal(conditions: Collection[sa.ColumnElement[bool]],
             dialect: sa.Dialect) -> str:
    """Return the conditions with literal values: DDL takes no parameters.

    SQLAlchemy doubles each percent sign for drivers that take parameters in
    this style; without parameters the driver does not undo that.
    """
    condition = ' AND '.join(str(clause.compile(
        dialect=dialect, compile_kwargs={'literal_binds': True,
                                         'include_table': False}))
        for clause in conditions)
    return condition.replace('%%', '%') if dialect.paramstyle in (
        'format', 'pyformat') else condition


# Locks and checks of a write

def overlapping_record(
        declared: ResourceType, rule: ExclusivePeriod, table: sa.Table,
        records: Collection[Record]) -> sa.Select[tuple[object, ...]]:
    """Return the SELECT of one other record that overlaps one of these."""
    names = ('id', *owner(declared), *rule.over, *rule.period)
    return sa.select(*(table.c[name] for name in names)).where(
        *_when(table, rule),
        sa.or_(*(sa.and_(*_overlapping(declared, rule, table, record))
                 for record in records))).limit(1)


def _when(table: sa.FromClause,
          rule: ExclusivePeriod) -> list[sa.ColumnElement[bool]]:
    return [table.c[column].in_(allowed) for column, allowed in rule.when]


def _overlapping(declared: ResourceType, rule: ExclusivePeriod,
                 table: sa.Table, record: Record
                 ) -> Iterator[sa.ColumnElement[bool]]:
    yield table.c.id != record['id']
    for column in (*owner(declared), *rule.over):
        yield table.c[column] == record[column]
    start, end = (table.c[column] for column in rule.period)
    record_start, record_end = (record[column] for column in rule.period)
    if record_start is not None:
        yield _or_null(end, end > record_start)
    if record_end is not None:
        yield _or_null(start, start < record_end)


def _or_null(column: sa.Column[object], condition: sa.ColumnElement[bool]
             ) -> sa.ColumnElement[bool]:
    """A period with a null has no limit on that side."""
    return (sa.or_(column.is_(None), condition) if column.nullable
            else condition)


def lock_periods(connection: Connection, locks: sa.Table,
                 declared: ResourceType, rule: ExclusivePeriod,
                 records: Iterable[Record]) -> None:
    """Lock the rows of all periods that could overlap one of these.

    All transactions lock in one order; otherwise two that write several
    periods could wait for each other. If two transactions insert the same
    lock row at the same time, one of them gets a duplicate key error and is
    run again.
    """
    if connection.dialect.name == 'sqlite':
        return
    names = sorted({_lock_name(declared, rule, record)
                    for record in records})
    existing = set(connection.scalars(
        sa.select(locks.c.name).where(locks.c.name.in_(names))
        .order_by(locks.c.name).with_for_update()))
    missing = [name for name in names if name not in existing]
    if missing:
        connection.execute(sa.insert(locks),
                           [{'name': name} for name in missing])


def _lock_name(declared: ResourceType, rule: ExclusivePeriod,
               record: Record) -> str:
    identity = values.canonical([declared.name, rule.period, rule.over,
                                 declared.key(rule.over, record)])
    return hashlib.sha256(identity.encode()).hexdigest()


# Existing rows, for a new rule

def violating_ids(declared: ResourceType, rule: ExclusivePeriod,
                  table: sa.Table) -> sa.Select[tuple[str]]:
    """Return the SELECT of the ids of records that violate a new rule.

    Their period overlaps another record's, or ends before it starts.
    """
    other = table.alias('other')
    start, end = rule.period
    overlaps = sa.and_(
        table.c.id != other.c.id, *_when(table, rule),
        *_when(other, rule),
        *(table.c[column] == other.c[column]
          for column in (*owner(declared), *rule.over)),
        *(sa.or_(later.is_(None), earlier.is_(None), later > earlier)
          for later, earlier in ((table.c[end], other.c[start]),
                                 (other.c[end], table.c[start]))))
    backwards = sa.and_(table.c[start] >= table.c[end], *_when(table, rule))
    return sa.select(table.c.id).where(sa.or_(
        backwards, sa.exists(sa.select(other.c.id).where(overlaps)
                             .correlate(table)))).order_by(table.c.id)
