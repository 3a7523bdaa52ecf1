# SPDX-License-Identifier: Apache-2.0
"""A request that is carried out once, however often it is sent.

A client that was cut off cannot know whether its POST was carried out. Sent
under a key, the reply is kept in the transaction of the deed itself: both are
there or neither is, and who asks again is given that reply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.domain.documents import timestamps
from service.domain.records.store import Record, Rows, StoredReply

#: How long a reply is kept.
REPLY_LIFETIME = timedelta(hours=24)

#: At most so many forgotten replies are removed by one request: more than it
#: adds, and never so many that it is felt.
MAX_PURGED_REPLIES = 100


@dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """One sending of a request.

    ``scope`` names the request: equal for every sending, and for nothing
    else. ``at`` is when it was sent. ``render`` makes what is to be kept of
    the records that the request made.
    """

    scope: str
    at: str
    render: Callable[[Sequence[Record]], StoredReply]

    def claim(self, rows: Rows, made: Sequence[Record]) -> tuple[StoredReply,
                                                                 bool]:
        """The reply kept for the request; one of its own if there is none.

        Also says whether it is its own: then ``made`` must be stored, in the
        same transaction. Done first, so that a twin that runs at the same
        time waits here, is refused the key, and finds the reply when it is
        run again.
        """
        kept = rows.kept(self.scope)
        if kept is not None and kept.at > self.horizon:
            return kept, False
        stale = [] if kept is None else [kept.scope]
        rows.forget({*stale, *rows.outlived(self.horizon, MAX_PURGED_REPLIES)},
                    self.horizon)
        own = self.render(made)
        rows.keep(own)
        return own, True

    @property
    def horizon(self) -> str:
        """What was kept before this is forgotten."""
        moment = datetime.fromisoformat(self.at) - REPLY_LIFETIME
        return timestamps.canonical(moment.isoformat())
