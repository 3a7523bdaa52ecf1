# SPDX-License-Identifier: Apache-2.0
"""How many requests a worker carries out at once, and who waits.

Connections are cheap and counted in thousands; requests being carried out
hold database connections and memory and are counted in tens. A request
beyond the limit waits in line, one beyond the line is told to come back.

A worker has one thread, and most of what a request takes is that thread's
time: where all that had arrived were begun at once, the last to come would
wait for all of them. So only so much is begun at a time (``SLICE``), then the
network is looked at again, and whoever came meanwhile takes part in the
rotation (``turns``). A flow that is not alone begins one at a time, when no
other one could go on whose last step is longer ago (``precedence``), and has a
share of what is in flight (``shares``).
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, NoReturn

from eventlet import hubs
from greenlet import getcurrent, greenlet

from service.process.counters import Counters
from service.process.limits import ServerLimits
from service.process.refusals import RequestRefused
from service.process.scheduling import hub
from service.process.scheduling.concurrency_shares import Shares
from service.process.scheduling.known_projects import STRANGERS
from service.process.scheduling.round_robin import Line

#: For how many seconds requests are begun before the hub looks for others.
SLICE = 0.0005

#: How many seconds lie between two looks if the thread has nothing to do.
LOOK = 0.01

#: Where others are served, requests are refused every so many seconds: one,
#: or more where there are so many that it would take longer than a second.
PACE = 0.01


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

    def __init__(self, limits: ServerLimits, counters: Counters,
                 clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._limits = limits
        self._counters = counters
        self._reserved = frozenset(limits.reserved_paths)
        self._line: Line[Turn] = Line()
        self._shares = Shares(clock, limits.max_in_flight)
        self._excess: deque[Turn] = deque()
        self._hub: Any = hubs.get_hub()
        self._precedence = hub.precedence(self._hub)
        self._precedence.alone = lambda: self._shares.alone
        self._armed = False
        self._looking = False
        self._until = 0.0

    def enter(self, path: str, flow: str = STRANGERS) -> None:
        """Take a slot, after a wait if need be; Refused where none is free.
        """
        limits, counters = self._limits, self._counters
        if path in self._reserved and counters.in_flight < (
                limits.max_in_flight + limits.reserved_in_flight):
            self._begin(flow)
            return
        self._shares.came(flow)
        if self._free and self._shares.may(flow) and self._at_once(flow):
            self._begin(flow)
            return
        self._make_room(flow)
        self._wait(flow)

    def _at_once(self, flow: str) -> bool:
        """Whether a request goes on in the step in which it was read."""
        if self._line:
            return False
        if not self._armed:
            self._arm()
            self._until = self._clock() + SLICE
        return self._clock() < self._until and (
            not self._shares.running(flow) or self._shares.alone)

    def leave(self, flow: str = STRANGERS) -> None:
        """Give the slot back that was taken for the flow.

        A slot above the limit (a reserved one) is never given on, or the
        reserve would fill with ordinary requests.
        """
        self._counters.in_flight -= 1
        self._shares.end(flow)
        if self._line:
            self._arm()

    def _begin(self, flow: str) -> None:
        self._counters.in_flight += 1
        self._shares.begin(flow)
        self._precedence.took(flow)

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
        round, and is let be however many they are; but a flow that has its
        share waits for that.
        """
        most = self._limits.max_in_flight + self._limits.max_queued
        if self._free and self._shares.may(flow) or (
                self._counters.in_flight + len(self._line) < most):
            return
        turn = self._line.gives_way(flow)
        if turn is None:
            self._refuse(flow)
        else:
            self._hub.schedule_call_global(0, turn.wake)

    def _refuse(self, flow: str) -> NoReturn:
        """Raise Refused; where others are served, after a while.

        Of a flood, whoever was refused is there again at once, and each time
        takes as long as a small request.
        """
        if not self._shares.alone:
            turn = Turn(flow, math.inf)
            self._excess.append(turn)
            if len(self._excess) == 1:
                self._hub.schedule_call_global(PACE, self._dismiss)
            try:
                self._hub.switch()
            finally:
                turn.over = True
        raise overload()

    def _dismiss(self) -> None:
        """Runs on the hub; who has gone meanwhile costs nothing, and whoever
        fails in the end keeps nobody else waiting."""
        now = [self._excess.popleft() for _ in range(
            1 + int(len(self._excess) * PACE))]
        if self._excess:
            self._hub.schedule_call_global(PACE, self._dismiss)
        for turn in now:
            self._hub.schedule_call_global(0, turn.wake)

    def _trim(self) -> None:
        """The slots are taken: what is beyond the line now is refused."""
        while not self._free and len(self._line) > self._limits.max_queued:
            self._line.last().wake()

    def _arm(self) -> None:
        """See to it that somebody is let in soon, if anybody may."""
        if not self._armed:
            self._armed = True
            self._hub.schedule_call_global(0, self._rotate)

    def _rotate(self) -> None:
        """Begin requests for a while. Runs on the hub, which has looked at
        the network since the last time."""
        self._armed = False
        self._until = self._clock() + SLICE
        alone = self._shares.alone
        try:
            while self._free and (alone or not self._gives_way()) and (
                    self._let_in(self._shares.may)):
                if not alone or self._clock() >= self._until:
                    self._arm()
                    break
        finally:
            self._watch()
        self._trim()

    def _gives_way(self) -> bool:
        """Whether others go on before the next one begins; it is seen to."""
        flow = self._line.due(self._shares.may) if self._line else None
        if flow is None or not self._precedence.presses(flow):
            return False
        self._arm()
        return True

    def _let_in(self, may: Callable[[str], bool]) -> bool:
        """Begin the next request of those that may; whether there is one."""
        turn = self._line.next(may) if self._line else None
        if turn is None:
            return False
        turn.granted = True
        self._begin(turn.flow)
        turn.wake()
        return True

    def _watch(self) -> None:
        """While somebody waits for more than a share, see what it should be.
        """
        if self._line and self._free and not self._looking:
            self._looking = True
            self._hub.schedule_call_global(LOOK, self._look)

    def _look(self) -> None:
        """Runs on the hub: is there anything that it could go on with?"""
        self._looking = False
        rests = not self._armed and self._precedence.quiet()
        self._shares.rested(rests)
        if rests:
            self._arm()
        self._watch()

    def _wait(self, flow: str) -> None:
        turn = Turn(flow, self._clock() + self._limits.queue_timeout)
        self._line.join(turn)
        if self._free:
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
            self.leave(turn.flow)
        else:
            self._line.leave(turn)


def overload() -> RequestRefused:
    return RequestRefused(
        'overload', 'The service is busy; try again shortly.', True)
