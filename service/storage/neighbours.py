# SPDX-License-Identifier: Apache-2.0
"""What other rows have to say about a record."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import sqlalchemy as sa

from service.domain.store import Record
from service.domain.types import Exclusive, Property, ResourceType
from service.storage.transaction import Transaction


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

    def twin(self, declared: ResourceType, names: Iterable[str],
             record: Record) -> str | None:
        """Another record's id with the same values of ``names``."""
        table = self._tables.of(declared)
        if any(record[name] is None for name in names):
            return None
        statement = sa.select(table.c.id).where(
            table.c.id != record['id'],
            *(table.c[name] == record[name] for name in names))
        if declared.owned:
            statement = statement.where(
                table.c.project_id == record['project_id'])
        return self._connection.scalar(statement.limit(1))

    def taken(self, declared: ResourceType, ids: Collection[str]) -> set[str]:
        """Which of these ids exist, whosever they are."""
        table = self._tables.of(declared)
        return set(self._connection.scalars(
            sa.select(table.c.id).where(table.c.id.in_(ids))))

    def overlapping(self, declared: ResourceType, rule: Exclusive,
                    record: Record) -> str | None:
        """Another record's id whose period overlaps this one's."""
        table = self._tables.of(declared)
        start, end = (table.c[name] for name in rule.period)
        begins, ends = (record[name] for name in rule.period)
        if any(record[name] is None for name in rule.per):
            return None
        clauses = [table.c.id != record['id'],
                   *(table.c[name] == record[name] for name in rule.per)]
        if begins is not None:
            clauses.append(sa.or_(end.is_(None), end > begins))
        if ends is not None:
            clauses.append(sa.or_(start.is_(None), start < ends))
        if declared.owned:
            clauses.append(table.c.project_id == record['project_id'])
        return self._connection.scalar(
            sa.select(table.c.id).where(*clauses).limit(1))

    def referring(self, declared: ResourceType, prop: Property,
                  ids: Collection[str], most: int) -> list[Record]:
        """Records whose ``prop`` points at one of ``ids``."""
        table = self._tables.of(declared)
        statement = sa.select(table).where(
            table.c[prop.name].in_(ids)).order_by(table.c.id).limit(most)
        return [dict(row._mapping)
                for row in self._connection.execute(statement)]

    def defer_references(self) -> None:
        """Check foreign keys at the end: a ring of records may go at once."""
        statement = _DEFER.get(self._connection.dialect.name)
        if statement is not None:
            self._connection.exec_driver_sql(statement)


#: How a transaction puts off its foreign keys. MariaDB and MySQL cannot:
#: there storage removes children first and leaves rings alone.
_DEFER = {'sqlite': 'PRAGMA defer_foreign_keys = ON',
          'postgresql': 'SET CONSTRAINTS ALL DEFERRED'}
