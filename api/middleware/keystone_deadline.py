# SPDX-License-Identifier: Apache-2.0
"""A deadline for all the requests that validating one token takes.

The timeout of keystoneauth holds for one HTTP request. Validating a token can
take several: to discover the version, to log in, to validate, to retry. Each
can also wait for a login of another thread.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keystoneauth1 import session

#: Timeout of a request after the deadline. The request is sent nevertheless,
#: and fails at once with the error of any other timeout.
_MIN_TIMEOUT_SECONDS = 0.01


class Deadline:
    """The deadline of the current thread; without ``within`` there is none."""

    def __init__(self) -> None:
        self._thread = threading.local()

    @contextmanager
    def within(self, seconds: float) -> Iterator[None]:
        """Set the deadline of this thread, in seconds from now."""
        self._thread.end = time.monotonic() + seconds
        try:
            yield
        finally:
            del self._thread.end

    def remaining(self, timeout: float | None) -> float | None:
        """Return ``timeout``, shortened to end at the deadline."""
        end = getattr(self._thread, 'end', None)
        if end is None:
            return timeout
        remaining = max(end - time.monotonic(), _MIN_TIMEOUT_SECONDS)
        return remaining if timeout is None else min(remaining, timeout)


class DeadlineAdapter(session.TCPKeepAliveAdapter):
    """An adapter that ends each request, also a retry, at the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def send(self, request: Any, stream: bool = False,
             timeout: Any = None, *args: Any, **kwargs: Any) -> Any:
        return super().send(request, stream, self._deadline.remaining(timeout),
                            *args, **kwargs)
