# SPDX-License-Identifier: Apache-2.0
"""The store that the domain works with: one transaction for each call."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, NamedTuple, TypeVar

from sqlalchemy.engine import Connection, Engine

from service.domain.errors import Outdated
from service.storage.database import failures
from service.storage.database.engine import FAILURES, Transactions
from service.storage.rows import audit_log
from service.storage.rows.audit_log import Deed
from service.storage.rows.record_rows import Rows
from service.storage.rows.revisions import Mark
from service.storage.schema import applied_types
from service.storage.tables.declared import Tables

T = TypeVar('T')


class _Result(NamedTuple, Generic[T]):
    """The answer of one write, its audit entries, and the mark by which a
    later transaction finds out whether this write was committed."""

    answer: T
    actions: list[Deed]
    mark: Mark | None


class SQLStore:
    """Opens the transactions that ``domain.records`` works in.

    A store belongs to one catalogue number. Once newer types are applied, a
    write raises Outdated, and so does a statement that fails because its
    table has changed.
    """

    def __init__(self, engine: Engine, tables: Tables,
                 catalogue_number: int) -> None:
        self._engine = engine
        self._transactions = Transactions(engine)
        self._tables = tables
        self._catalogue_number = catalogue_number

    def with_types(self, tables: Tables, catalogue_number: int) -> SQLStore:
        """Return a store of other types in the same database.

        Both stores share the connection pool and, on SQLite, the lock that
        lets one write of a process run at a time.
        """
        store = copy.copy(self)
        store._tables = tables
        store._catalogue_number = catalogue_number
        return store

    def read(self, work: Callable[[Rows], T]) -> T:
        def on(connection: Connection) -> T:
            return work(self._rows(connection))
        with self._raise_outdated():
            return self._transactions.read(on)

    def write(self, work: Callable[[Rows], T]) -> T:
        """Run ``work`` in one transaction; repeat it after a lost race.

        The audit log is written after the commit, so that it never reports
        an action that was rolled back.
        """
        retried = False

        def on(connection: Connection) -> _Result[T]:
            nonlocal retried
            if retried:
                self._require_current(connection)
            retried = True
            rows = self._rows(connection)
            answer = work(rows)
            rows.seal()
            return _Result(answer, rows.deeds, rows.mark)

        def was_committed(connection: Connection,
                          result: _Result[T]) -> bool:
            return self._rows(connection).left(result.mark)
        with self._raise_outdated():
            result = self._transactions.write(on, was_committed)
        audit_log.tell(result.actions)
        return result.answer

    def read_on_connection(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` on a connection, to read what is not a record, such
        as the applied types."""
        return self._transactions.read(work)

    def close(self) -> None:
        self._engine.dispose()

    def _rows(self, connection: Connection) -> Rows:
        return Rows(connection, self._tables, self._catalogue_number)

    def _require_current(self, connection: Connection) -> None:
        """Raise Outdated if newer types are applied.

        A write that lost a race may have lost it to a constraint of newer
        types; it would lose each retry as well.
        """
        if (applied_types.announced_number(connection)
                != self._catalogue_number):
            raise Outdated

    @contextmanager
    def _raise_outdated(self) -> Iterator[None]:
        """Raise Outdated in place of a database error that newer types
        caused, such as a missing column."""
        try:
            yield
        except FAILURES as exc:
            if failures.refused_by_server(exc) and self._types_changed():
                raise Outdated from exc
            raise

    def _types_changed(self) -> bool:
        try:
            number = self._transactions.read(applied_types.announced_number)
        except FAILURES:
            return False
        return number != self._catalogue_number
