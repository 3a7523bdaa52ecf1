# SPDX-License-Identifier: Apache-2.0
"""R06: a process runs out of file descriptors, and recovers."""

from __future__ import annotations

import contextlib
import json
import pathlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.http import wire
from tests.functional.http.wire import get


class Program:
    """The server of ``full_process`` with a limit of 64 open files."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        assert process.stdout is not None
        self.address = ('127.0.0.1', int(process.stdout.readline()))

    def counters(self) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write('.')
        self._process.stdin.flush()
        counters: dict[str, Any] = json.loads(self._process.stdout.readline())
        return counters

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, 5)


@pytest.fixture
def program(tmp_path: pathlib.Path) -> Iterator[Program]:
    with (tmp_path / 'log').open('w') as log, subprocess.Popen(
            [sys.executable, '-m',
             'tests.functional.http.load.full_process', '64'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            text=True) as process:
        yield Program(process)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


def test_a_process_without_descriptors_waits_and_recovers(
        program: Program, tmp_path: pathlib.Path) -> None:
    """R06: 160 clients, 64 descriptors, and one line in the log."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(program.connect())
                   for _ in range(160)]
        wire.until(lambda: program.counters()['accept_failures'] >= 2)
        assert 30 < program.counters()['connections'] < 64
        clients[0].sendall(get('/'))
        assert clients[0].recv(1000).startswith(b'HTTP/1.1 200')
    started = time.monotonic()
    with program.connect() as sock:
        sock.sendall(get('/late', b'Connection: close\r\n'))
        assert wire.answers(wire.read_all(sock))[0].body == b'/late'
    assert time.monotonic() - started < 1
    wire.until(lambda: program.counters()['connections'] == 0)
    log = (tmp_path / 'log').read_text()
    assert log.count('cannot accept connections') == 1, log
    assert 'max_connections' in log and 'Traceback' not in log
