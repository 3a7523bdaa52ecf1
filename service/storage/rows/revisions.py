# SPDX-License-Identifier: Apache-2.0
"""What was done: the revisions, numbered in commit order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.domain.catalogue.types import ResourceType
from service.domain.errors import Outdated
from service.domain.records.store import NumberedRevision, Record, Revision
from service.storage.lists import bounded_fetch
from service.storage.rows import audit_log
from service.storage.rows.transaction import Transaction
from service.storage.tables.declared import Tables

#: Columns by which the last revision of one transaction is known: any other
#: would not have left such a one.
Mark = Mapping[str, Any]


class History(Transaction):
    """The revisions one transaction reads and adds to."""

    def __init__(self, connection: Connection, tables: Tables,
                 generation: int) -> None:
        super().__init__(connection, tables, generation)
        self._revisions: list[Revision] = []
        #: By what the transaction is known, once it is sealed.
        self.mark: Mark | None = None

    def last(self, declared: ResourceType, id: str,
             owner: str | None) -> Record | None:
        """A record as its last revision left it: also one deleted since."""
        table = self._tables.core.revisions
        return self._connection.scalar(
            self._of(sa.select(table.c.document), declared, id, owner)
            .order_by(table.c.number.desc()).limit(1))

    def revisions(self, declared: ResourceType, id: str, owner: str | None,
                  below: int | None, most: int
                  ) -> tuple[list[NumberedRevision], bool]:
        """A record's revisions, the newest first, and whether there are more.

        They begin below the number ``below``, if one is given.
        """
        table = self._tables.core.revisions
        statement = self._of(sa.select(*self._columns), declared, id, owner)
        if below is not None:
            statement = statement.where(table.c.number < below)
        found, more = bounded_fetch.read(self._connection.execute(
            statement.order_by(table.c.number.desc()).limit(most + 1)), most)
        return [_past(one) for one in found], more

    def revision(self, declared: ResourceType, id: str, owner: str | None,
                 number: int) -> NumberedRevision | None:
        table = self._tables.core.revisions
        row = self._connection.execute(
            self._of(sa.select(*self._columns), declared, id, owner)
            .where(table.c.number == number)).first()
        return None if row is None else _past(dict(row._mapping))

    def newer(self, declared: ResourceType, id: str, owner: str | None,
              number: int, most: int) -> list[int]:
        """The numbers above ``number``, the nearest first."""
        table = self._tables.core.revisions
        return list(self._connection.scalars(
            self._of(sa.select(table.c.number), declared, id, owner)
            .where(table.c.number > number)
            .order_by(table.c.number).limit(most)))

    @property
    def _columns(self) -> Iterator[sa.ColumnElement[Any]]:
        table = self._tables.core.revisions
        return (table.c[name] for name in ('number', *Revision._fields))

    def _of(self, statement: sa.Select[Any], declared: ResourceType, id: str,
            owner: str | None) -> sa.Select[Any]:
        """What ``owner`` may meet of the revisions of a record."""
        table = self._tables.core.revisions
        statement = statement.where(table.c.type == declared.name,
                                    table.c.record_id == id)
        if declared.owned and owner is not None:
            statement = statement.where(table.c.project_id == owner)
        return statement

    def changes(self, type: str, id: str) -> int:
        """How often something was changed, as far as is kept."""
        table = self._tables.core.revisions
        return self._connection.scalar(
            sa.select(table.c.record_generation)
            .where(table.c.type == type, table.c.record_id == id)
            .order_by(table.c.number.desc()).limit(1)) or 0

    def revise(self, revisions: Sequence[Revision], **told: object) -> None:
        """Keep what was done; ``seal`` numbers it. The audit log is ``told``
        more of it than where it stands."""
        self._revisions += revisions
        self.deeds += [{**audit_log.of_revision(one), **told}
                       for one in revisions]

    def seal(self) -> None:
        """End a transaction that did something: number its revisions in
        commit order, unless the types are others now (D25).

        The counter's row is locked from here to the commit, so whoever reads
        number n has every number below it (reliability C07), and whoever
        changes the types has the writes before that behind him. Waiting for
        a row after this could be waiting for one who waits for us.
        """
        if not self._revisions:
            return
        last = self._advance(len(self._revisions))
        first = last - len(self._revisions) + 1
        self._connection.execute(
            sa.insert(self._tables.core.revisions),
            [{'number': number, **revision._asdict()}
             for number, revision in enumerate(self._revisions, first)])
        self.mark = _signed(last, self._revisions[-1])

    def left(self, mark: Mark | None) -> bool:
        """Whether the transaction of this mark was committed, where nobody
        answered its commit. One without a mark did nothing.

        It may not be at its end, while its connection is at ours. But until
        then the counter's row is its own: who gets that finds all that it
        left, or nothing.
        """
        if mark is None:
            return False
        self._connection.execute(
            sa.select(self._tables.core.counter.c.n).with_for_update())
        table = self._tables.core.revisions
        return self._connection.execute(
            sa.select(table.c.number).where(*(
                table.c[name] == value for name, value in mark.items()))
            ).first() is not None

    def _advance(self, step: int) -> int:
        counter = self._tables.core.counter
        moved = self._connection.execute(
            sa.update(counter).values(n=counter.c.n + step)
            .where(counter.c.generation == self._generation))
        if not moved.rowcount:
            raise Outdated
        return self._connection.scalar(sa.select(counter.c.n)) or 0


def _signed(number: int, revision: Revision) -> Mark:
    """The number alone would be another's, where ours was undone."""
    return {'number': number, **{
        name: getattr(revision, name) for name in (
            'type', 'record_id', 'record_generation', 'request_id', 'at')}}


def _past(row: Mapping[str, Any]) -> NumberedRevision:
    return NumberedRevision(row['number'], Revision(**{
        name: row[name] for name in Revision._fields}))
