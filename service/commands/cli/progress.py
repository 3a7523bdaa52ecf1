# SPDX-License-Identifier: Apache-2.0
"""How far a long command has come, on stderr, a line a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


def reporter(prog: str, pause: float = 1.0) -> Callable[[str], None]:
    """A function to call with each state there is: the first is printed, and
    then what is new a second after what was printed last."""
    due = time.monotonic()

    def tell(line: str) -> None:
        nonlocal due
        if time.monotonic() >= due:
            print(f'{prog}: {line}', file=sys.stderr, flush=True)
            due = time.monotonic() + pause
    return tell
