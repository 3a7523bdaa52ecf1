# SPDX-License-Identifier: Apache-2.0
"""Spread connections evenly over the workers of one set.

All workers accept from one socket, and the kernel wakes any of them. The
worker that wakes first can accept every waiting connection: in a
measurement, one of two workers got all of 16 keep-alive connections. So each
worker publishes its number of connections in shared memory, and a worker
with more than another leaves a new connection to the other for a moment.
"""

from __future__ import annotations

import mmap

#: The count of a worker that does not accept connections.
NOT_ACCEPTING = -1


class ConnectionCount:
    """One worker's number of connections, among those of its set."""

    __slots__ = ('_counts', '_index')

    def __init__(self, counts: memoryview[int], index: int) -> None:
        self._counts = counts
        self._index = index

    def publish(self, count: int) -> None:
        """Show the other workers how many connections this worker has."""
        self._counts[self._index] = count

    def withdraw(self) -> None:
        """Tell the other workers that this worker accepts no connections."""
        self._counts[self._index] = NOT_ACCEPTING

    def exceeds_another(self) -> bool:
        """Whether another worker that accepts has fewer connections."""
        mine = self._counts[self._index]
        return any(NOT_ACCEPTING < count < mine for count in self._counts)


class ConnectionBalance:
    """The counts of all workers of a set, in memory that they share."""

    def __init__(self, workers: int) -> None:
        self._counts = memoryview(mmap.mmap(-1, 8 * workers)).cast('q')
        for index in range(workers):
            self._counts[index] = NOT_ACCEPTING

    def of_worker(self, index: int) -> ConnectionCount:
        return ConnectionCount(self._counts, index)
