# SPDX-License-Identifier: Apache-2.0
"""How many requests a worker carries out at once, and who waits.

Connections are cheap and counted in thousands; requests being carried out
hold database connections and memory and are counted in tens. A request
beyond the limit waits in line, one beyond the line is told to come back.
"""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import Any

from eventlet import hubs
from greenlet import getcurrent, greenlet

from service.process.counters import Counters
from service.process.limits import Limits
from service.process.refusals import Refused


class Turn:
    """One request's place in the line."""

    __slots__ = ('_waiter', 'deadline', 'granted')

    def __init__(self, deadline: float) -> None:
        self._waiter: greenlet = getcurrent()
        self.deadline = deadline
        self.granted = False

    def wake(self) -> None:
        self._waiter.switch()


class Admission:
    """Slots for requests; ``reserved_paths`` have a few of their own."""

    def __init__(self, limits: Limits, counters: Counters) -> None:
        self._limits = limits
        self._counters = counters
        self._reserved = frozenset(limits.reserved_paths)
        self._line: deque[Turn] = deque()
        self._hub: Any = hubs.get_hub()

    def enter(self, path: str) -> None:
        """Take a slot, after a wait if need be; Refused where none is free."""
        limits = self._limits
        most = limits.max_in_flight
        if path in self._reserved:
            most += limits.reserved_in_flight
        if self._counters.in_flight < most:
            self._counters.in_flight += 1
        elif len(self._line) < limits.max_queued:
            self._wait()
        else:
            raise overload()

    def leave(self) -> None:
        """Give the slot back, or on to the first in line.

        A slot above the limit (a reserved one) is never given on, or the
        reserve would fill with ordinary requests.
        """
        if self._line and (
                self._counters.in_flight <= self._limits.max_in_flight):
            self._grant(self._line.popleft())
        else:
            self._counters.in_flight -= 1

    def sweep(self, now: float) -> None:
        """Send away who has waited too long; the oldest stand in front."""
        while self._line and self._line[0].deadline <= now:
            self._line.popleft().wake()

    def _grant(self, turn: Turn) -> None:
        """The slot is the turn's from now on, though it runs a bit later."""
        turn.granted = True
        self._hub.schedule_call_global(0, turn.wake)

    def _wait(self) -> None:
        turn = Turn(monotonic() + self._limits.queue_timeout)
        self._line.append(turn)
        self._counters.queued += 1
        try:
            self._hub.switch()
        except BaseException:
            self._abandon(turn)
            raise
        finally:
            self._counters.queued -= 1
        if not turn.granted:
            raise overload()

    def _abandon(self, turn: Turn) -> None:
        """Whoever waited was killed: leave the line, or give the slot on."""
        if turn.granted:
            self.leave()
        elif turn in self._line:
            self._line.remove(turn)


def overload() -> Refused:
    return Refused('overload', 'The service is busy; try again shortly.', True)
