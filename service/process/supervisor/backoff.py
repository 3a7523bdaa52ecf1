# SPDX-License-Identifier: Apache-2.0
"""How long to wait before a worker that died is replaced."""

from __future__ import annotations

#: Seconds to wait after the first quick death, the second, and so on.
DELAYS_SECONDS = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)

#: A worker that lived for so many seconds did not die of its start.
STABLE_SECONDS = 60.0


class Backoff:
    """A worker that is killed once is replaced at once; one that dies again
    and again waits longer each time, so it cannot eat a processor.

    All times are of the monotonic clock: nobody waits for an hour because
    the wall clock was set back.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.until = 0.0

    def died(self, now: float, lived: float) -> float:
        """Note a death; the seconds to wait from now on."""
        self.failures = 1 if lived >= STABLE_SECONDS else self.failures + 1
        delay = DELAYS_SECONDS[min(self.failures, len(DELAYS_SECONDS)) - 1]
        self.until = now + delay
        return delay

    def forget(self) -> None:
        """Start afresh, with files that may have been put right."""
        self.failures = 0
        self.until = 0.0
