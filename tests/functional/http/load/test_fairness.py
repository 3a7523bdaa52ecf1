# SPDX-License-Identifier: Apache-2.0
"""A flood of one project hardly delays others (reliability R12)."""

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
    """Holds each request while ``gate`` is closed, and records projects."""

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


def test_a_project_does_not_wait_for_the_flood_of_another() -> None:
    """R12: the application has reported both projects before."""
    app = Projects()
    with serving(app, max_in_flight=1, max_queued=8) as running, \
            contextlib.ExitStack() as stack:
        def ask_for(project: str, queued: int) -> socket.socket:
            sock = stack.enter_context(wire.connect(running))
            ask(sock, project)
            wire.until(lambda: running.counters.queued == queued)
            return sock
        for project in ('a', 'b'):
            assert status(ask_for(project, 0)) == 200
        app.gate = False
        app.served.clear()
        flood = [ask_for('a', 0)]
        wire.until(lambda: app.served == ['a'])
        flood += [ask_for('a', number) for number in range(1, 9)]
        other = [ask_for('b', 8)]
        assert status(flood.pop()) == 503
        app.gate = True
        assert [status(client) for client in flood + other] == [200] * 9
        assert app.served[:4] == ['a', 'a', 'b', 'a']


class Stepping:
    """An application whose requests wait many times for a ready socket.

    This resembles a database that answers at once.
    """

    def __init__(self, steps: dict[str, int]) -> None:
        self._steps = steps
        self.steps_run: list[str] = []

    def __call__(self, environ: dict[str, Any], start: Any
                 ) -> Iterable[bytes]:
        project = environ['HTTP_X_PROJECT_ID']
        caller_hint.report_project(environ, project)
        reader, writer = socket.socketpair()
        with reader, writer:
            for _ in range(self._steps[project]):
                writer.send(b'x')
                hubs.trampoline(reader.fileno(), read=True)
                reader.recv(1)
                self.steps_run.append(project)
        start('200 OK', [('Content-Length', '2')])
        return [b'ok']


def test_a_request_does_not_wait_for_all_steps_of_a_flood() -> None:
    """R12: between two steps, at most one step of the flood runs."""
    app = Stepping({'a': 2, 'b': 2})
    with serving(app) as running, contextlib.ExitStack() as stack:
        def ask_for(project: str) -> socket.socket:
            sock = stack.enter_context(wire.connect(running))
            ask(sock, project)
            return sock
        for project in ('a', 'b'):
            assert status(ask_for(project)) == 200
        app.steps_run.clear()
        app._steps.update(a=300, b=20)
        flood = [ask_for('a') for _ in range(6)]
        wire.until(lambda: len(app.steps_run) > 50)
        assert status(ask_for('b')) == 200
        assert [status(client) for client in flood] == [200] * 6
    first = app.steps_run.index('b')
    last = len(app.steps_run) - app.steps_run[::-1].index('b')
    between = ''.join(app.steps_run[first:last]).split('b')
    assert len(between) == 21 and len(app.steps_run) > last
    assert max(map(len, between)) == 1
