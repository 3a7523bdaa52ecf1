# SPDX-License-Identifier: Apache-2.0
"""One worker's HTTP server: its listeners, its connections, their end.

``accept`` takes connections, ``protocol`` is what happens on one of them.
Here is what concerns them all: limits on their number, deadlines, and a drain
that loses no request.
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

#: Deadlines are looked at this often, in seconds, or four times within the
#: shortest of them.
SWEEP_SECONDS = 0.25

#: How many of the longest idle connections are looked at for one that can go.
MAX_EVICTION_CANDIDATES = 8


class Server:
    """Serves a WSGI application on any number of listening sockets.

    It belongs to the thread whose hub it is made on. ``multiprocess`` is what
    the application is told in its environ; ``place`` is where it tells the
    other workers on its listeners how many connections it has.
    """

    def __init__(self, app: WSGIApplication, limits: ServerLimits, *,
                 multiprocess: bool = False,
                 place: ConnectionCount | None = None) -> None:
        self._place = place
        self._shared = ServerState(app, limits)
        self._limits = limits
        self._multiprocess = multiprocess
        self._hub: Any = hubs.get_hub()
        self._acceptors: list[Acceptor] = []
        self._connections: dict[Connection, Any] = {}
        self._ended = event.Event()
        self._every = min(SWEEP_SECONDS, limits.patience / 4)
        self._probe = LagProbe(self._hub, self._shared.counters)
        self._sweeper = self._hub.schedule_call_global(self._every,
                                                       self._sweep)

    @property
    def counters(self) -> Counters:
        counters = self._shared.counters
        counters.connections = len(self._connections)
        counters.idle = len(self._shared.idle)
        return counters

    def listen(self, sock: socket.socket,
               ssl_context: ssl.SSLContext | None = None) -> None:
        """Serve connections of ``sock``, which listens already.

        The socket is the server's from here on: drain closes it.
        """
        scheme = 'http' if ssl_context is None else 'https'
        template = environ.for_listener(sock, scheme, self._multiprocess)

        def take(client: socket.socket, address: Any) -> None:
            self._take(client, address, template, ssl_context)

        acceptor = Acceptor(sock, take, self._has_room, self._shared.counters,
                            self._place)
        self._acceptors.append(acceptor)
        self._note_number()
        acceptor.start()

    def swap(self, app: WSGIApplication) -> None:
        """Requests that begin later meet the new application."""
        self._shared.app = app

    def drain(self, timeout: float) -> bool:
        """End without losing a request; True if all ended within ``timeout``.

        Listeners close at once. Idle connections do too, but one that was
        busy a moment ago is given a last call: its next request may already
        be on its way. Replies under way are finished; what is left after
        ``timeout`` seconds is cut.
        """
        self._shared.draining = True
        self._note_number()
        for acceptor in self._acceptors:
            acceptor.close()
        self._dismiss_idle(min(timeout, DRAIN_GRACE_SECONDS))
        if self._connections:
            self._ended.wait(timeout)
        complete = all(one.parting or one in self._shared.idle
                       for one in self._connections)
        self._cut()
        self._stop()
        return complete

    def wait(self) -> None:
        """Return once the server has been drained."""
        self._ended.wait()

    def _take(self, client: socket.socket, address: Any,
              template: dict[str, Any],
              ssl_context: ssl.SSLContext | None) -> None:
        client.setblocking(False)
        if client.family != native_socket.AF_UNIX:
            client.setsockopt(native_socket.IPPROTO_TCP,
                              native_socket.TCP_NODELAY, 1)
        wire = (Wire(client) if ssl_context is None
                else TlsWire(client, ssl_context))
        connection = Connection(self._shared, wire,
                                environ.client_address(address), template)
        self._connections[connection] = eventlet.spawn_n(
            self._run, connection)
        self._note_number()

    def _run(self, connection: Connection) -> None:
        try:
            connection.run()
        finally:
            self._connections.pop(connection, None)
            self._note_number()
            self._after_one()

    def _note_number(self) -> None:
        if self._place is None:
            return
        if self._shared.draining:
            self._place.leave()
        else:
            self._place.hold(len(self._connections))

    def _after_one(self) -> None:
        """There is room for one more, or this was the last."""
        if not self._shared.draining:
            for acceptor in self._acceptors:
                acceptor.start()
        elif not self._connections and not self._ended.ready():
            self._ended.send()

    def _has_room(self, evict: bool) -> bool:
        """Whether one more connection fits, with ``evict`` in the place of an
        idle one. Where all are busy, new ones wait in the kernel's queue.
        """
        if len(self._connections) < self._limits.max_connections:
            return True
        return evict and self._evict()

    def _evict(self) -> bool:
        """Close one of the longest idle connections, if it is truly idle."""
        for connection in islice(list(self._shared.idle),
                                 MAX_EVICTION_CANDIDATES):
            if not connection.wire.has_input():
                self._shared.counters.evicted += 1
                self._hub.schedule_call_global(0, connection.wire.expire)
                return True
        return False

    def _sweep(self) -> None:
        """Wake everything whose time is over. Runs on the hub itself.

        The next sweep is arranged first: whatever one connection does when
        it is woken, the others have their deadlines.
        """
        self._sweeper = self._hub.schedule_call_global(self._every,
                                                       self._sweep)
        now = monotonic()
        late = [one.wire for one in self._connections
                if one.wire.deadline <= now]
        self._shared.counters.deadline_closes += len(late)
        self._shared.admission.sweep(now)
        for wire in late:
            wire.expire()

    def _dismiss_idle(self, grace: float) -> None:
        """Shorten the wait of idle connections; the sweep does the rest."""
        for connection in self._shared.idle:
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
