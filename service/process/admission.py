# SPDX-License-Identifier: Apache-2.0
"""How many requests a worker carries out at once, and who waits.

Connections are cheap and counted in thousands; requests being carried out
hold database connections and memory and are counted in tens. A request
beyond the limit waits in line, one beyond the line is told to come back.

A worker has one thread, and most of what a request takes is that thread's
time: where all that had arrived were begun at once, the last to come would
wait for all of them. So only so much is begun at a time (``SLICE``), then the
network is looked at again, and whoever came meanwhile takes part in the
rotation (``turns``).
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from eventlet import hubs
from greenlet import getcurrent, greenlet

from service.process.counters import Counters
from service.process.limits import Limits
from service.process.refusals import Refused
from service.process.turns import STRANGERS, Line

#: For how many seconds requests are begun before the hub looks for others.
SLICE = 0.0005


class Turn:
    """One request's place in the line."""

    __slots__ = ('_waiter', 'deadline', 'flow', 'granted', 'over')

    def __init__(self, flow: str, deadline: float) -> None:
        self._waiter: greenlet = getcurrent()
        self.flow = flow
        self.deadline = deadline
        self.granted = False
        self.over = False

    def wake(self) -> None:
        """On the hub only. Who left meanwhile sleeps for another reason."""
        if not self.over:
            self._waiter.switch()


class Admission:
    """Slots for requests; ``reserved_paths`` have a few of their own."""

    def __init__(self, limits: Limits, counters: Counters,
                 clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._limits = limits
        self._counters = counters
        self._reserved = frozenset(limits.reserved_paths)
        self._line: Line[Turn] = Line()
        self._hub: Any = hubs.get_hub()
        self._armed = False
        self._until = 0.0

    def enter(self, path: str, flow: str = STRANGERS) -> None:
        """Take a slot, after a wait if need be; Refused where none is free.
        """
        limits, counters = self._limits, self._counters
        if path in self._reserved and counters.in_flight < (
                limits.max_in_flight + limits.reserved_in_flight):
            counters.in_flight += 1
            return
        if not self._line and counters.in_flight < limits.max_in_flight:
            if not self._armed:
                self._arm()
                self._until = self._clock() + SLICE
            if self._clock() < self._until:
                counters.in_flight += 1
                return
        self._make_room(flow)
        self._wait(flow)

    def leave(self) -> None:
        """Give the slot back.

        A slot above the limit (a reserved one) is never given on, or the
        reserve would fill with ordinary requests.
        """
        self._counters.in_flight -= 1
        if self._line and not self._armed:
            self._arm()

    def sweep(self, now: float) -> None:
        """Send away who has waited too long. Runs on the hub."""
        for turn in self._line.late(now):
            turn.wake()

    @property
    def _free(self) -> int:
        return max(0, self._limits.max_in_flight - self._counters.in_flight)

    def _make_room(self, flow: str) -> None:
        """Find a place for one more, or raise Refused.

        While slots are free whoever waits only waits for the hub to come
        round, and is let be however many they are.
        """
        if self._free or len(self._line) < self._limits.max_queued:
            return
        turn = self._line.gives_way(flow)
        if turn is None:
            raise overload()
        self._hub.schedule_call_global(0, turn.wake)

    def _trim(self) -> None:
        """The slots are taken: what is beyond the line now is refused."""
        while not self._free and len(self._line) > self._limits.max_queued:
            self._line.last().wake()

    def _arm(self) -> None:
        self._armed = True
        self._hub.schedule_call_global(0, self._rotate)

    def _rotate(self) -> None:
        """Begin requests for a while. Runs on the hub, which has looked at
        the network since the last time."""
        self._armed = False
        self._until = self._clock() + SLICE
        try:
            while self._line and self._free:
                turn = self._line.next()
                turn.granted = True
                self._counters.in_flight += 1
                turn.wake()
                if self._clock() >= self._until:
                    break
        finally:
            if self._line and self._free and not self._armed:
                self._arm()
        self._trim()

    def _wait(self, flow: str) -> None:
        turn = Turn(flow, self._clock() + self._limits.queue_timeout)
        self._line.join(turn)
        if self._free and not self._armed:
            self._arm()
        self._counters.queued += 1
        try:
            self._hub.switch()
        except BaseException:
            self._abandon(turn)
            raise
        finally:
            turn.over = True
            self._counters.queued -= 1
        if not turn.granted:
            raise overload()

    def _abandon(self, turn: Turn) -> None:
        """Whoever waited was killed: leave the line, or give the slot on."""
        if turn.granted:
            self.leave()
        else:
            self._line.leave(turn)


def overload() -> Refused:
    return Refused('overload', 'The service is busy; try again shortly.', True)
