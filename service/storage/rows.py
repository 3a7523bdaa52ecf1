# SPDX-License-Identifier: Apache-2.0
"""The only SELECT, INSERT, UPDATE and DELETE.

A record is a dict from column to value. ``owner`` is the project whose
records the caller may meet, or None for everybody's: whose a record is stands
in the WHERE clause, so that what is not the caller's is simply not there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.domain.query import Query
from service.domain.store import Kept, Record, Revision
from service.domain.types import Exclusive, Property, ResourceType
from service.storage import lists
from service.storage.tables import Tables

#: The JSON of the records of a page is at most so long, and one record more.
MAX_PAGE = 2 ** 23


class Rows:
    """The rows one transaction reads and writes."""

    def __init__(self, connection: Connection, tables: Tables) -> None:
        self._connection = connection
        self._tables = tables

    # One record

    def fetch(self, declared: ResourceType, id: str,
              owner: str | None) -> Record | None:
        statement = self._tables.fetch(declared, owned=owner is not None)
        row = self._connection.execute(
            statement, {'pileus_id': id, 'pileus_owner': owner}).first()
        return None if row is None else dict(row._mapping)

    def insert(self, declared: ResourceType,
               records: Sequence[Mapping[str, Any]]) -> None:
        self._connection.execute(sa.insert(self._tables.of(declared)),
                                 [dict(one) for one in records])
        self._tag(declared, records)

    def update(self, declared: ResourceType, before: Record,
               changed: Mapping[str, Any]) -> bool:
        """Change a record if it is still as ``before``; say whether it was."""
        table = self._tables.of(declared)
        result = self._connection.execute(
            sa.update(table).where(*_still(table, before))
            .values(dict(changed)))
        if result.rowcount and 'tags' in changed:
            self._untag(declared, before['id'])
            self._tag(declared, [{'id': before['id'],
                                  'tags': changed['tags']}])
        return bool(result.rowcount)

    def delete(self, declared: ResourceType, record: Record) -> bool:
        """Delete a record if it is still as given; say whether it was."""
        table = self._tables.of(declared)
        result = self._connection.execute(
            sa.delete(table).where(*_still(table, record)))
        self._untag(declared, record['id'])
        return bool(result.rowcount)

    # Many records

    def select(self, declared: ResourceType, query: Query, owner: str | None,
               marker: Record | None) -> tuple[list[Record], bool]:
        """The page after ``marker``, and whether more follow.

        SECURITY: it ends early where its records are large. A thousand of a
        megabyte each would take ten times that to be held at once.
        """
        records: list[Record] = []
        size = 0
        with self._connection.execute(lists.select(
                self._tables.of(declared), self._tables.tags, query, owner,
                marker)) as result:
            names = tuple(result.keys())
            for row in result:
                if len(records) == query.limit or size > MAX_PAGE:
                    return records, True
                records.append(dict(zip(names, row, strict=True)))
                size += len(orjson.dumps(tuple(row)))
        return records, False

    def before(self, declared: ResourceType, query: Query, owner: str | None,
               marker: Record) -> list[str]:
        """The ids before ``marker``, the nearest first, as ``lists.select``
        tells them."""
        return list(self._connection.scalars(lists.select(
            self._tables.of(declared), self._tables.tags, query, owner,
            marker, backwards=True)))

    def count(self, declared: ResourceType, query: Query,
              owner: str | None) -> int:
        return self._connection.scalar(lists.count(
            self._tables.of(declared), self._tables.tags, query, owner)) or 0

    def held(self, declared: ResourceType, project_id: str) -> int:
        """How many records of the type a project has."""
        table = self._tables.of(declared)
        return self._connection.scalar(
            sa.select(sa.func.count()).select_from(table)
            .where(table.c.project_id == project_id)) or 0

    # What other rows say about a record

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

    # What was done

    def last(self, declared: ResourceType, id: str,
             owner: str | None) -> Record | None:
        """A record as its last revision left it: also one deleted since."""
        table = self._tables.revisions
        statement = sa.select(table.c.document).where(
            table.c.type == declared.name, table.c.record_id == id)
        if declared.owned and owner is not None:
            statement = statement.where(table.c.project_id == owner)
        return self._connection.scalar(
            statement.order_by(table.c.number.desc()).limit(1))

    def revise(self, revisions: Sequence[Revision]) -> None:
        """Number the revisions in commit order and keep them.

        The counter's row is locked from here to the commit, so whoever reads
        number n has every number below it (reliability C07): write last.
        """
        last = self._advance(len(revisions))
        first = last - len(revisions) + 1
        self._connection.execute(
            sa.insert(self._tables.revisions),
            [{'number': number, **revision._asdict()}
             for number, revision in enumerate(revisions, first)])

    # Replies to what must be done once

    def kept(self, scope: str) -> Kept | None:
        keys = self._tables.keys
        row = self._connection.execute(
            sa.select(*(keys.c[name] for name in Kept._fields))
            .where(keys.c.scope == scope)).first()
        return None if row is None else Kept(*row)

    def keep(self, kept: Kept) -> None:
        """Keep a reply; a twin that does so too waits for us, and fails."""
        self._connection.execute(sa.insert(self._tables.keys),
                                 kept._asdict())

    def outlived(self, horizon: str, most: int) -> list[str]:
        """Scopes of replies kept before ``horizon``, the oldest first."""
        keys = self._tables.keys
        return list(self._connection.scalars(
            sa.select(keys.c.scope).where(keys.c.at <= horizon)
            .order_by(keys.c.at).limit(most)))

    def forget(self, scopes: Collection[str], horizon: str) -> None:
        """Remove replies kept before ``horizon``, if they still are: a twin
        may have put its own in the place of one since we looked."""
        if scopes:
            keys = self._tables.keys
            self._connection.execute(sa.delete(keys).where(
                keys.c.scope.in_(scopes), keys.c.at <= horizon))

    def _advance(self, step: int) -> int:
        counter = self._tables.counter
        self._connection.execute(
            sa.update(counter).values(n=counter.c.n + step))
        return self._connection.scalar(sa.select(counter.c.n)) or 0

    def _tag(self, declared: ResourceType,
             records: Iterable[Mapping[str, Any]]) -> None:
        rows = [{'type': declared.name, 'record_id': one['id'], 'tag': tag}
                for one in records for tag in one['tags']]
        if rows:
            self._connection.execute(sa.insert(self._tables.tags), rows)

    def _untag(self, declared: ResourceType, id: str) -> None:
        tags = self._tables.tags
        self._connection.execute(sa.delete(tags).where(
            tags.c.type == declared.name, tags.c.record_id == id))


def _still(table: sa.Table,
           record: Record) -> Iterator[sa.ColumnElement[bool]]:
    """The record is the one that was read, in the state it then was.

    The generation alone would also be that of another, made meanwhile under
    the id of one that was deleted (D16).
    """
    return (table.c[name] == record[name]
            for name in ('id', 'created_at', 'generation'))


#: How a transaction puts off its foreign keys. MariaDB and MySQL cannot:
#: there storage removes children first and leaves rings alone.
_DEFER = {'sqlite': 'PRAGMA defer_foreign_keys = ON',
          'postgresql': 'SET CONSTRAINTS ALL DEFERRED'}
