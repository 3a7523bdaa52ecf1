# SPDX-License-Identifier: Apache-2.0
"""What a worker's server counts, and how far its hub lags behind."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, fields
from time import monotonic
from typing import Any

#: How often the hub is asked to call back, in seconds.
PROBE_SECONDS = 0.02


@dataclass(slots=True)
class Counters:
    """Running totals, but for ``connections``, ``idle``, ``in_flight`` and
    ``queued``, which say how many there are now.

    ``hub_lag`` is the longest, in seconds, that anything had to wait for the
    worker's one thread since the last ``take_hub_lag``: one number that shows
    a blocking driver, a hungry pattern or a slow database file.
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
        """All of them as plain values, for a metrics page."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**values, 'refused': dict(self.refused)}

    def take_hub_lag(self) -> float:
        lag, self.hub_lag = self.hub_lag, 0.0
        return lag


class LagProbe:
    """Asks to be called back every ``PROBE`` seconds and notes the delay."""

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
