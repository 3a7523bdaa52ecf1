# SPDX-License-Identifier: Apache-2.0
"""One worker's HTTP server: its listeners, its connections, its shutdown.

``acceptor`` accepts connections, and ``http.connection`` serves each. This
module handles them together: the limit on their number, their deadlines, and
a drain that loses no request.
"""

from __future__ import annotations

import socket
import ssl
from itertools import islice
from time import monotonic
from typing import Any

import eventlet
from eventlet import event, hubs

from service.process.counters import Counters, LagProbe
from service.process.http import environ
from service.process.http.connection import DRAIN_GRACE_SECONDS, Connection
from service.process.http.server_state import ServerState, WSGIApplication
from service.process.http.tls_wire import TlsWire
from service.process.http.wire import Wire, native_socket
from service.process.limits import ServerLimits
from service.process.listening.connection_balance import ConnectionCount
from service.process.server.acceptor import Acceptor

#: The longest period between two checks of all deadlines. It is a quarter of
#: the shortest time limit where that is less.
SWEEP_SECONDS = 0.25

#: How many of the longest idle connections are candidates for eviction.
MAX_EVICTION_CANDIDATES = 8


class Server:
    """Serves a WSGI application on any number of listening sockets.

    Use it only in the thread that creates it. ``multiprocess`` is the value
    of ``wsgi.multiprocess``. ``count`` publishes the number of connections
    to the other workers that share the listeners.
    """

    def __init__(self, app: WSGIApplication, limits: ServerLimits, *,
                 multiprocess: bool = False,
                 count: ConnectionCount | None = None) -> None:
        self._count = count
        self._state = ServerState(app, limits)
        self._limits = limits
        self._multiprocess = multiprocess
        self._hub: Any = hubs.get_hub()
        self._acceptors: list[Acceptor] = []
        self._connections: dict[Connection, Any] = {}
        self._ended = event.Event()
        self._period = min(SWEEP_SECONDS, limits.shortest_timeout / 4)
        self._probe = LagProbe(self._hub, self._state.counters)
        self._sweeper = self._hub.schedule_call_global(self._period,
                                                       self._sweep)

    @property
    def counters(self) -> Counters:
        counters = self._state.counters
        counters.connections = len(self._connections)
        counters.idle = len(self._state.idle)
        return counters

    def listen(self, sock: socket.socket,
               ssl_context: ssl.SSLContext | None = None) -> None:
        """Serve connections of ``sock``, which already listens.

        The server owns the socket from then on, and closes it on drain.
        """
        scheme = 'http' if ssl_context is None else 'https'
        template = environ.for_listener(sock, scheme, self._multiprocess)

        def handle(client: socket.socket, address: Any) -> None:
            self._start_connection(client, address, template, ssl_context)

        acceptor = Acceptor(sock, handle, self._has_capacity,
                            self._state.counters, self._count)
        self._acceptors.append(acceptor)
        self._publish_count()
        acceptor.start()

    def replace_app(self, app: WSGIApplication) -> None:
        """Serve requests that begin from now on with ``app``."""
        self._state.app = app

    def drain(self, timeout: float) -> bool:
        """End without losing a request; True if all ended within ``timeout``.

        Closes the listeners and the idle connections. A connection that was
        busy a moment ago stays open for ``DRAIN_GRACE_SECONDS``, because its
        next request may be on the way. Replies in progress are finished;
        connections that remain after ``timeout`` seconds are cut.
        """
        self._state.draining = True
        self._publish_count()
        for acceptor in self._acceptors:
            acceptor.close()
        self._dismiss_idle(min(timeout, DRAIN_GRACE_SECONDS))
        if self._connections:
            self._ended.wait(timeout)
        complete = all(connection.closing or connection in self._state.idle
                       for connection in self._connections)
        self._cut()
        self._stop()
        return complete

    def wait(self) -> None:
        """Return once the server has been drained."""
        self._ended.wait()

    def _start_connection(self, client: socket.socket, address: Any,
                          template: dict[str, Any],
                          ssl_context: ssl.SSLContext | None) -> None:
        client.setblocking(False)
        if client.family != native_socket.AF_UNIX:
            client.setsockopt(native_socket.IPPROTO_TCP,
                              native_socket.TCP_NODELAY, 1)
        wire = (Wire(client) if ssl_context is None
                else TlsWire(client, ssl_context))
        connection = Connection(self._state, wire,
                                environ.client_address(address), template)
        self._connections[connection] = eventlet.spawn_n(
            self._run, connection)
        self._publish_count()

    def _run(self, connection: Connection) -> None:
        try:
            connection.run()
        finally:
            self._connections.pop(connection, None)
            self._publish_count()
            self._after_connection()

    def _publish_count(self) -> None:
        if self._count is None:
            return
        if self._state.draining:
            self._count.withdraw()
        else:
            self._count.publish(len(self._connections))

    def _after_connection(self) -> None:
        """Accept again; when draining, end after the last connection."""
        if not self._state.draining:
            for acceptor in self._acceptors:
                acceptor.start()
        elif not self._connections and not self._ended.ready():
            self._ended.send()

    def _has_capacity(self, evict: bool) -> bool:
        """Whether one more connection is allowed.

        With ``evict`` an idle connection may be closed for it. While all
        connections are busy, new ones wait in the kernel's queue.
        """
        if len(self._connections) < self._limits.max_connections:
            return True
        return evict and self._evict()

    def _evict(self) -> bool:
        """Close one of the longest idle connections that has no input."""
        for connection in islice(list(self._state.idle),
                                 MAX_EVICTION_CANDIDATES):
            if not connection.wire.has_input():
                self._state.counters.evicted += 1
                self._hub.schedule_call_global(0, connection.wire.expire)
                return True
        return False

    def _sweep(self) -> None:
        """Wake all waits whose deadline has passed; runs on the hub.

        The next sweep is scheduled first, so that an error in one connection
        does not leave the others without deadlines.
        """
        self._sweeper = self._hub.schedule_call_global(self._period,
                                                       self._sweep)
        now = monotonic()
        overdue = [connection.wire for connection in self._connections
                   if connection.wire.deadline <= now]
        self._state.counters.deadline_closes += len(overdue)
        self._state.admission.sweep(now)
        for wire in overdue:
            wire.expire()

    def _dismiss_idle(self, grace: float) -> None:
        """Move the deadlines of idle connections forward, and sweep now."""
        for connection in self._state.idle:
            if connection.wire.has_input():
                continue
            connection.wire.deadline = min(
                connection.wire.deadline, connection.idle_since + grace)
        self._sweeper.cancel()
        self._sweeper = self._hub.schedule_call_global(0, self._sweep)

    def _cut(self) -> None:
        for connection, thread in list(self._connections.items()):
            connection.wire.reset()
            eventlet.kill(thread)
        self._connections.clear()

    def _stop(self) -> None:
        self._sweeper.cancel()
        self._probe.stop()
        if not self._ended.ready():
            self._ended.send()
