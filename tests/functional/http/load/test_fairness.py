# SPDX-License-Identifier: Apache-2.0
"""One project floods a worker; the others hardly notice (reliability R12)."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable
from typing import Any

import eventlet
from eventlet import hubs

from service.hosting import caller_hint
from tests.functional.http import wire
from tests.functional.http.serving import serving
from tests.functional.http.wire import get


class Projects:
    """Holds each request until the gate is open, and notes whose came."""

    def __init__(self) -> None:
        self.gate = True
        self.served: list[str] = []

    def __call__(self, environ: dict[str, Any], start: Any
                 ) -> Iterable[bytes]:
        project = environ['HTTP_X_PROJECT_ID']
        caller_hint.report_project(environ, project)
        self.served.append(project)
        while not self.gate:
            eventlet.sleep(0.005)
        start('200 OK', [('Content-Length', '2')])
        return [b'ok']


def ask(sock: socket.socket, project: str) -> None:
    sock.sendall(get('/', b'Connection: close\r\nX-Project-Id: %s\r\n'
                     % project.encode()))


def status(sock: socket.socket) -> int:
    return wire.answers(wire.read_all(sock))[0].status


def test_a_project_does_not_wait_for_anothers_flood() -> None:
    """R12: what it is known by is what the application said of it before."""
    app = Projects()
    with serving(app, max_in_flight=1, max_queued=8) as running, \
            contextlib.ExitStack() as stack:
        def asked(project: str, queued: int) -> socket.socket:
            sock = stack.enter_context(wire.connect(running))
            ask(sock, project)
            wire.until(lambda: running.counters.queued == queued)
            return sock
        for project in ('a', 'b'):
            assert status(asked(project, 0)) == 200
        app.gate = False
        app.served.clear()
        flood = [asked('a', 0)]
        wire.until(lambda: app.served == ['a'])
        flood += [asked('a', number) for number in range(1, 9)]
        other = [asked('b', 8)]
        assert status(flood.pop()) == 503
        app.gate = True
        assert [status(one) for one in flood + other] == [200] * 9
        assert app.served[:4] == ['a', 'a', 'b', 'a']


class Stepping:
    """Each request waits for something again and again, which has come as
    soon as anybody looks: as a database does that answers at once."""

    def __init__(self, steps: dict[str, int]) -> None:
        self._steps = steps
        self.went: list[str] = []

    def __call__(self, environ: dict[str, Any], start: Any
                 ) -> Iterable[bytes]:
        project = environ['HTTP_X_PROJECT_ID']
        caller_hint.report_project(environ, project)
        ours, theirs = socket.socketpair()
        with ours, theirs:
            for _ in range(self._steps[project]):
                theirs.send(b'x')
                hubs.trampoline(ours.fileno(), read=True)
                ours.recv(1)
                self.went.append(project)
        start('200 OK', [('Content-Length', '2')])
        return [b'ok']


def test_nor_for_the_steps_of_all_that_a_flood_has_in_flight() -> None:
    """R12: whenever it could go on, one of them is between at the most."""
    app = Stepping({'a': 2, 'b': 2})
    with serving(app) as running, contextlib.ExitStack() as stack:
        def asked(project: str) -> socket.socket:
            sock = stack.enter_context(wire.connect(running))
            ask(sock, project)
            return sock
        for project in ('a', 'b'):
            assert status(asked(project)) == 200
        app.went.clear()
        app._steps.update(a=300, b=20)
        flood = [asked('a') for _ in range(6)]
        wire.until(lambda: len(app.went) > 50)
        assert status(asked('b')) == 200
        assert [status(one) for one in flood] == [200] * 6
    first = app.went.index('b')
    last = len(app.went) - app.went[::-1].index('b')
    between = ''.join(app.went[first:last]).split('b')
    assert len(between) == 21 and len(app.went) > last
    assert max(map(len, between)) == 1
