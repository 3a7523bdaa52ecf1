# SPDX-License-Identifier: Apache-2.0
"""Taking new connections from a listening socket.

No error of accept() ends it. A process that is out of descriptors or memory
leaves connections in the kernel's queue and looks again in a moment.
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

#: The process or the machine has run out of something.
EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS,
                       errno.ENOMEM))
#: One connection was gone before it was taken; the next may be fine.
TRANSIENT = frozenset((errno.ECONNABORTED, errno.EINTR, errno.EPROTO,
                     errno.EPERM, errno.ENETDOWN, errno.EHOSTDOWN,
                     errno.ENONET, errno.EHOSTUNREACH, errno.ENETUNREACH,
                     errno.ENOPROTOOPT, errno.EOPNOTSUPP))

#: Somebody shut the listening socket down; it will not come back.
FATAL = frozenset((errno.EBADF, errno.EINVAL, errno.ENOTSOCK))

#: How many are taken in a row before other work has its turn; where workers
#: share the socket it is one, so that others have theirs.
BATCH_CONNECTIONS = 8
#: How long a worker leaves a connection to a sibling that has fewer.
YIELD_SECONDS = 0.001
FIRST_PAUSE_SECONDS = 0.05
MAX_PAUSE_SECONDS = 0.5
#: A process at its limit gets a descriptor and lacks the next one, many times
#: a second; the operator is told so once in so many seconds.
LOG_INTERVAL_SECONDS = 60.0

ConnectionHandler = Callable[[Any, Any], None]


class Acceptor:
    """Hands each new connection of one listening socket to ``take``.

    It listens on a duplicate of the descriptor, which no monkey patching has
    touched, and closes the original with it.
    """

    def __init__(self, sock: socket.socket, take: ConnectionHandler,
                 has_room: Callable[[bool], bool], counters: Counters,
                 place: ConnectionCount | None = None) -> None:
        self._given = sock
        self._sock = native_socket.socket(sock.family, sock.type, sock.proto,
                                   fileno=os.dup(sock.fileno()))
        self._sock.setblocking(False)
        self._take = take
        self._has_room = has_room
        self._counters = counters
        self._place = place
        self._batch = BATCH_CONNECTIONS if place is None else 1
        self._waited = False
        self._hub: Any = hubs.get_hub()
        self._watch: Any = None
        self._timer: Any = None
        self._pause = 0.0
        self._told = -math.inf
        self._closed = False

    def start(self) -> None:
        """Take connections from now on, or again; harmless if it does."""
        if self._watch is None and self._timer is None and not self._closed:
            self._watch = self._hub.add(
                self._hub.READ, self._sock.fileno(), self._ready,
                lambda exc: None, lambda: None)

    def close(self) -> None:
        """Stop; further connections are refused by the kernel.

        Those it has completed already are still taken: their clients believe
        that they are connected.
        """
        if self._closed:
            return
        self._stop()
        while self._has_room(False) and self._take_one():
            pass
        self._closed = True
        self._sock.close()
        self._given.close()

    def _stop(self) -> None:
        if self._watch is not None:
            self._hub.remove(self._watch)
            self._watch = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ready(self, fileno: int) -> None:
        """A connection is waiting, so an idle one may have to make room.

        Whether there are more after it is not known: they take free places.
        """
        if not self._has_room(True):
            self._stop()
            return
        if self._lets_another_go_first():
            return
        for _ in range(self._batch):
            if self._closed or not self._take_one():
                return
            if not self._has_room(False):
                return

    def _lets_another_go_first(self) -> bool:
        """Look away once, for a moment, if a sibling has fewer connections.

        One that hangs does not come: the connection is taken the next time.
        """
        self._waited = (self._place is not None and not self._waited
                        and self._place.crowded())
        if self._waited:
            self._stop()
            self._timer = self._hub.schedule_call_global(YIELD_SECONDS,
                                                         self._retry)
        return self._waited

    def _take_one(self) -> bool:
        """Take one connection; False where there is none to be had now.

        One that is gone again before it is taken over stops no other.
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
            self._take(sock, address)
        except OSError:
            sock.close()
        return True

    def _fail(self, exc: OSError) -> bool:
        if exc.errno in TRANSIENT:
            return True
        self._counters.accept_failures += 1
        if exc.errno in FATAL:
            LOG.error('a listening socket was shut down: %s', exc.strerror)
            self._stop()
            return False
        if time.monotonic() - self._told > LOG_INTERVAL_SECONDS:
            self._told = time.monotonic()
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
