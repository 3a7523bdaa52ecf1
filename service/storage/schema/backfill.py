# SPDX-License-Identifier: Apache-2.0
"""Giving a value to the records that have none, a batch at a time.

Each batch is a transaction of its own: what was done stays done if the
command is interrupted, and the next one goes on with the rest. Batches go by
the id, each from where the one before it ended: nobody writes meanwhile, and
to look from the beginning each time takes ever longer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

#: How many rows a transaction fills.
BATCH_ROWS = 1000

Progress = Callable[[str], None]

#: Runs work on a connection, in a transaction of its own where it may.
InTransaction = Callable[[Callable[[Connection], Sequence[str]]],
                         Sequence[str]]


@dataclass(frozen=True)
class Fill:
    """The rows of a table without a value in ``column``, and the value."""

    column: sa.Column[Any]
    value: Any

    @property
    def statement(self) -> sa.Update:
        """All of it as one statement, to be shown."""
        return self._update(self.column.is_(None))

    def run(self, transact: InTransaction, rows: int,
            progress: Progress) -> None:
        """Fill all of about so many rows, telling how far it is."""
        done, place = 0, None
        while ids := transact(partial(self._batch, place)):
            done, place = done + len(ids), ids[-1]
            progress(f'{done} of {max(rows, done)} records')

    def _batch(self, place: str | None,
               connection: Connection) -> Sequence[str]:
        """MariaDB takes no LIMIT in a subquery of IN."""
        id = self.column.table.c.id
        further = [] if place is None else [id > place]
        ids = connection.scalars(
            sa.select(id).where(self.column.is_(None), *further)
            .order_by(id).limit(BATCH_ROWS)).all()
        if ids:
            connection.execute(self._update(id.in_(ids)))
        return ids

    def _update(self, condition: sa.ColumnElement[bool]) -> sa.Update:
        return sa.update(self.column.table).where(condition).values(
            {self.column.name: sa.literal(self.value, self.column.type)})
