# SPDX-License-Identifier: Apache-2.0
"""Limit the requests that wait for a slow service or computation.

Examples are a Keystone that accepts connections but does not answer, and a
bcrypt check, which takes a quarter of a second. If every request of a worker
waited for one of these, requests that need neither would find the worker full.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType

#: Default time that a call waits for another call to end.
WAIT_SECONDS = 0.5


class IdentityRefused(Exception):
    """The call was not made: too many are running, or the service is down."""


class CircuitBreaker:
    """A context manager that bounds the number of concurrent calls.

    ``max_running`` calls run at once. ``max_waiting`` more wait for up to
    ``wait_seconds``. All further calls raise IdentityRefused.

    If a call ends in an exception that ``is_outage``, the breaker opens: one
    call runs at a time and none waits, until a call ends in any other way.
    There is no timer, so a service that recovers is used again at once.
    """

    def __init__(self, max_running: int, max_waiting: int,
                 is_outage: Callable[[BaseException], bool] = (
                     lambda exc: False),
                 wait_seconds: float = WAIT_SECONDS) -> None:
        self._max_running = max_running
        self._max_waiting = max_waiting
        self._is_outage = is_outage
        self._wait_seconds = wait_seconds
        self._changed = threading.Condition()
        self._running = 0
        self._waiting = 0
        self._broken = False

    def __enter__(self) -> None:
        """Start a call, or raise IdentityRefused."""
        with self._changed:
            if not self._acquire():
                raise IdentityRefused
            self._running += 1

    def __exit__(self, kind: type[BaseException] | None,
                 exc: BaseException | None,
                 trace: TracebackType | None) -> None:
        with self._changed:
            self._running -= 1
            self._broken = exc is not None and self._is_outage(exc)
            self._changed.notify_all()

    def _acquire(self) -> bool:
        if self._broken:
            return self._running == 0
        if self._running < self._max_running and not self._waiting:
            return True
        return self._waiting < self._max_waiting and self._wait_for_place()

    def _wait_for_place(self) -> bool:
        """Whether a running call ended in time, and not in an outage."""
        self._waiting += 1
        try:
            self._changed.wait_for(
                lambda: self._broken or self._running < self._max_running,
                self._wait_seconds)
        finally:
            self._waiting -= 1
        return not self._broken and self._running < self._max_running
