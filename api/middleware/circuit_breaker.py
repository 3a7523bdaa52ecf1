# SPDX-License-Identifier: Apache-2.0
"""What takes long, kept from taking a worker down with it.

A service that accepts and does not answer holds whoever asks for as long as
they have patience, and so does a password that takes a quarter of a second,
where there are many. If all requests of a worker could ask at once, those
that need not ask would find no room in it either.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

#: How many seconds a question waits for others to be answered.
WAIT_SECONDS = 0.5


class IdentityRefused(Exception):
    """Not asked: too many ask already, or nobody answers them."""


class CircuitBreaker:
    """So many ask at once, so many wait for a moment, the rest is refused.

    When a question ends in what ``breaks`` says is no answer, one asks at a
    time and nobody waits, until one is answered again. No clock says when to
    try: who is the one finds out, and a service that is back is used at once.
    """

    def __init__(self, most: int, waiting: int,
                 breaks: Callable[[BaseException], bool] = lambda exc: False,
                 wait: float = WAIT_SECONDS) -> None:
        self._most = most
        self._may_wait = waiting
        self._breaks = breaks
        self._wait = wait
        self._changed = threading.Condition()
        self._asking = 0
        self._waiting = 0
        self._broken = False

    def __enter__(self) -> None:
        """Ask within; Refused where nobody must."""
        with self._changed:
            if not self._admitted():
                raise IdentityRefused
            self._asking += 1

    def __exit__(self, kind: type[BaseException] | None,
                 exc: BaseException | None,
                 trace: TracebackType | None) -> None:
        with self._changed:
            self._asking -= 1
            self._broken = exc is not None and self._breaks(exc)
            self._changed.notify_all()

    def _admitted(self) -> bool:
        if self._broken:
            return self._asking == 0
        if self._asking < self._most and not self._waiting:
            return True
        return self._waiting < self._may_wait and self._waited()

    def _waited(self) -> bool:
        """Whether there is room in time, among those who are answered."""
        self._waiting += 1
        try:
            self._changed.wait_for(
                lambda: self._broken or self._asking < self._most,
                self._wait)
        finally:
            self._waiting -= 1
        return not self._broken and self._asking < self._most
