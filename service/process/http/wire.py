# SPDX-License-Identifier: Apache-2.0
"""A client's socket, as a green thread reads and writes it.

Eventlet's green sockets register with the poller and set a timer for every
single wait. A wire stays registered from request to request, and its deadline
is a number that the server's sweep compares with the clock.
"""

from __future__ import annotations

import math
import socket
import struct
from typing import Any

import eventlet.patcher
from eventlet import hubs
from greenlet import getcurrent, greenlet

#: The socket module without monkey patching.
native_socket: Any = eventlet.patcher.original('socket')

NEVER = math.inf

#: SO_LINGER on, with 0 seconds: close() sends RST and discards unsent data.
LINGER_ABORT = struct.pack('ii', 1, 0)


class DeadlineExceeded(Exception):
    """The deadline of a wait has passed."""


class ClientDisconnected(ConnectionError):
    """The client closed or reset the connection."""


class Wire:
    """A connected, non-blocking socket that one green thread uses.

    ``deadline`` is the monotonic time at which the current wait ends.
    Methods that wait raise DeadlineExceeded then, and ClientDisconnected if
    the client has closed the connection.
    """

    __slots__ = ('_sock', '_fd', '_hub', '_watch', '_waiter', '_writing',
                 'deadline', 'closed', 'flow')

    #: The value of ``wsgi.url_scheme``.
    scheme = 'http'

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._fd = sock.fileno()
        self._hub = hubs.get_hub()
        self._watch: Any = None
        self._waiter: greenlet | None = None
        self._writing = False
        self.deadline = NEVER
        self.closed = False
        #: The project of the request in progress; ``scheduling`` reads it.
        self.flow: str | None = None

    def handshake(self, deadline: float) -> None:
        """Prepare the connection for HTTP; nothing to do without TLS."""

    def wait(self, deadline: float) -> None:
        """Yield until there is something to read."""
        self._wait_readable(deadline)

    def recv(self, size: int, deadline: float) -> bytes:
        """Return up to ``size`` bytes; b'' at the end of the stream.

        A reset counts as an end: the bytes read before it are complete.
        """
        while True:
            try:
                return self._sock.recv(size)
            except BlockingIOError:
                self._wait_readable(deadline)
            except ConnectionError:
                return b''

    def send(self, data: bytes, deadline: float) -> None:
        """Return when the kernel has taken all of ``data``."""
        sent = self._try_send(data)
        if sent == len(data):
            return
        rest = memoryview(data)[sent:]
        while rest:
            self._wait_writable(deadline)
            rest = rest[self._try_send(rest):]

    def has_input(self) -> bool:
        """Whether a read would return at once, with bytes or the end."""
        try:
            self._sock.recv(1, native_socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def expire(self) -> None:
        """End the current wait with DeadlineExceeded.

        Call it from the hub's greenlet only.
        """
        waiter = self._waiter
        self.deadline = NEVER
        if waiter is not None:
            waiter.throw(DeadlineExceeded)

    def finish_sending(self) -> None:
        """Shut down the sending side, which the client reads as the end."""
        try:
            self._sock.shutdown(native_socket.SHUT_WR)
        except OSError:
            return

    def close(self) -> None:
        if self.closed:
            return
        self.closed = True
        self._unwatch()
        self._sock.close()

    def reset(self) -> None:
        """Close with a TCP reset, so that the client sees an error."""
        if not self.closed and self._sock.family != native_socket.AF_UNIX:
            self._sock.setsockopt(native_socket.SOL_SOCKET,
                                  native_socket.SO_LINGER, LINGER_ABORT)
        self.close()

    def _try_send(self, data: bytes | memoryview) -> int:
        try:
            return self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError as exc:
            raise ClientDisconnected('the client has disconnected') from exc

    def _wait_readable(self, deadline: float) -> None:
        if self._watch is None:
            self._watch = self._hub.add(
                self._hub.READ, self._fd, self._readable, self._lost, _none)
        self._switch(deadline)

    def _wait_writable(self, deadline: float) -> None:
        listener = self._hub.add(self._hub.WRITE, self._fd, self._writable,
                                 self._lost, _none)
        self._writing = True
        try:
            self._switch(deadline)
        finally:
            self._writing = False
            self._hub.remove(listener)

    def _switch(self, deadline: float) -> None:
        self.deadline = deadline
        self._waiter = getcurrent()
        try:
            self._hub.switch()
        finally:
            self._waiter = None
            self.deadline = NEVER

    def _readable(self, fileno: int) -> None:
        """Resume the reader; the hub calls this while bytes are waiting.

        While no reader waits, the wire leaves the poller. Otherwise the hub
        would call this in a loop until the current request is answered.
        """
        waiter = self._waiter
        if waiter is None or self._writing:
            self._unwatch()
        else:
            waiter.switch()

    def _writable(self, fileno: int) -> None:
        if self._waiter is not None and self._writing:
            self._waiter.switch()

    def _lost(self, exc: BaseException) -> None:
        """End the wait: the hub found the descriptor used by another socket.
        """
        self._watch = None
        if self._waiter is not None:
            self._waiter.throw(ClientDisconnected, ClientDisconnected(
                'the descriptor was closed'))

    def _unwatch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            self._hub.remove(watch)


def _none() -> None:
    """Do nothing; the hub calls this to mark a green socket as closed."""
