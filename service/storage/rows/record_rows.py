# SPDX-License-Identifier: Apache-2.0
"""The only SELECT, INSERT, UPDATE and DELETE of records.

``neighbours``, ``history``, ``replies`` and ``usage`` have those of what
stands beside them. A record is a dict from column to value. ``owner`` is the
project whose records the caller may meet, or None for everybody's: whose a
record is stands in the WHERE clause, so that what is not the caller's is
simply not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult

from service.domain.catalogue.types import ResourceType
from service.domain.query.list_query import Query
from service.domain.records.store import Record
from service.storage.database import failures
from service.storage.lists import bounded_fetch, statement_cache, statements
from service.storage.rows.idempotency import Replies
from service.storage.rows.related import Neighbours
from service.storage.rows.revisions import History
from service.storage.rows.usage import Usage


class Rows(Neighbours, History, Replies, Usage):
    """The rows one transaction reads and writes."""

    # One record

    def fetch(self, declared: ResourceType, id: str, owner: str | None,
              columns: tuple[str, ...] = ()) -> Record | None:
        """A record, or these columns of it."""
        statement = self._tables.fetch(declared, owned=owner is not None,
                                       columns=columns)
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
        """The page after ``marker``, and whether more follow; where records
        are large it ends early."""
        return bounded_fetch.read(self._listed(declared, query, owner, marker),
                          query.limit)

    def before(self, declared: ResourceType, query: Query, owner: str | None,
               first: Record) -> str | None:
        """The id that the page before the one with ``first`` begins after;
        None where that is the first page."""
        found = self._listed(declared, query, owner, first, backwards=True)
        return found.scalar()

    def count(self, declared: ResourceType, query: Query,
              owner: str | None) -> int:
        return self._connection.scalar(statements.count(
            self._source(declared), query, owner)) or 0

    def _listed(self, declared: ResourceType, query: Query,
                owner: str | None, marker: Record | None,
                backwards: bool = False) -> CursorResult[Any]:
        """By the index that has it in order; without, where that is gone: an
        apply drops one before its types are in force."""
        source = self._source(declared)

        def run(source: statements.Source) -> CursorResult[Any]:
            return self._connection.execute(*statement_cache.select(
                self._tables.lists, source, query, owner, marker, backwards))
        try:
            return run(source)
        except failures.FAILURES as exc:
            if not failures.no_such_index(exc):
                raise
            return run(source._replace(hinted=False))

    def _source(self, declared: ResourceType) -> statements.Source:
        return statements.source(
            self._tables.of(declared), self._tables.core.tags,
            self._connection.dialect.name)

    def _tag(self, declared: ResourceType,
             records: Iterable[Mapping[str, Any]]) -> None:
        rows = [{'type': declared.name, 'record_id': one['id'], 'tag': tag}
                for one in records for tag in one['tags']]
        if rows:
            self._connection.execute(sa.insert(self._tables.core.tags), rows)

    def _untag(self, declared: ResourceType, id: str) -> None:
        tags = self._tables.core.tags
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
