# SPDX-License-Identifier: Apache-2.0
"""Report the progress of a long command on stderr, a line each second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


def reporter(prog: str, interval_seconds: float = 1.0
             ) -> Callable[[str], None]:
    """Return a function that prints a state, at most once per interval.

    The first state is printed at once. States within the interval are dropped.
    """
    next_at = time.monotonic()

    def report(state: str) -> None:
        nonlocal next_at
        if time.monotonic() >= next_at:
            print(f'{prog}: {state}', file=sys.stderr, flush=True)
            next_at = time.monotonic() + interval_seconds
    return report
