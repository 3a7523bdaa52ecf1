# SPDX-License-Identifier: Apache-2.0
"""What other rows have to say about a record."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from service.domain.catalogue.types import (
    ExclusivePeriod,
    Property,
    ResourceType,
)
from service.domain.records.store import Record
from service.storage.rows.transaction import Transaction
from service.storage.tables import exclusion
from service.storage.tables.declared import owner

T = TypeVar('T')

#: How many records one statement asks about. SQLite nests no expression
#: deeper than a thousand.
AT_ONCE = 250


class Neighbours(Transaction):
    """The rows beside one that is to be written or removed."""

    def present(self, declared: ResourceType, ids: Collection[str],
                owner: str | None) -> set[str]:
        """Which of these ids a record of ``owner`` may refer to."""
        table = self._tables.of(declared)
        statement = sa.select(table.c.id).where(table.c.id.in_(ids))
        if declared.owned:
            statement = statement.where(table.c.project_id == owner)
        return set(self._connection.scalars(statement))

    def twins(self, declared: ResourceType, names: Sequence[str],
              records: Collection[Record]) -> list[Record]:
        """Other records with the same values of ``names`` as one of these,
        none of which is null: their ids and what they share."""
        table = self._tables.of(declared)
        columns = [table.c[name] for name in (*owner(declared), *names)]
        own = {one['id'] for one in records}
        keys = [declared.key(names, one) for one in records]
        return [dict(row._mapping) for some in _at_once(keys)
                for row in self._connection.execute(
                    sa.select(table.c.id, *columns).where(
                        _one_of(columns, some)))
                if row.id not in own]

    def taken(self, declared: ResourceType, ids: Collection[str]) -> set[str]:
        """Which of these ids exist, whosever they are."""
        table = self._tables.of(declared)
        return set(self._connection.scalars(
            sa.select(table.c.id).where(table.c.id.in_(ids))))

    def overlapping(self, declared: ResourceType, rule: ExclusivePeriod,
                    records: Collection[Record]) -> Record | None:
        """One other record that ``rule`` binds and whose period overlaps one
        of these: its id and what the rule looks at.

        Nobody else puts one there before we commit: they wait for us here.
        """
        table = self._tables.of(declared)
        exclusion.lock_periods(self._connection, self._tables.core.locks,
                               declared, rule, records)
        for some in _at_once(list(records)):
            row = self._connection.execute(
                exclusion.overlapping_record(declared, rule, table,
                                             some)).first()
            if row is not None:
                return dict(row._mapping)
        return None

    def referring(self, declared: ResourceType, prop: Property,
                  ids: Collection[str], most: int) -> list[Record]:
        """Records whose ``prop`` points at one of ``ids``."""
        table = self._tables.of(declared)
        statement = sa.select(table).where(
            table.c[prop.name].in_(ids)).order_by(table.c.id).limit(most)
        return [dict(row._mapping)
                for row in self._connection.execute(statement)]

    def defer_references(self, going: Collection[tuple[
            ResourceType, Record]]) -> None:
        """Check foreign keys at the end: a ring of records may go at once.

        MariaDB and MySQL check them at each statement. There the records
        that are going let go of each other first, where they may.
        """
        statement = _DEFER.get(self._connection.dialect.name)
        if statement is not None:
            self._connection.exec_driver_sql(statement)
        elif len(going) > 1:
            self._let_go(going)

    def _let_go(self, going: Iterable[tuple[ResourceType, Record]]) -> None:
        ids: dict[ResourceType, list[str]] = {}
        for declared, record in going:
            ids.setdefault(declared, []).append(record['id'])
        for declared, some in ids.items():
            free = {one.name: None for one in declared.live
                    if one.references is not None and one.nullable}
            if free:
                table = self._tables.of(declared)
                self._connection.execute(sa.update(table).where(
                    table.c.id.in_(some)).values(free))


def _at_once(some: Sequence[T]) -> Iterator[Sequence[T]]:
    """As many as one statement may ask for."""
    for first in range(0, len(some), AT_ONCE):
        yield some[first:first + AT_ONCE]


def _one_of(columns: Sequence[sa.Column[Any]],
            keys: Iterable[Sequence[Any]]) -> sa.ColumnElement[bool]:
    """The rows that have one of these keys.

    PERF: an IN for all that differ in the last column only. MariaDB looks
    through the table for an IN of several columns.
    """
    lasts: dict[Sequence[Any], list[Any]] = {}
    for *lead, last in keys:
        lasts.setdefault(tuple(lead), []).append(last)
    return sa.or_(*(sa.and_(
        *(column == value
          for column, value in zip(columns[:-1], lead, strict=True)),
        columns[-1].in_(some)) for lead, some in lasts.items()))


#: How a transaction puts off its foreign keys. MariaDB and MySQL cannot.
_DEFER = {'sqlite': 'PRAGMA defer_foreign_keys = ON',
          'postgresql': 'SET CONSTRAINTS ALL DEFERRED'}
