# SPDX-License-Identifier: Apache-2.0
"""Run long computations without blocking the other requests of a worker.

A server with green threads puts a function into the environ under ``RUNNER``
that runs work in a native thread. Servers with native threads need no such
function, and the work runs in the calling thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar('T')

RUNNER = 'pileus.native'


def run(environ: Mapping[str, Any], work: Callable[..., T],
        *args: Any) -> T:
    """Return ``work(*args)``, run in a native thread if the server offers it.
    """
    runner: Callable[..., T] | None = environ.get(RUNNER)
    return work(*args) if runner is None else runner(work, *args)
