# SPDX-License-Identifier: Apache-2.0
"""What was done: the revisions, numbered in commit order."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from service.domain.store import Record, Revision
from service.domain.types import ResourceType
from service.storage.transaction import Transaction


class History(Transaction):
    """The revisions one transaction reads and adds to."""

    def last(self, declared: ResourceType, id: str,
             owner: str | None) -> Record | None:
        """A record as its last revision left it: also one deleted since."""
        table = self._tables.core.revisions
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
            sa.insert(self._tables.core.revisions),
            [{'number': number, **revision._asdict()}
             for number, revision in enumerate(revisions, first)])

    def _advance(self, step: int) -> int:
        counter = self._tables.core.counter
        self._connection.execute(
            sa.update(counter).values(n=counter.c.n + step))
        return self._connection.scalar(sa.select(counter.c.n)) or 0
