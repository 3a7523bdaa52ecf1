# SPDX-License-Identifier: Apache-2.0
"""A worker's hub: eventlet's own, but for what it is told at a time.

eventlet lets all those go on that the network has news for, in no order, and
then looks again: who comes now and then would meet a step of each request
that a flood has in flight, each time that it waited for something. Here one
of those goes on at a time where flows come side by side, and then the network
is looked at again: a step waits for the one that is under way, and for one of
each other flow.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from service.process.scheduling.poll_order import News, Precedence

with warnings.catch_warnings():
    # Known, and answered in the operator's guide; see doc/source/operating.
    warnings.filterwarnings('ignore', r'\s*Eventlet is deprecated')
    from eventlet import hubs
    from eventlet.hubs import epolls, poll

#: Elsewhere than on Linux there is poll.
_Base: Any = (epolls if epolls.is_available() else poll).Hub


class Hub(_Base):  # type: ignore[misc]
    """What it leaves out is new again when it looks again: both poll and
    epoll tell of what is there, not of what happened."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        super().__init__(clock)
        self.precedence = Precedence(self, super().do_poll)

    @staticmethod
    def is_available() -> bool:
        """eventlet asks; where there is nothing else, there is poll."""
        return True

    def do_poll(self, seconds: float) -> News:
        return self.precedence.chosen(seconds)


def install() -> None:
    """Let this thread have such a hub from here on."""
    hubs.use_hub(Hub)


def precedence(of: Any) -> Precedence:
    """That of a hub; one of another kind asks nobody what to do first."""
    if isinstance(of, Hub):
        found: Precedence = of.precedence
        return found
    return Precedence(of, getattr(of, 'do_poll', lambda seconds: []))
