# SPDX-License-Identifier: Apache-2.0
"""Whose step is next, of all that could go on.

A worker's thread goes from one green thread to the next as each begins to
wait, and nobody can take it from one that does not. Of flows that come side
by side the one goes on whose last step is the longest ago, and of its
requests one after the other. A flood that has many requests in flight is then
as far from the thread as who has one.

A step is of a flow that its green thread, or the wire it reads or writes, has
as its ``flow``: those that carry a request out. What has none waits for
nobody: a worker's own work, and clients whose request is yet to be read, of
whom there may be thousands and nobody knows whose they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

#: Descriptors, and what is new of each.
News = list[tuple[int, int]]

#: So many flows are known at once, the latest.
MAX_FLOWS = 10000


class Precedence:
    """When each flow had its last step, and what ``poll`` has for which.

    ``hub`` knows who listens to a descriptor.
    """

    def __init__(self, hub: Any, poll: Callable[[float], News]) -> None:
        self._hub = hub
        self._poll = poll
        #: Whether there is one flow only; there is nothing to choose then.
        self.alone: Callable[[], bool] = lambda: True
        self._steps = 0
        #: When each flow had its last step, and by which descriptor; that of
        #: the latest last.
        self._last: dict[str, tuple[int, int]] = {}

    def chosen(self, seconds: float) -> News:
        """What is new: of all flows together one thing. The rest is new
        again next time."""
        found = self._poll(seconds)
        if not found or self.alone():
            return found
        flows = list(self._flows(found))
        first = min((one for one in flows if one is not None),
                    key=self._since, default=None)
        if first is None:
            return found
        chosen = self._around(first, [
            one[0] for one, flow in zip(found, flows, strict=True)
            if flow == first])
        self.took(first, chosen)
        return [one for one, flow in zip(found, flows, strict=True)
                if flow is None or one[0] == chosen]

    def _around(self, flow: str, files: list[int]) -> int:
        """The next of a flow's descriptors. SECURITY: they take turns, or one
        that always has something new would be the only one."""
        last = self._last[flow][1] if flow in self._last else -1
        return min(files, key=lambda file: (file <= last, file))

    def took(self, flow: str, file: int | None = None) -> None:
        """A step of the flow begins, of what waited for ``file``."""
        self._steps += 1
        last = self._last.pop(flow, (0, -1))[1]
        self._last[flow] = self._steps, last if file is None else file
        if len(self._last) > MAX_FLOWS:
            del self._last[next(iter(self._last))]

    def presses(self, flow: str) -> bool:
        """Whether another flow could go on whose last step was before that of
        this one."""
        return any(one is not None and self._since(one) < self._since(flow)
                   for one in self._flows(self._poll(0)))

    def quiet(self) -> bool:
        """Nothing at all is new."""
        return not self._poll(0)

    def _since(self, flow: str) -> int:
        return self._last[flow][0] if flow in self._last else 0

    def _flows(self, found: News) -> Iterator[str | None]:
        """Whose each of these is: a listener calls a method of the green
        thread or of the wire that waits."""
        for fileno, _ in found:
            listener = (self._hub.listeners['read'].get(fileno)
                        or self._hub.listeners['write'].get(fileno))
            waits = getattr(getattr(listener, 'cb', None), '__self__', None)
            yield getattr(waits, 'flow', None)
