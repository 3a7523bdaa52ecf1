# SPDX-License-Identifier: Apache-2.0
"""Remove old revisions, expired idempotency keys and unused rows.

Each batch is a short transaction: other writers hardly wait for it, and an
interrupted run keeps what it has done.
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Sequence,
)
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from service.domain.catalogue.types import Catalogue
from service.domain.documents import timestamps
from service.domain.records import idempotency
from service.storage.database.engine import Transactions
from service.storage.rows.idempotency import Replies
from service.storage.tables import declared as declared_tables

T = TypeVar('T')

#: How many rows are read, and at most removed, at a time.
BATCH_ROWS = 500

#: How many young revisions are skipped at a time.
STRIDE_ROWS = 10000


class Retention(NamedTuple):
    """The revisions that a purge keeps.

    A purge keeps every revision younger than ``days`` (0: all revisions), and
    the ``last`` revisions of each record that still exists.
    """

    days: int
    last: int


class PurgeProgress(NamedTuple):
    """The number of rows checked and removed so far."""

    checked: int
    removed: int


def revisions(engine: Engine, keep: Retention, now: str, *,
              dry_run: bool = False) -> Iterator[PurgeProgress]:
    """Remove old revisions, the oldest first.

    The newest revision of an existing record always stays. All revisions of a
    deleted record are removed once its deletion is old enough.
    """
    if not keep.days:
        return
    horizon = _before(now, timedelta(days=keep.days))
    done, transactions = PurgeProgress(0, 0), Transactions(engine)
    for batch in _old(transactions, horizon, keep.last):
        numbers = [revision.number for revision in batch
                   if _is_removable(revision, horizon)]
        if numbers and not dry_run:
            _in(transactions.write, _PurgeRows.delete_revisions, numbers)
        done = PurgeProgress(done.checked + len(batch),
                             done.removed + len(numbers))
        yield done


def _old(transactions: Transactions, horizon: str,
         last: int) -> Iterator[Sequence[_AgedRevision]]:
    """Yield batches of revisions until none is old enough.

    Times need not increase with the numbers, as a clock may have been wrong:
    young revisions are skipped to find old ones that follow.
    """
    number: int | None = 0
    while number is not None:
        batch = _in(transactions.read, _PurgeRows.revisions_after, number,
                    last)
        if any(revision.at < horizon for revision in batch):
            number = batch[-1].number
            yield batch
        else:
            number = _skip_young(transactions, number, horizon)


def _skip_young(transactions: Transactions, number: int,
                horizon: str) -> int | None:
    """Return the number before the next old revision; None if there is none.
    """
    while True:
        end, old = _in(transactions.read, _PurgeRows.stride, number, horizon)
        if end is None or old is not None:
            return old and old - 1
        number = end


def replies(engine: Engine, now: str, *,
            dry_run: bool = False) -> Iterator[PurgeProgress]:
    """Remove the stored replies of expired idempotency keys (D18)."""
    horizon = _before(now, idempotency.REPLY_LIFETIME)
    transactions = Transactions(engine)
    if dry_run:
        expired = _in(transactions.read, _PurgeRows.count_replies, horizon)
        yield PurgeProgress(expired, expired)
        return
    done = 0
    while True:
        scopes = _in(transactions.read, _PurgeRows.outlived, horizon,
                     BATCH_ROWS)
        if not scopes:
            return
        _in(transactions.write, _PurgeRows.forget, scopes, horizon)
        done += len(scopes)
        yield PurgeProgress(done, done)


def locks(engine: Engine, *,
          dry_run: bool = False) -> Iterator[PurgeProgress]:
    """Remove the lock rows of periods that no transaction holds.

    A transaction that needs a removed row inserts it again.
    """
    if engine.dialect.name == 'sqlite':
        return
    yield from _unused(engine, _PurgeRows.free_locks,
                       _PurgeRows.delete_locks, dry_run)


def zero_counts(engine: Engine, *,
                dry_run: bool = False) -> Iterator[PurgeProgress]:
    """Remove the counts of projects that have no record of a type."""
    yield from _unused(engine, _PurgeRows.zero_counts,
                       _PurgeRows.delete_zero_counts, dry_run)


def _unused(engine: Engine, select: Callable[..., list[Any]],
            delete: Callable[..., None],
            dry_run: bool) -> Iterator[PurgeProgress]:
    """Remove rows in batches, in the order of their keys."""
    transactions, last_key, done = Transactions(engine), None, 0

    def purge_batch(rows: _PurgeRows, after: Any) -> list[Any]:
        keys = select(rows, after)
        if keys and not dry_run:
            delete(rows, keys)
        return keys
    run = transactions.read if dry_run else transactions.write
    while keys := _in(run, purge_batch, last_key):
        last_key, done = keys[-1], done + len(keys)
        yield PurgeProgress(done, done)


def _in(run: Callable[[Callable[[Connection], T]], T],
        work: Callable[..., T], *arguments: Any) -> T:
    """Run work on the purgeable rows in a transaction."""
    return run(lambda connection: work(_PurgeRows.on(connection),
                                       *arguments))


class _AgedRevision(NamedTuple):
    """A revision, and what decides whether it is removed.

    Revisions of its record from ``floor`` on stay. ``action`` and ``ended``
    are the action and the time of the record's newest revision.
    """

    number: int
    at: str
    floor: int | None
    action: str
    ended: str


def _is_removable(revision: _AgedRevision, horizon: str) -> bool:
    if revision.at >= horizon:
        return False
    if revision.action == 'delete' and revision.ended < horizon:
        return True
    return revision.floor is not None and revision.number < revision.floor


class _PurgeRows(Replies):
    """The purgeable rows in one transaction."""

    @classmethod
    def on(cls, connection: Connection) -> _PurgeRows:
        """Only core tables are purged, so no types are needed."""
        return cls(connection, declared_tables.build(Catalogue({})), 0)

    def revisions_after(self, number: int,
                        last: int) -> Sequence[_AgedRevision]:
        """Return the next revisions in the order of their numbers."""
        table = self._tables.core.revisions
        return [_AgedRevision(*row) for row in self._connection.execute(
            sa.select(table.c.number, table.c.at,
                      self._newest('number', last - 1),
                      self._newest('action'), self._newest('at'))
            .where(table.c.number > number)
            .order_by(table.c.number).limit(BATCH_ROWS))]

    def stride(self, number: int, horizon: str
               ) -> tuple[int | None, int | None]:
        """Return the last number of the next ``STRIDE_ROWS`` revisions, and
        the first number of an old one among them."""
        columns = self._tables.core.revisions.c
        some = sa.select(columns.number, columns.at).where(
            columns.number > number).order_by(columns.number).limit(
            STRIDE_ROWS).subquery()
        old = sa.case((some.c.at < horizon, some.c.number))
        row = self._connection.execute(sa.select(
            sa.func.max(some.c.number), sa.func.min(old))).one()
        return row[0], row[1]

    def count_replies(self, horizon: str) -> int:
        """Count the replies stored before ``horizon``."""
        keys = self._tables.core.keys
        return self._connection.scalar(
            sa.select(sa.func.count()).select_from(keys)
            .where(keys.c.at <= horizon)) or 0

    def delete_revisions(self, numbers: Collection[int]) -> None:
        table = self._tables.core.revisions
        self._connection.execute(
            sa.delete(table).where(table.c.number.in_(numbers)))

    def free_locks(self, after: str | None) -> list[str]:
        """Lock the rows that no other transaction holds; return their names.
        """
        name = self._tables.core.locks.c.name
        return list(self._connection.scalars(
            sa.select(name).where(name > (after or '')).order_by(name)
            .limit(BATCH_ROWS).with_for_update(skip_locked=True)))

    def delete_locks(self, names: Iterable[str]) -> None:
        """Delete lock rows one by one.

        For a list of names MariaDB reads all rows, and waits for those that
        another transaction holds.
        """
        table = self._tables.core.locks
        for name in names:
            self._connection.execute(
                sa.delete(table).where(table.c.name == name))

    def zero_counts(self, after: tuple[str, str] | None
                    ) -> list[tuple[str, str]]:
        """Return the next (project, type) without a record."""
        columns = self._tables.core.usage.c
        project, type = after or ('', '')
        return [(row.project_id, row.type) for row in self._connection.execute(
            sa.select(columns.project_id, columns.type).where(
                columns.used == 0, sa.or_(
                    columns.project_id > project,
                    sa.and_(columns.project_id == project,
                            columns.type > type)))
            .order_by(columns.project_id, columns.type).limit(BATCH_ROWS))]

    def delete_zero_counts(self, keys: Iterable[tuple[str, str]]) -> None:
        """Delete counts, unless a record was created meanwhile."""
        table = self._tables.core.usage
        for project, type in keys:
            self._connection.execute(sa.delete(table).where(
                table.c.project_id == project, table.c.type == type,
                table.c.used == 0))

    def _newest(self, column: str, skip: int = 0) -> sa.ScalarSelect[Any]:
        """Select a column of the newest revision of the same record, or of
        the newest after ``skip`` newer ones."""
        table = self._tables.core.revisions
        other = table.alias()
        return (sa.select(other.c[column])
                .where(other.c.type == table.c.type,
                       other.c.record_id == table.c.record_id)
                .order_by(other.c.number.desc()).limit(1).offset(skip)
                .correlate(table).scalar_subquery())


def _before(now: str, span: timedelta) -> str:
    return timestamps.canonical(
        (datetime.fromisoformat(now) - span).isoformat())
