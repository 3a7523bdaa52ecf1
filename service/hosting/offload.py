# SPDX-License-Identifier: Apache-2.0
"""Long computations, kept from holding up the other requests of a worker.

A server whose requests are green threads puts a runner of its own into the
environ, under ``RUNNER``: it computes in a native thread while the others go
on. A server with threads needs none; there it is a plain call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar('T')

RUNNER = 'pileus.native'


def run(environ: Mapping[str, Any], work: Callable[..., T],
        *args: Any) -> T:
    runner: Callable[..., T] | None = environ.get(RUNNER)
    return work(*args) if runner is None else runner(work, *args)
