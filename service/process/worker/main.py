# SPDX-License-Identifier: Apache-2.0
"""A worker process: load the application, serve, drain, end.

The launcher forks the process. Eventlet is imported only here, and modules
that ``load`` imports after the monkey patching use green sockets.
"""

from __future__ import annotations

import faulthandler
import importlib
import signal
import socket
import warnings
from wsgiref.types import WSGIApplication

from oslo_config import cfg
from oslo_context import context
from oslo_log import log

from service.errors import StartError
from service.logs import log_setup
from service.process.listening import tls_context
from service.process.listening.connection_balance import ConnectionCount
from service.process.listening.listeners import Listener
from service.process.scheduling import hub
from service.process.worker import channel, green_psycopg

with warnings.catch_warnings():
    # doc/source/operating-process.rst says what this deprecation means.
    warnings.filterwarnings('ignore', r'\s*Eventlet is deprecated')
    import eventlet
    import eventlet.event
    import eventlet.greenio

LOG = log.getLogger(__name__)


def run(conf: cfg.ConfigOpts, listeners: list[Listener],
        count: ConnectionCount, worker_end: socket.socket, handover: str,
        ) -> int:
    """Serve until the launcher sends STOP or dies; return the exit status.

    ``worker_end`` is this worker's end of the channel to the launcher,
    ``handover`` the path of the ``service.hosting.handover`` of its set.
    """
    hub.install()
    eventlet.monkey_patch(psycopg=False)
    green_psycopg.make_green(conf)
    # The log imported this module before the patching. Its thread local would
    # be shared by all green threads, and log records would carry the context
    # of another request.
    importlib.reload(context)
    faulthandler.enable()
    worker = _Worker(conf, listeners, count,
                     eventlet.greenio.GreenSocket(worker_end))
    try:
        worker.load(handover)
    except StartError as exc:
        LOG.debug('the worker cannot start', exc_info=True)
        worker.send(channel.failed(str(exc)))
        return channel.FAILURE
    return worker.serve()


class _Worker:

    def __init__(self, conf: cfg.ConfigOpts, listeners: list[Listener],
                 count: ConnectionCount, worker_end: socket.socket) -> None:
        self._conf = conf
        self._listeners = listeners
        self._count = count
        self._channel = worker_end
        self._stop_requested = eventlet.event.Event()

    def send(self, message: bytes) -> bool:
        """Send a message to the launcher; False if the launcher is gone."""
        try:
            self._channel.send(message)
        except OSError:
            return False
        return True

    def load(self, handover: str) -> None:
        """Load the application and make its server, without listening."""
        from service.hosting import paste
        from service.process.limits import ServerLimits
        from service.process.server.http_server import Server
        log_setup.setup(self._conf)
        app: WSGIApplication = paste.load(self._conf, handover)
        self._tls = tls_context.context(self._conf)
        several = self._conf.api.workers > 1
        self._server = Server(app, ServerLimits.read(self._conf),
                              multiprocess=several,
                              count=self._count if several else None)

    def serve(self) -> int:
        """Serve once the launcher sends GO; return the exit status."""
        self.send(channel.LOADED)
        if self._channel.recv(channel.MAX_MESSAGE_BYTES) != channel.GO:
            return channel.DONE
        try:
            self._listen()
        except StartError as exc:
            self.send(channel.failed(str(exc)))
            return channel.FAILURE
        self._watch_sigterm()
        eventlet.spawn_n(self._send_heartbeats)
        eventlet.spawn_n(self._watch_launcher)
        self.send(channel.SERVING)
        self._stop_requested.wait()
        # Runs when the drain first waits; it has closed the listeners then.
        eventlet.spawn_n(self.send, channel.CLOSED)
        grace = self._conf.api.graceful_shutdown_timeout
        if self._server.drain(grace):
            return channel.DONE
        LOG.warning('requests in flight were cut after '
                    'graceful_shutdown_timeout = %d seconds', grace)
        return channel.CUT

    def _listen(self) -> None:
        for listener in self._listeners:
            try:
                if not listener.from_systemd:
                    listener.sock.listen(self._conf.api.backlog)
            except OSError as exc:
                raise StartError(
                    f'cannot listen on {listener.name}: {exc.strerror}'
                ) from exc
            self._server.listen(listener.sock, self._tls)

    def _send_heartbeats(self) -> None:
        """Send heartbeats, which stop while the event loop is blocked."""
        pause = min(1.0, self._conf.api.worker_timeout / 4)
        while self.send(channel.HEARTBEAT):
            eventlet.sleep(pause)

    def _watch_launcher(self) -> None:
        """Stop on any message; an empty one means the launcher has died."""
        message = self._receive()
        self._request_stop()
        if not message:
            LOG.error('the launcher has died: finishing the requests in '
                      'flight')

    def _receive(self) -> bytes:
        try:
            return self._channel.recv(channel.MAX_MESSAGE_BYTES)
        except ConnectionError:
            return b''

    def _watch_sigterm(self) -> None:
        """Stop on a SIGTERM to this process.

        A Python signal handler runs in whichever green thread is active, and
        does not wake the event loop. A byte on a watched socket does.
        """
        watched, wakeup = socket.socketpair()
        wakeup.setblocking(False)
        signal.set_wakeup_fd(wakeup.fileno())
        signal.signal(signal.SIGTERM, lambda number, frame: None)

        def stop_on_byte() -> None:
            watched.recv(1)
            self._request_stop()
            wakeup.close()

        eventlet.spawn_n(stop_on_byte)

    def _request_stop(self) -> None:
        if not self._stop_requested.ready():
            self._stop_requested.send()
