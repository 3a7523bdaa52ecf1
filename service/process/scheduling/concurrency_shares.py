# SPDX-License-Identifier: Apache-2.0
"""How many requests of each flow are carried out at once.

A request that waits for a database leaves the worker's thread to the others
that are being carried out. With all slots in the hands of one flow, another's
request would find the database at work for that one, and no connection to it
free. So where flows come side by side each has a share, which is a few at
least, and more where the thread would rest otherwise: as much as keeps it
busy, and not more.
"""

from __future__ import annotations

import math
from collections.abc import Callable

#: For how many seconds after another flow came a flow is not alone.
COMPANY = 1.0

#: The least share, where there are as many slots.
FEWEST = 8


class Shares:
    """Counts the requests of each flow that are being carried out.

    ``share`` is how many of each may be, where others come; ``most`` is all
    that there may be.
    """

    def __init__(self, clock: Callable[[], float], most: int) -> None:
        self._clock = clock
        self._most = most
        self._fewest = min(FEWEST, most)
        self.share = self._fewest
        self._rests: bool | None = None
        self._running: dict[str, int] = {}
        self._latest: str | None = None
        self._at = -math.inf
        self._together_until = -math.inf

    def came(self, flow: str) -> None:
        """A request of the flow is there.

        PERF: each request passes here. That two came one after the other is
        all that has to be known of who comes.
        """
        now = self._clock()
        if flow != self._latest:
            if now < self._at + COMPANY:
                self._together_until = now + COMPANY
            self._latest = flow
        self._at = now

    @property
    def alone(self) -> bool:
        """One flow came lately, and no other."""
        return self._clock() >= self._together_until

    def may(self, flow: str) -> bool:
        """Whether a request of the flow may begin, whatever else there is."""
        return self.running(flow) < self.share or self.alone

    def running(self, flow: str) -> int:
        """How many requests of the flow are being carried out."""
        return self._running.get(flow, 0)

    def rested(self, rests: bool) -> None:
        """Twice in a row the thread was seen to rest, as where all wait for a
        slow database, or to have enough to do.

        The share grows by more than it shrinks, or the thread would rest half
        of the time.
        """
        again, self._rests = self._rests is rests, None
        if not again:
            self._rests = rests
        elif rests:
            self.share = min(2 * self.share, self._most)
        else:
            self.share = max(self._fewest,
                             self.share - max(1, self.share // 8))

    def begin(self, flow: str) -> None:
        self._running[flow] = self.running(flow) + 1

    def end(self, flow: str) -> None:
        left = self._running[flow] - 1
        if left:
            self._running[flow] = left
        else:
            del self._running[flow]
