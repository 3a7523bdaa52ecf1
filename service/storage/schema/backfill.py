# SPDX-License-Identifier: Apache-2.0
"""Give a value to the records that have none, in batches.

Each batch is a transaction. If the command is interrupted, completed batches
stay and the next run fills the rest. Batches go by id, each from the end of
the one before: searching from the start would take longer each time. No other
transaction writes meanwhile.
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

#: Runs work on a connection, in a transaction of its own except on SQLite.
InTransaction = Callable[[Callable[[Connection], Sequence[str]]],
                         Sequence[str]]


@dataclass(frozen=True)
class Fill:
    """The value for the rows of a table that have none in ``column``."""

    column: sa.Column[Any]
    value: Any

    @property
    def statement(self) -> sa.Update:
        """The whole fill as one statement, for printing."""
        return self._update(self.column.is_(None))

    def run(self, transact: InTransaction, rows: int,
            progress: Progress) -> None:
        """Fill about ``rows`` rows and report the progress."""
        done, last_id = 0, None
        while ids := transact(partial(self._batch, last_id)):
            done, last_id = done + len(ids), ids[-1]
            progress(f'{done} of {max(rows, done)} records')

    def _batch(self, last_id: str | None,
               connection: Connection) -> Sequence[str]:
        """Fill the rows after ``last_id``.

        The ids are read first: MariaDB has no LIMIT in a subquery of IN.
        """
        id = self.column.table.c.id
        after = [] if last_id is None else [id > last_id]
        ids = connection.scalars(
            sa.select(id).where(self.column.is_(None), *after)
            .order_by(id).limit(BATCH_ROWS)).all()
        if ids:
            connection.execute(self._update(id.in_(ids)))
        return ids

    def _update(self, condition: sa.ColumnElement[bool]) -> sa.Update:
        return sa.update(self.column.table).where(condition).values(
            {self.column.name: sa.literal(self.value, self.column.type)})
