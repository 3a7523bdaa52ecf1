# SPDX-License-Identifier: Apache-2.0
"""The state that all connections of one server share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from email.utils import formatdate
from time import time
from typing import Any, Protocol

from service.process.counters import Counters
from service.process.http.wire import Wire
from service.process.limits import ServerLimits
from service.process.scheduling.admission import Admission
from service.process.scheduling.known_projects import Known

WSGIApplication = Callable[[dict[str, Any], Callable[..., Any]],
                           Iterable[bytes]]


class IdleConnection(Protocol):
    """A connection while it waits for its next request."""

    wire: Wire
    idle_since: float


class ServerState:
    """The application, limits, counters and connections of one server.

    ``app`` answers requests that begin from now on. ``idle`` holds the
    connections that wait for a request, the longest idle one first. While
    ``draining``, each connection closes after its current reply.
    """

    __slots__ = ('app', 'limits', 'counters', 'admission', 'known', 'idle',
                 'draining', '_second', '_date')

    def __init__(self, app: WSGIApplication, limits: ServerLimits) -> None:
        self.app = app
        self.limits = limits
        self.counters = Counters()
        self.admission = Admission(limits, self.counters)
        self.known = Known(limits.auth_strategy)
        self.idle: dict[IdleConnection, None] = {}
        self.draining = False
        self._second = 0
        self._date = b''

    def date(self) -> bytes:
        """Return the Date header line; it is formatted once a second."""
        second = int(time())
        if second != self._second:
            self._second = second
            self._date = b'Date: %s\r\n' % formatdate(
                second, usegmt=True).encode('ascii')
        return self._date
