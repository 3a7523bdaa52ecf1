# SPDX-License-Identifier: Apache-2.0
"""The sets of workers during a reload: the current, the next, the last."""

from __future__ import annotations

from collections.abc import Iterator

from service.process.listening.listeners import Listener
from service.process.supervisor.worker_handle import WorkerSet


class ReloadState:
    """The sets of workers that run before, during and after a reload.

    ``current`` serves. ``incoming`` loads the new configuration and then
    becomes the current set. ``outgoing`` is the set before the current one,
    until its last worker has stopped accepting connections.

    Sets may share listeners, since most reloads change no address.
    """

    def __init__(self, first: WorkerSet) -> None:
        self.current: WorkerSet | None = None
        self.incoming: WorkerSet | None = first
        self.outgoing: WorkerSet | None = None

    def __iter__(self) -> Iterator[WorkerSet]:
        """The sets that need workers: the current and the incoming one."""
        return (worker_set for worker_set in (self.current, self.incoming)
                if worker_set is not None)

    def promote(self) -> WorkerSet | None:
        """Make the incoming set the current one; return the one before."""
        before, self.current = self.current, self.incoming
        self.incoming, self.outgoing = None, before
        if before is not None:
            self._close(before)
        return before

    def drop_incoming(self) -> WorkerSet | None:
        """Give up the incoming set, and close the listeners it added."""
        dropped, self.incoming = self.incoming, None
        if dropped is not None:
            self._close(dropped)
        return dropped

    def end(self) -> None:
        """Give up all sets and close all listeners."""
        for listener in {listener for worker_set in self
                         for listener in worker_set.listeners}:
            listener.close()
        self.current = self.incoming = self.outgoing = None

    def foreign(self, worker_set: WorkerSet) -> set[Listener]:
        """Return the listeners that only other sets use."""
        others = {listener for other in self if other is not worker_set
                  for listener in other.listeners}
        return others.difference(worker_set.listeners)

    def _close(self, worker_set: WorkerSet) -> None:
        in_use = {listener for other in self for listener in other.listeners}
        for listener in set(worker_set.listeners) - in_use:
            listener.close()
