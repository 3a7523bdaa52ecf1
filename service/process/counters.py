# SPDX-License-Identifier: Apache-2.0
"""Counters of a worker's HTTP server, and the lag of its event loop."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from time import monotonic
from typing import Any

#: The period of the timer that measures the lag of the event loop.
PROBE_SECONDS = 0.02


@dataclass(slots=True)
class Counters:
    """Numbers of connections, requests and failures of one worker.

    ``connections``, ``idle``, ``in_flight`` and ``queued`` are current
    numbers; the other counters only grow. ``hub_lag`` is the longest delay
    of the event loop, in seconds, since the last ``reset_hub_lag``. A large
    lag shows that something blocks the worker's only thread: a database
    driver, an expensive regular expression or a slow disk.
    """

    accepted: int = 0
    evicted: int = 0
    accept_failures: int = 0
    parsed: int = 0
    answered: int = 0
    broken_replies: int = 0
    clients_gone: int = 0
    drained_bytes: int = 0
    deadline_closes: int = 0
    connections: int = 0
    idle: int = 0
    in_flight: int = 0
    queued: int = 0
    hub_lag: float = 0.0
    refused: Counter[str] = field(default_factory=Counter)

    def snapshot(self) -> dict[str, Any]:
        """Return all counters as plain values, for a metrics page."""
        values = {counter.name: getattr(self, counter.name)
                  for counter in fields(self)}
        return {**values, 'refused': dict(self.refused)}

    def reset_hub_lag(self) -> float:
        """Return the longest lag in seconds, and start again from zero."""
        lag, self.hub_lag = self.hub_lag, 0.0
        return lag


class LagProbe:
    """A timer that records how late the event loop calls it."""

    def __init__(self, hub: Any, counters: Counters) -> None:
        self._hub = hub
        self._counters = counters
        self._timer: Any = None
        self._due = 0.0
        self._arm()

    def stop(self) -> None:
        self._timer.cancel()

    def _arm(self) -> None:
        self._due = monotonic() + PROBE_SECONDS
        self._timer = self._hub.schedule_call_global(PROBE_SECONDS, self._fire)

    def _fire(self) -> None:
        lag = monotonic() - self._due
        if lag > self._counters.hub_lag:
            self._counters.hub_lag = lag
        self._arm()
