# SPDX-License-Identifier: Apache-2.0
"""What is to go: revisions and the replies kept for keys, once they are old
enough, and rows that mean nothing any more.

Bit by bit, each bit in a short transaction of its own, so that who writes
meanwhile waits for none of it and an interrupted run has done what it did.
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

#: So many rows are looked at, and at most so many removed, at a time.
BATCH_ROWS = 500

#: So many are passed at a time where none is old enough.
STRIDE_ROWS = 10000


class Retention(NamedTuple):
    """What stays: all that is younger than ``days`` (0: everything), and the
    ``last`` revisions of each record that is not deleted."""

    days: int
    last: int


class PurgeProgress(NamedTuple):
    """How far a run has come."""

    checked: int
    removed: int


def revisions(engine: Engine, keep: Retention, now: str, *,
              dry_run: bool = False) -> Iterator[PurgeProgress]:
    """Remove revisions that are old enough, the oldest first.

    The newest of a record that is there is never among them. Of one that was
    deleted all go, its end included, once that is old enough itself.
    """
    if not keep.days:
        return
    horizon = _before(now, timedelta(days=keep.days))
    done, transactions = PurgeProgress(0, 0), Transactions(engine)
    for found in _old(transactions, horizon, keep.last):
        gone = [one.number for one in found if _goes(one, horizon)]
        if gone and not dry_run:
            _in(transactions.write, _Aged.erase, gone)
        done = PurgeProgress(done.checked + len(found),
                             done.removed + len(gone))
        yield done


def _old(transactions: Transactions, horizon: str,
         last: int) -> Iterator[Sequence[_Aging]]:
    """Some revisions at a time, as long as there are some old enough.

    A clock may have been wrong for a while: those that are younger than they
    can be are passed, and do not hide the old ones that follow.
    """
    place: int | None = 0
    while place is not None:
        found = _in(transactions.read, _Aged.after, place, last)
        if any(one.at < horizon for one in found):
            place = found[-1].number
            yield found
        else:
            place = _passed(transactions, place, horizon)


def _passed(transactions: Transactions, place: int,
            horizon: str) -> int | None:
    """The place before the next old revision; None if there is none."""
    while True:
        end, old = _in(transactions.read, _Aged.stride, place, horizon)
        if end is None or old is not None:
            return old and old - 1
        place = end


def replies(engine: Engine, now: str, *,
            dry_run: bool = False) -> Iterator[PurgeProgress]:
    """Remove the replies whose keys mean nothing any more (D18)."""
    horizon = _before(now, idempotency.REPLY_LIFETIME)
    transactions = Transactions(engine)
    if dry_run:
        old = _in(transactions.read, _Aged.old, horizon)
        yield PurgeProgress(old, old)
        return
    done = 0
    while True:
        scopes = _in(transactions.read, _Aged.outlived, horizon, BATCH_ROWS)
        if not scopes:
            return
        _in(transactions.write, _Aged.forget, scopes, horizon)
        done += len(scopes)
        yield PurgeProgress(done, done)


def locks(engine: Engine, *, dry_run: bool = False) -> Iterator[PurgeProgress]:
    """Remove the rows that writers of periods wait for.

    Whoever needs one that went makes it again, so none has to stay but those
    that somebody holds.
    """
    if engine.dialect.name == 'sqlite':
        return
    yield from _idle(engine, _Aged.locks, _Aged.unlock, dry_run)


def zero_counts(engine: Engine, *,
                dry_run: bool = False) -> Iterator[PurgeProgress]:
    """Remove counts of projects that have no record of a type."""
    yield from _idle(engine, _Aged.zeros, _Aged.uncount, dry_run)


def _idle(engine: Engine, some: Callable[..., list[Any]],
          remove: Callable[..., None],
          dry_run: bool) -> Iterator[PurgeProgress]:
    """Remove some rows at a time, in the order of their keys."""
    transactions, place, done = Transactions(engine), None, 0

    def swept(aged: _Aged, after: Any) -> list[Any]:
        found = some(aged, after)
        if found and not dry_run:
            remove(aged, found)
        return found
    run = transactions.read if dry_run else transactions.write
    while found := _in(run, swept, place):
        place, done = found[-1], done + len(found)
        yield PurgeProgress(done, done)


def _in(run: Callable[[Callable[[Connection], T]], T],
        work: Callable[..., T], *given: Any) -> T:
    """Work on what may be old enough, in a transaction of its own."""
    return run(lambda connection: work(_Aged.on(connection), *given))


class _Aging(NamedTuple):
    """A revision, and what decides whether it goes: the number from which on
    revisions of its record stay, and how the newest of them is."""

    number: int
    at: str
    floor: int | None
    action: str
    ended: str


def _goes(one: _Aging, horizon: str) -> bool:
    if one.at >= horizon:
        return False
    if one.action == 'delete' and one.ended < horizon:
        return True
    return one.floor is not None and one.number < one.floor


class _Aged(Replies):
    """The rows of one transaction that may be old enough to go."""

    @classmethod
    def on(cls, connection: Connection) -> _Aged:
        """On the core tables alone: whatever the types, these age."""
        return cls(connection, declared_tables.build(Catalogue({})), 0)

    def after(self, place: int, last: int) -> Sequence[_Aging]:
        """The next revisions in the order of their numbers."""
        one = self._tables.core.revisions
        return [_Aging(*row) for row in self._connection.execute(
            sa.select(one.c.number, one.c.at, self._newest('number', last - 1),
                      self._newest('action'), self._newest('at'))
            .where(one.c.number > place)
            .order_by(one.c.number).limit(BATCH_ROWS))]

    def stride(self, place: int, horizon: str
               ) -> tuple[int | None, int | None]:
        """The last number of a good many, and the first that is old."""
        one = self._tables.core.revisions.c
        some = sa.select(one.number, one.at).where(
            one.number > place).order_by(one.number).limit(
            STRIDE_ROWS).subquery()
        old = sa.case((some.c.at < horizon, some.c.number))
        row = self._connection.execute(sa.select(
            sa.func.max(some.c.number), sa.func.min(old))).one()
        return row[0], row[1]

    def old(self, horizon: str) -> int:
        """How many replies were kept before ``horizon``."""
        keys = self._tables.core.keys
        return self._connection.scalar(
            sa.select(sa.func.count()).select_from(keys)
            .where(keys.c.at <= horizon)) or 0

    def erase(self, numbers: Collection[int]) -> None:
        table = self._tables.core.revisions
        self._connection.execute(
            sa.delete(table).where(table.c.number.in_(numbers)))

    def locks(self, after: str | None) -> list[str]:
        """Names of locks that nobody holds; they are ours from here on."""
        name = self._tables.core.locks.c.name
        return list(self._connection.scalars(
            sa.select(name).where(name > (after or '')).order_by(name)
            .limit(BATCH_ROWS).with_for_update(skip_locked=True)))

    def unlock(self, names: Iterable[str]) -> None:
        """One by one: for a list of names MariaDB reads all rows, and waits
        for whoever holds another."""
        table = self._tables.core.locks
        for name in names:
            self._connection.execute(
                sa.delete(table).where(table.c.name == name))

    def zeros(self, after: tuple[str, str] | None
              ) -> list[tuple[str, str]]:
        """Projects and types of which nothing is there."""
        one = self._tables.core.usage.c
        project, type = after or ('', '')
        return [(row.project_id, row.type) for row in self._connection.execute(
            sa.select(one.project_id, one.type).where(
                one.used == 0, sa.or_(
                    one.project_id > project,
                    sa.and_(one.project_id == project, one.type > type)))
            .order_by(one.project_id, one.type).limit(BATCH_ROWS))]

    def uncount(self, counts: Iterable[tuple[str, str]]) -> None:
        """Who made a record meanwhile has the count not at zero."""
        table = self._tables.core.usage
        for project, type in counts:
            self._connection.execute(sa.delete(table).where(
                table.c.project_id == project, table.c.type == type,
                table.c.used == 0))

    def _newest(self, column: str, passed: int = 0) -> sa.ScalarSelect[Any]:
        """A column of the newest revision of a record, or of that which
        comes after so many newer ones."""
        one = self._tables.core.revisions
        other = one.alias()
        return (sa.select(other.c[column])
                .where(other.c.type == one.c.type,
                       other.c.record_id == one.c.record_id)
                .order_by(other.c.number.desc()).limit(1).offset(passed)
                .correlate(one).scalar_subquery())


def _before(now: str, span: timedelta) -> str:
    return timestamps.canonical(
        (datetime.fromisoformat(now) - span).isoformat())
