# SPDX-License-Identifier: Apache-2.0
"""The storage as the domain sees it: work on rows, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.engine import Connection, Engine

from service.storage.engine import Transactions
from service.storage.rows import Rows
from service.storage.tables import Tables

T = TypeVar('T')


class Store:
    """Opens the transactions that ``domain.records`` works in."""

    def __init__(self, engine: Engine, tables: Tables) -> None:
        self._engine = engine
        self._transactions = Transactions(engine)
        self._tables = tables

    def read(self, work: Callable[[Rows], T]) -> T:
        def on(connection: Connection) -> T:
            return work(Rows(connection, self._tables))
        return self._transactions.read(on)

    def write(self, work: Callable[[Rows], T]) -> T:
        """Run ``work`` in one transaction, perhaps more than once."""
        def on(connection: Connection) -> T:
            return work(Rows(connection, self._tables))
        return self._transactions.write(on)

    def close(self) -> None:
        self._engine.dispose()
