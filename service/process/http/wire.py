# SPDX-License-Identifier: Apache-2.0
"""One client's socket, as a green thread reads and writes it.

The waiting is done here on eventlet's hub and not through its green sockets:
those register with and leave the poller for every single wait, and set a
timer for every deadline. A wire stays registered while its requests come and
go, and its deadline is a number that one sweep of the server looks at.
"""

from __future__ import annotations

import math
import socket
import struct
from typing import Any

import eventlet.patcher
from eventlet import hubs
from greenlet import getcurrent, greenlet

#: The module as it was before any monkey patching: sockets that never wait.
native_socket: Any = eventlet.patcher.original('socket')

NEVER = math.inf

#: SO_LINGER on, with no seconds: close() sends RST and forgets what is left.
LINGER_ABORT = struct.pack('ii', 1, 0)


class DeadlineExceeded(Exception):
    """The deadline of what was waited for has passed."""


class ClientDisconnected(ConnectionError):
    """The client closed or reset the connection."""


class Wire:
    """A connected, non-blocking socket owned by one green thread.

    ``deadline`` is the monotonic time the present wait ends at. Everything
    that waits raises Late then, and Gone where the client has left.
    """

    __slots__ = ('_sock', '_fd', '_hub', '_watch', '_waiter', '_writing',
                 'deadline', 'closed', 'flow')

    #: What ``wsgi.url_scheme`` says of it.
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
        #: Whose request is being carried out, as ``precedence`` wants to
        #: know.
        self.flow: str | None = None

    def handshake(self, deadline: float) -> None:
        """Do what comes before the first byte of HTTP: nothing, in clear."""

    def wait(self, deadline: float) -> None:
        """Give way to others until there is something to read."""
        self._wait_readable(deadline)

    def recv(self, size: int, deadline: float) -> bytes:
        """What there is, at most ``size`` bytes; b'' when the client ended.

        A reset is an end too: what was read before it is whole.
        """
        while True:
            try:
                return self._sock.recv(size)
            except BlockingIOError:
                self._wait_readable(deadline)
            except ConnectionError:
                return b''

    def send(self, data: bytes, deadline: float) -> None:
        """Hand all of ``data`` to the kernel."""
        sent = self._try_send(data)
        if sent == len(data):
            return
        rest = memoryview(data)[sent:]
        while rest:
            self._wait_writable(deadline)
            rest = rest[self._try_send(rest):]

    def has_input(self) -> bool:
        """Whether bytes (or an end) stand in the kernel's buffer."""
        try:
            self._sock.recv(1, native_socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def expire(self) -> None:
        """End the present wait with Late. For the hub's own greenlet only."""
        waiter = self._waiter
        self.deadline = NEVER
        if waiter is not None:
            waiter.throw(DeadlineExceeded)

    def finish_sending(self) -> None:
        """Tell the client that nothing more will come."""
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
        """Close so that the client sees an abort, not a regular end."""
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
            raise ClientDisconnected('the client has gone') from exc

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
        """Called by the hub for as long as bytes are waiting.

        With nobody to take them the wire leaves the poller, or the hub would
        spin until the request in hand is answered.
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
        """The hub found our descriptor in other hands; end the wait."""
        self._watch = None
        if self._waiter is not None:
            self._waiter.throw(ClientDisconnected, ClientDisconnected(
                'the descriptor was closed'))

    def _unwatch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            self._hub.remove(watch)


def _none() -> None:
    """eventlet wants to mark a green socket closed; there is none here."""
