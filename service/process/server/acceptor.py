# SPDX-License-Identifier: Apache-2.0
"""Accept new connections from a listening socket.

No error of accept() ends the process. If file descriptors or memory run out,
connections stay in the kernel's queue, and the acceptor tries again later.
"""

from __future__ import annotations

import errno
import math
import os
import socket
import time
from collections.abc import Callable
from typing import Any

from eventlet import hubs
from oslo_log import log

from service.process.counters import Counters
from service.process.http.wire import native_socket
from service.process.listening.connection_balance import ConnectionCount

LOG = log.getLogger(__name__)

#: The process or the machine has run out of a resource.
EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS,
                       errno.ENOMEM))
#: One connection ended before it was accepted; the next may succeed.
TRANSIENT = frozenset((errno.ECONNABORTED, errno.EINTR, errno.EPROTO,
                       errno.EPERM, errno.ENETDOWN, errno.EHOSTDOWN,
                       errno.ENONET, errno.EHOSTUNREACH, errno.ENETUNREACH,
                       errno.ENOPROTOOPT, errno.EOPNOTSUPP))

#: The listening socket was shut down; it never works again.
FATAL = frozenset((errno.EBADF, errno.EINVAL, errno.ENOTSOCK))

#: How many connections are accepted before other green threads run. Workers
#: that share a socket accept one at a time, so that each gets some.
BATCH_CONNECTIONS = 8
#: How long a worker leaves a connection to another that has fewer.
YIELD_SECONDS = 0.001
FIRST_PAUSE_SECONDS = 0.05
MAX_PAUSE_SECONDS = 0.5
#: A process at its limit fails to accept many times a second; the log gets
#: one line per interval.
LOG_INTERVAL_SECONDS = 60.0

ConnectionHandler = Callable[[Any, Any], None]


class Acceptor:
    """Passes each new connection of one listening socket to ``handle``.

    ``has_capacity(evict)`` returns whether one more connection is allowed;
    with ``evict`` it may close an idle one first. ``count`` is None for a
    process that shares the socket with no other.

    It accepts on a duplicate of the descriptor, as an unpatched socket, and
    closes the original together with it.
    """

    def __init__(self, sock: socket.socket, handle: ConnectionHandler,
                 has_capacity: Callable[[bool], bool], counters: Counters,
                 count: ConnectionCount | None = None) -> None:
        self._original = sock
        self._sock = native_socket.socket(
            sock.family, sock.type, sock.proto, fileno=os.dup(sock.fileno()))
        self._sock.setblocking(False)
        self._handle = handle
        self._has_capacity = has_capacity
        self._counters = counters
        self._count = count
        self._batch = BATCH_CONNECTIONS if count is None else 1
        self._yielded = False
        self._hub: Any = hubs.get_hub()
        self._watch: Any = None
        self._timer: Any = None
        self._pause = 0.0
        self._logged_at = -math.inf
        self._closed = False

    def start(self) -> None:
        """Accept connections; no effect if it already does."""
        if self._watch is None and self._timer is None and not self._closed:
            self._watch = self._hub.add(
                self._hub.READ, self._sock.fileno(), self._ready,
                lambda exc: None, lambda: None)

    def close(self) -> None:
        """Stop accepting; the kernel refuses further connections.

        Connections that the kernel has already completed are accepted: their
        clients believe that they are connected.
        """
        if self._closed:
            return
        self._stop()
        while self._has_capacity(False) and self._accept():
            pass
        self._closed = True
        self._sock.close()
        self._original.close()

    def _stop(self) -> None:
        if self._watch is not None:
            self._hub.remove(self._watch)
            self._watch = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ready(self, fileno: int) -> None:
        """Accept a connection, and more while there is free capacity.

        For the first one, which is known to wait, an idle connection may be
        closed. Whether more wait is unknown, so none is closed for them.
        """
        if not self._has_capacity(True):
            self._stop()
            return
        if self._yields():
            return
        for _ in range(self._batch):
            if self._closed or not self._accept():
                return
            if not self._has_capacity(False):
                return

    def _yields(self) -> bool:
        """Pause once, for a moment, if another worker has fewer connections.

        The connection is accepted here afterwards if it still waits, because
        the other worker may hang.
        """
        self._yielded = (self._count is not None and not self._yielded
                         and self._count.exceeds_another())
        if self._yielded:
            self._stop()
            self._timer = self._hub.schedule_call_global(YIELD_SECONDS,
                                                         self._retry)
        return self._yielded

    def _accept(self) -> bool:
        """Accept one connection; return whether another may follow.

        A connection that ends before it is set up does not stop the others.
        """
        try:
            sock, address = self._sock.accept()
        except BlockingIOError:
            return False
        except OSError as exc:
            return self._fail(exc)
        self._pause = 0.0
        self._counters.accepted += 1
        try:
            self._handle(sock, address)
        except OSError:
            sock.close()
        return True

    def _fail(self, exc: OSError) -> bool:
        if exc.errno in TRANSIENT:
            return True
        self._counters.accept_failures += 1
        if exc.errno in FATAL:
            LOG.error('no longer accepting connections: the listening socket '
                      'was shut down: %s', exc.strerror)
            self._stop()
            return False
        if time.monotonic() - self._logged_at > LOG_INTERVAL_SECONDS:
            self._logged_at = time.monotonic()
            LOG.error('cannot accept connections: %s; trying again until it '
                      'works%s', exc.strerror, _advice(exc))
        self._pause = min(self._pause * 2 or FIRST_PAUSE_SECONDS,
                          MAX_PAUSE_SECONDS)
        self._stop()
        self._timer = self._hub.schedule_call_global(self._pause, self._retry)
        return False

    def _retry(self) -> None:
        self._timer = None
        self.start()


def _advice(exc: OSError) -> str:
    if exc.errno in (errno.EMFILE, errno.ENFILE):
        return ' (raise the limit of open files, or lower [api] ' \
               'max_connections)'
    return ''
