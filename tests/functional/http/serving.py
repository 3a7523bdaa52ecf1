# SPDX-License-Identifier: Apache-2.0
"""A Server in a thread of its own, with an application that records requests.

Tests compare the recorded requests with the answers, which ``wire`` parses.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from eventlet import hubs
from oslo_config import cfg

from service.config import options
from service.process.limits import ServerLimits
from service.process.scheduling import hub
from service.process.server.http_server import Server


def default_limits(**changes: Any) -> ServerLimits:
    conf = cfg.ConfigOpts()
    conf.register_opts(options.GROUPS['api'], 'api')
    conf([], project='pileus-tests', default_config_files=[],
         default_config_dirs=[])
    return dataclasses.replace(ServerLimits.read(conf), **changes)


@dataclasses.dataclass
class Received:
    """One request as the application received it."""

    method: str
    path: str
    query: str
    body: bytes
    environ: dict[str, Any]


class Recorder:
    """An application that reads the body and answers with the path."""

    def __init__(self) -> None:
        self.seen: list[Received] = []

    def __call__(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        body = environ['wsgi.input'].read()
        self.seen.append(Received(
            environ['REQUEST_METHOD'], environ['PATH_INFO'],
            environ['QUERY_STRING'], body, environ))
        data = environ['PATH_INFO'].encode('latin-1')
        start('200 OK', [('Content-Type', 'text/plain'),
                         ('Content-Length', str(len(data)))])
        return [data]

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.seen]


class Running:
    """A server in its own thread; ``call`` runs a function there."""

    def __init__(self, app: Any, limits: ServerLimits,
                 listener: socket.socket, ssl_context: Any) -> None:
        self.app = app
        self.limits = limits
        self.address = listener.getsockname()
        self.server: Server
        self._listener = listener
        self._ssl_context = ssl_context
        self._wake_read, self._wake_write = os.pipe()
        self._work: list[Callable[[], None]] = []
        self._stopped = False
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    @property
    def counters(self) -> Any:
        return self.server.counters

    def call(self, function: Callable[[], Any], timeout: float = 30) -> Any:
        done = threading.Event()
        result: list[Any] = []

        def work() -> None:
            result.append(function())
            done.set()

        self._work.append(work)
        os.write(self._wake_write, b'.')
        assert done.wait(timeout), 'the server thread did not answer'
        return result[0]

    def stop(self) -> None:
        if self._stopped:
            return
        self._stopped = True
        if self._thread.is_alive():
            self.call(lambda: self.server.drain(0))
            os.write(self._wake_write, b'.')
            self._thread.join(10)
            assert not self._thread.is_alive()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _run(self) -> None:
        hub.install()
        self.server = Server(self.app, self.limits)
        self.server.listen(self._listener, self._ssl_context)
        self._ready.set()
        while not self._stopped or self._work:
            hubs.trampoline(self._wake_read, read=True)
            os.read(self._wake_read, 1)
            if self._work:
                self._work.pop(0)()


@contextlib.contextmanager
def serving(app: Any = None, *, listener: socket.socket | None = None,
            ssl_context: Any = None, **limits: Any) -> Iterator[Running]:
    """Run a server on loopback; ``limits`` replace defaults."""
    running = Running(app or Recorder(), default_limits(**limits),
                      listener or listening(), ssl_context)
    try:
        yield running
    finally:
        running.stop()


def listening(backlog: int = 1024) -> socket.socket:
    sock = socket.socket()
    sock.bind(('127.0.0.1', 0))
    sock.listen(backlog)
    return sock
