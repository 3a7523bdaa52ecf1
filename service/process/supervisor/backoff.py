# SPDX-License-Identifier: Apache-2.0
"""The delay before a worker that died is replaced."""

from __future__ import annotations

#: Seconds to wait after the first death, the second in a row, and so on.
DELAYS_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)

#: The death of a worker that ran this long starts a new row of deaths.
STABLE_SECONDS = 60.0


class Backoff:
    """Delays that grow while workers die soon after their start.

    The first replacement starts at once. Longer delays keep workers that
    cannot run from using a whole CPU with their starts.

    All times are of the monotonic clock, so a change of the wall clock
    delays nothing.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.until = 0.0

    def record_death(self, now: float, lived: float) -> float:
        """Return the delay in seconds after a death at ``now``.

        ``lived`` is how many seconds the worker ran.
        """
        self.failures = 1 if lived >= STABLE_SECONDS else self.failures + 1
        delay = DELAYS_SECONDS[min(self.failures, len(DELAYS_SECONDS)) - 1]
        self.until = now + delay
        return delay

    def reset(self) -> None:
        """Forget all deaths, because a new configuration is loaded."""
        self.failures = 0
        self.until = 0.0
