# SPDX-License-Identifier: Apache-2.0
"""How the workers of one generation share connections evenly.

They accept from one socket, and whoever the kernel wakes first could take all
that come at once and keep them: of sixteen keep-alive connections to two
workers one was seen to get every one. So each worker writes down how many it
holds where its siblings can read it, and one that holds more than another
lets that one go first, for a moment.
"""

from __future__ import annotations

import mmap

#: Stands for a worker that does not accept (yet, or any more).
NOT_ACCEPTING = -1


class ConnectionCount:
    """One worker's count among those of its siblings."""

    __slots__ = ('_counts', '_index')

    def __init__(self, counts: memoryview[int], index: int) -> None:
        self._counts = counts
        self._index = index

    def hold(self, count: int) -> None:
        """Let the siblings know how many connections this worker has."""
        self._counts[self._index] = count

    def leave(self) -> None:
        """It takes no more: nobody is to wait for it."""
        self._counts[self._index] = NOT_ACCEPTING

    def crowded(self) -> bool:
        """Whether a sibling that accepts has fewer."""
        mine = self._counts[self._index]
        return any(NOT_ACCEPTING < count < mine for count in self._counts)


class ConnectionBalance:
    """The counts of all workers of a generation, in memory they share."""

    def __init__(self, places: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 8 * places)).cast('q')
        for index in range(places):
            self._counts[index] = NOT_ACCEPTING

    def place(self, index: int) -> ConnectionCount:
        return ConnectionCount(self._counts, index)
