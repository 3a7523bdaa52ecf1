# SPDX-License-Identifier: Apache-2.0
"""Which configuration is served, which is to be, and which was."""

from __future__ import annotations

from collections.abc import Iterator

from service.process.listening.listeners import Listener
from service.process.supervisor.worker_handle import WorkerSet


class ReloadState:
    """The ``current`` generation serves; an ``incoming`` one loads beside it
    until it takes its place; the ``outgoing`` one still takes connections,
    for a moment.

    Generations may share listeners: most reloads change no address.
    """

    def __init__(self, first: WorkerSet) -> None:
        self.current: WorkerSet | None = None
        self.incoming: WorkerSet | None = first
        self.outgoing: WorkerSet | None = None

    def __iter__(self) -> Iterator[WorkerSet]:
        """Those that are to have workers."""
        return (one for one in (self.current, self.incoming)
                if one is not None)

    def promote(self) -> WorkerSet | None:
        """The incoming one takes the place of the current, which is given."""
        before, self.current = self.current, self.incoming
        self.incoming, self.outgoing = None, before
        if before is not None:
            self._close(before)
        return before

    def drop_incoming(self) -> WorkerSet | None:
        """It will not do; what it alone would listen on is closed."""
        dropped, self.incoming = self.incoming, None
        if dropped is not None:
            self._close(dropped)
        return dropped

    def end(self) -> None:
        """None is to have workers any more, and nothing is listened on."""
        for listener in {listener for one in self
                         for listener in one.listeners}:
            listener.close()
        self.current = self.incoming = self.outgoing = None

    def foreign(self, generation: WorkerSet) -> set[Listener]:
        """The listeners of others that are not this one's too."""
        others = {listener for one in self if one is not generation
                  for listener in one.listeners}
        return others.difference(generation.listeners)

    def _close(self, generation: WorkerSet) -> None:
        kept = {listener for one in self for listener in one.listeners}
        for listener in set(generation.listeners) - kept:
            listener.close()
