# SPDX-License-Identifier: Apache-2.0
"""The life of a worker: load, wait for the word, serve, drain, end.

It runs in a process of its own, forked by the launcher, and is the first
there to import eventlet. What it imports after the patching is green.
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
    # Known, and answered in the operator's guide; see doc/source/operating.
    warnings.filterwarnings('ignore', r'\s*Eventlet is deprecated')
    import eventlet
    import eventlet.event
    import eventlet.greenio

LOG = log.getLogger(__name__)


def run(conf: cfg.ConfigOpts, listeners: list[Listener],
        place: ConnectionCount, wire: socket.socket, kept: str) -> int:
    """Serve until the launcher says so or dies; the exit status.

    ``kept`` is where workers of this configuration leave what is in force.
    """
    hub.install()
    eventlet.monkey_patch(psycopg=False)
    green_psycopg.make_green(conf)
    # Imported with the log, before the patching: its thread local would hold
    # one context for all requests in turn, and the log name the wrong one.
    importlib.reload(context)
    faulthandler.enable()
    worker = _Worker(conf, listeners, place,
                     eventlet.greenio.GreenSocket(wire))
    try:
        worker.load(kept)
    except StartError as exc:
        LOG.debug('the worker cannot start', exc_info=True)
        worker.say(channel.failed(str(exc)))
        return channel.FAILURE
    return worker.serve()


class _Worker:

    def __init__(self, conf: cfg.ConfigOpts, listeners: list[Listener],
                 place: ConnectionCount, wire: socket.socket) -> None:
        self._conf = conf
        self._listeners = listeners
        self._place = place
        self._wire = wire
        self._told = eventlet.event.Event()

    def say(self, message: bytes) -> bool:
        """Tell the launcher, if it is still there."""
        try:
            self._wire.send(message)
        except OSError:
            return False
        return True

    def load(self, kept: str) -> None:
        """Make a server of the configured application; no client yet."""
        from service.hosting import paste
        from service.process.limits import ServerLimits
        from service.process.server.http_server import Server
        log_setup.setup(self._conf)
        app: WSGIApplication = paste.load(self._conf, kept)
        self._tls = tls_context.context(self._conf)
        several = self._conf.api.workers > 1
        self._server = Server(app, ServerLimits.read(self._conf),
                              multiprocess=several,
                              place=self._place if several else None)

    def serve(self) -> int:
        self.say(channel.LOADED)
        if self._wire.recv(channel.MAX_MESSAGE) != channel.GO:
            return channel.DONE
        try:
            self._listen()
        except StartError as exc:
            self.say(channel.failed(str(exc)))
            return channel.FAILURE
        self._heed_sigterm()
        eventlet.spawn_n(self._beat)
        eventlet.spawn_n(self._heed_launcher)
        self.say(channel.SERVING)
        self._told.wait()
        # Said when the drain first waits, and has closed the listeners.
        eventlet.spawn_n(self.say, channel.CLOSED)
        grace = self._conf.api.graceful_shutdown_timeout
        if self._server.drain(grace):
            return channel.DONE
        LOG.warning('requests in flight were cut after '
                    'graceful_shutdown_timeout = %d seconds', grace)
        return channel.CUT

    def _listen(self) -> None:
        for listener in self._listeners:
            try:
                if not listener.passed:
                    listener.sock.listen(self._conf.api.backlog)
            except OSError as exc:
                raise StartError(
                    f'cannot listen on {listener.name}: {exc.strerror}'
                ) from exc
            self._server.listen(listener.sock, self._tls)

    def _beat(self) -> None:
        """Give a sign of life as long as the hub turns."""
        pause = min(1.0, self._conf.api.worker_timeout / 4)
        while self.say(channel.BEAT):
            eventlet.sleep(pause)

    def _heed_launcher(self) -> None:
        """Finish when told to, and when the line ends: the launcher died."""
        message = self._receive()
        self._finish()
        if not message:
            LOG.error('the launcher is gone: finishing what is in flight')

    def _receive(self) -> bytes:
        try:
            return self._wire.recv(channel.MAX_MESSAGE)
        except ConnectionError:
            return b''

    def _heed_sigterm(self) -> None:
        """Let SIGTERM sent to this process alone drain it.

        Python runs a handler in whichever greenlet is at hand, and the hub
        sleeps on; a byte on a socket that the hub watches wakes it.
        """
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno())
        signal.signal(signal.SIGTERM, lambda number, frame: None)

        def heed() -> None:
            ours.recv(1)
            self._finish()
            theirs.close()

        eventlet.spawn_n(heed)

    def _finish(self) -> None:
        if not self._told.ready():
            self._told.send()
