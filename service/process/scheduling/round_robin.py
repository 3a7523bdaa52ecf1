# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is: a line for each flow of requests, served in rotation.

A flow is a project. One that sends a thousand requests stands in its own
line for them; another that sends one is next, or the one after.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Generic, Protocol, TypeVar


class Due(Protocol):
    """Something in line, which is not for longer than to its deadline."""

    flow: str
    deadline: float


D = TypeVar('D', bound=Due)


class Line(Generic[D]):
    """Who waits, flow by flow.

    In a round each flow has one turn. One that comes new has its turn in the
    round that is under way, before those that had theirs: a request now and
    then waits for the one that is being carried out, and for no other.
    """

    def __init__(self) -> None:
        self._flows: dict[str, deque[D]] = {}
        self._length = 0
        self._round: OrderedDict[str, None] = OrderedDict()
        self._next: OrderedDict[str, None] = OrderedDict()
        self._served: set[str] = set()

    def __len__(self) -> int:
        return self._length

    def join(self, one: D) -> None:
        flow = one.flow
        waiting = self._flows.get(flow)
        if waiting is None:
            waiting = self._flows[flow] = deque()
            (self._next if flow in self._served else self._round)[flow] = None
        waiting.append(one)
        self._length += 1

    def next(self, may: Callable[[str], bool] = lambda flow: True
             ) -> D | None:
        """The first of the flow whose turn it is, of those that ``may``;
        None where none of them may."""
        flow = self.due(may)
        if flow is None:
            return None
        self._round.pop(flow, None)
        self._next.pop(flow, None)
        self._served.add(flow)
        waiting = self._flows[flow]
        one = waiting.popleft()
        self._length -= 1
        if waiting:
            self._next[flow] = None
        else:
            del self._flows[flow]
        return one

    def due(self, may: Callable[[str], bool]) -> str | None:
        """The flow whose turn it is; one that may not keeps its own."""
        if not self._round:
            self._round, self._next = self._next, OrderedDict()
            self._served.clear()
        return next(filter(may, chain(self._round, self._next)), None)

    def gives_way(self, flow: str) -> D | None:
        """Who leaves so that one of ``flow`` can wait in its place: the last
        of the longest flow, or nobody where this one is as long itself."""
        own = len(self._flows.get(flow, ()))
        longest = max(map(len, self._flows.values()), default=0)
        return self.last() if longest > own + 1 else None

    def last(self) -> D:
        """Who came last to the longest flow; is not in line any more."""
        one = max(self._flows.values(), key=len)[-1]
        self.leave(one)
        return one

    def leave(self, one: D) -> None:
        """Take somebody out who may not be in it any more."""
        waiting = self._flows.get(one.flow)
        if waiting is None or one not in waiting:
            return
        if waiting[-1] is one:
            waiting.pop()
        else:
            waiting.remove(one)
        self._length -= 1
        if not waiting:
            del self._flows[one.flow]
            self._round.pop(one.flow, None)
            self._next.pop(one.flow, None)

    def late(self, now: float) -> Iterator[D]:
        """Take out everybody who has waited too long."""
        for waiting in list(self._flows.values()):
            while waiting and waiting[0].deadline <= now:
                one = waiting[0]
                self.leave(one)
                yield one


