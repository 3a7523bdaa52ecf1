# SPDX-License-Identifier: Apache-2.0
"""The storage as the domain sees it: work on rows, in one transaction."""

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
    """What a transaction did, and by what it is known to have been."""

    answer: T
    deeds: list[Deed]
    mark: Mark | None


class SQLStore:
    """Opens the transactions that ``domain.records`` works in.

    They are of one ``generation`` of types: once others are in force a write
    is Outdated, and so is whatever fails on tables that changed.
    """

    def __init__(self, engine: Engine, tables: Tables,
                 catalogue_number: int) -> None:
        self._engine = engine
        self._transactions = Transactions(engine)
        self._tables = tables
        self._catalogue_number = catalogue_number

    def with_types(self, tables: Tables, catalogue_number: int) -> SQLStore:
        """The store of other types in the same database.

        It takes turns with this one: both are of one process.
        """
        made = copy.copy(self)
        made._tables, made._catalogue_number = tables, catalogue_number
        return made

    def read(self, work: Callable[[Rows], T]) -> T:
        def on(connection: Connection) -> T:
            return work(self._rows(connection))
        with self._noticing():
            return self._transactions.read(on)

    def write(self, work: Callable[[Rows], T]) -> T:
        """Run ``work`` in one transaction, perhaps more than once.

        What it did is in the audit log when it is committed, and not before:
        a line about a deed that was undone would be a lie.
        """
        again = False

        def on(connection: Connection) -> _Result[T]:
            nonlocal again
            if again:
                self._check(connection)
            again = True
            rows = self._rows(connection)
            answer = work(rows)
            rows.seal()
            return _Result(answer, rows.deeds, rows.mark)

        def kept(connection: Connection, done: _Result[T]) -> bool:
            return self._rows(connection).left(done.mark)
        with self._noticing():
            done = self._transactions.write(on, kept)
        audit_log.tell(done.deeds)
        return done.answer

    def read_on_connection(self, work: Callable[[Connection], T]) -> T:
        """Read what is beside the records, such as the applied types."""
        return self._transactions.read(work)

    def close(self) -> None:
        self._engine.dispose()

    def _rows(self, connection: Connection) -> Rows:
        return Rows(connection, self._tables, self._catalogue_number)

    def _check(self, connection: Connection) -> None:
        """A write that others were faster than may have met new rules, and
        would meet them each time it is run."""
        if (applied_types.announced_number(connection)
                != self._catalogue_number):
            raise Outdated

    @contextmanager
    def _noticing(self) -> Iterator[None]:
        """What fails on a column that is gone is Outdated, not a failure."""
        try:
            yield
        except FAILURES as exc:
            if failures.refused_by_server(exc) and self._moved():
                raise Outdated from exc
            raise

    def _moved(self) -> bool:
        try:
            found = self._transactions.read(applied_types.announced_number)
        except FAILURES:
            return False
        return found != self._catalogue_number
