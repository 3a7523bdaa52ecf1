# SPDX-License-Identifier: Apache-2.0
"""A time by which a question to Keystone is over, whatever it takes.

The timeout of keystoneauth is for one request. One question may be several:
to find the version, to log in, to ask, to ask again; each in line behind the
others that log in.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keystoneauth1 import session

#: A request that comes too late is still sent, and given up as fast as it
#: can be: its error is then that of any other.
_MIN_TIMEOUT_SECONDS = 0.01


class Deadline:
    """The time of each thread's question; requests elsewhere have none."""

    def __init__(self) -> None:
        self._of = threading.local()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        self._of.end = time.monotonic() + seconds
        try:
            yield
        finally:
            del self._of.end

    def left(self, timeout: float | None) -> float | None:
        """What remains of ``timeout`` by now."""
        end = getattr(self._of, 'end', None)
        if end is None:
            return timeout
        left = max(end - time.monotonic(), _MIN_TIMEOUT_SECONDS)
        return left if timeout is None else min(left, timeout)


class Adapter(session.TCPKeepAliveAdapter):
    """Sends each request with the time that is left, a repeated one too."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def send(self, request: Any, stream: bool = False,
             timeout: Any = None, *args: Any, **more: Any) -> Any:
        return super().send(request, stream, self._deadline.left(timeout),
                            *args, **more)
