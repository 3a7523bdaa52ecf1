# SPDX-License-Identifier: Apache-2.0
"""Execute a request once, even if the client sends it several times.

A client that loses its connection cannot know whether its POST was executed.
If the POST has an idempotency key, the reply is stored in the same
transaction as the records, so that both exist or neither. A later request
with the same key gets the stored reply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.domain.documents import timestamps
from service.domain.records.store import Record, Rows, StoredReply

#: How long a reply is stored.
REPLY_LIFETIME = timedelta(hours=24)

#: How many expired replies one request deletes at most. It is more than the
#: one reply that a request adds, and few enough not to delay the request.
MAX_PURGED_REPLIES = 100


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """One attempt of a request that has an idempotency key.

    ``scope`` identifies the request: it is the same for each attempt, and
    different for any other request. ``at`` is the time of this attempt.
    ``render`` makes the reply to store from the records that were created.
    """

    scope: str
    at: str
    render: Callable[[Sequence[Record]], StoredReply]

    def claim(self, rows: Rows,
              records: Sequence[Record]) -> tuple[StoredReply, bool]:
        """Return the stored reply, or store a new one for ``records``.

        The second value is True if the reply is new; the caller must then
        insert ``records`` in the same transaction. Call ``claim`` first in
        the transaction: a concurrent attempt then waits for the key, fails
        on the duplicate, runs again and finds the reply.
        """
        stored = rows.kept(self.scope)
        if stored is not None and stored.at > self.horizon:
            return stored, False
        expired = [] if stored is None else [stored.scope]
        rows.forget(
            {*expired, *rows.outlived(self.horizon, MAX_PURGED_REPLIES)},
            self.horizon)
        reply = self.render(records)
        rows.keep(reply)
        return reply, True

    @property
    def horizon(self) -> str:
        """The time up to which stored replies have expired."""
        moment = datetime.fromisoformat(self.at) - REPLY_LIFETIME
        return timestamps.canonical(moment.isoformat())
