# SPDX-License-Identifier: Apache-2.0
"""Replies kept for requests that must be carried out once."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from service.domain.records.store import StoredReply
from service.storage.rows.transaction import Transaction


class Replies(Transaction):
    """The kept replies one transaction reads and writes."""

    def kept(self, scope: str) -> StoredReply | None:
        keys = self._tables.core.keys
        row = self._connection.execute(
            sa.select(*(keys.c[name] for name in StoredReply._fields))
            .where(keys.c.scope == scope)).first()
        return None if row is None else StoredReply(*row)

    def keep(self, kept: StoredReply) -> None:
        """Keep a reply; a twin that does so too waits for us, and fails."""
        self._connection.execute(sa.insert(self._tables.core.keys),
                                 kept._asdict())

    def outlived(self, horizon: str, most: int) -> list[str]:
        """Scopes of replies kept before ``horizon``, the oldest first."""
        keys = self._tables.core.keys
        return list(self._connection.scalars(
            sa.select(keys.c.scope).where(keys.c.at <= horizon)
            .order_by(keys.c.at).limit(most)))

    def forget(self, scopes: Collection[str], horizon: str) -> None:
        """Remove replies kept before ``horizon``, if they still are: a twin
        may have put its own in the place of one since we looked."""
        if scopes:
            keys = self._tables.core.keys
            self._connection.execute(sa.delete(keys).where(
                keys.c.scope.in_(scopes), keys.c.at <= horizon))
