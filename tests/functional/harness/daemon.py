# SPDX-License-Identifier: Apache-2.0
"""Run the service as an operator does: real command, config directory, port.

``config_dir`` creates a config directory, ``Daemon`` runs ``pileus-api`` with
it and ``Gunicorn`` serves the same application under gunicorn:

    with Daemon(config_dir(tmp_path, types={'book': BOOK})) as daemon:
        assert daemon.request('GET', '/v1/books').status == 200

The harness does not sleep for a guessed time. The service notifies it when it
is ready, as it notifies systemd, and the kernel reports the end of a process.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from tests.functional.harness import error_shape, planted_secrets
from tests.functional.harness.directories import (
    ROOT,
    SHIPPED_CONFIG,
    apply_types,
    config_dir,
    configure,
    database,
    free_port,
    options,
)

__all__ = ['ROOT', 'SHIPPED_CONFIG', 'apply_types', 'config_dir',
           'configure', 'database', 'free_port']

#: Longest wait for anything that takes a moment on an idle machine.
WAIT_SECONDS = 30.0


class Reply(NamedTuple):
    """A complete answer."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """A process that serves a config directory; it runs in the context.

    ``argv`` is its command line and ``output`` all that it has written to
    stdout and stderr. ``env`` is added to its environment.
    """

    def __init__(self, directory: Path, *words: str,
                 env: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.argv = [*self.command(), *words]
        self.env = dict(env or {})
        self._file = directory.parent / f'output-{secrets.token_hex(4)}'
        self.secrets = {planted_secrets.TOKEN, planted_secrets.COOKIE}

    def command(self) -> list[str]:
        """Return the command line without the arguments of the test."""
        raise NotImplementedError

    @property
    def api_options(self) -> Mapping[str, str]:
        """The options of ``[api]`` in its pileus.conf."""
        return options(self.directory, 'api')

    @property
    def host(self) -> str:
        return self.api_options.get('bind_host', '127.0.0.1')

    @property
    def port(self) -> int:
        return int(self.api_options['bind_port'])

    @property
    def url(self) -> str:
        host = f'[{self.host}]' if ':' in self.host else self.host
        return f'http://{host}:{self.port}'

    @property
    def output(self) -> str:
        return self._file.read_text(errors='replace')

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Any:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None,
                 exc: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()
        if exc is not None:
            print(f'--- output of {self.argv[0]}\n{self.output}')

    def start(self) -> None:
        """Start the process, and return when it reports that it is ready."""
        apply_types(self.directory)
        self.launch()
        try:
            self.wait_for('READY=1')
        except AssertionError:
            self.stop(signal.SIGKILL)
            raise

    def launch(self) -> None:
        """Start the process, and return before it is ready."""
        name = f'pileus-{secrets.token_hex(8)}'
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(f'\0{name}')
        env = {**os.environ, **self.env, 'NOTIFY_SOCKET': f'@{name}'}
        with self._file.open('wb') as output:
            self._process = subprocess.Popen(
                self.argv, env=env, stdout=output,
                stderr=output, stdin=subprocess.DEVNULL)
        self._exit = os.pidfd_open(self._process.pid)

    def wait_for(self, notification: str,
                 seconds: float = WAIT_SECONDS) -> None:
        """Wait until the process sends a notification, such as READY=1."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            ready = select.select([self._notify.fileno(), self._exit], [], [],
                                  max(0, left))[0]
            assert self._notify.fileno() in ready, \
                f'no {notification} from {self.argv[0]}:\n{self.output}'
            if notification in self._notify.recv(4096).decode().splitlines():
                return

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def reload(self) -> None:
        """Send SIGHUP, and return when the reload has succeeded or failed."""
        self.send(signal.SIGHUP)
        self.wait_for('RELOADING=1')
        self.wait_for('READY=1')

    def wait_for_exit(self, seconds: float = WAIT_SECONDS) -> int:
        """Wait for the end of the process and return its exit status.

        Its output must contain no secret (L03).
        """
        status = self._process.wait(seconds)
        for close in (self._notify.close, lambda: os.close(self._exit)):
            if self._notify.fileno() >= 0:
                close()
        assert not planted_secrets.leaked(self.output, self.secrets)
        return status

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the process if it still runs, and return its exit status."""
        if self._process.poll() is None:
            self.send(number)
        try:
            return self.wait_for_exit()
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def connect(self) -> socket.socket:
        """Return a new TCP connection to the server."""
        return socket.create_connection((self.host, self.port),
                                        WAIT_SECONDS)

    def request(self, method: str, path: str, body: object = None,
                headers: Mapping[str, str] | None = None) -> Reply:
        """Send one request on a new connection and check the shape of an
        error reply (L02).

        A ``body`` of bytes is sent unchanged, any other as JSON.
        """
        sent = planted_secrets.with_planted(
            headers or {}, self.api_options.get('auth_strategy'))
        self.secrets.update(planted_secrets.in_headers(sent))
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault('Content-Type', 'application/json')
        if (body is not None
                and len(self.secrets) < planted_secrets.MAX_SECRETS):
            self.secrets.update(planted_secrets.in_body(body))
        connection = http.client.HTTPConnection(self.host, self.port,
                                                timeout=WAIT_SECONDS)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            reply = Reply(answer.status, answer.headers, answer.read())
        finally:
            connection.close()
        error_shape.check(method, reply.status, reply.headers.items(),
                          reply.body)
        return reply


class Daemon(Server):
    """``pileus-api``, in the foreground unless ``words`` say otherwise."""

    def command(self) -> list[str]:
        script = Path(sys.executable).with_name('pileus-api')
        assert script.exists(), f'{script}: install the project first ' \
                                '(pip install -e .)'
        return [str(script), '--config-dir', str(self.directory)]

    def workers(self) -> list[int]:
        """Return the process ids of its workers, the oldest first."""
        return children(self.pid)


class Gunicorn(Server):
    """The application under gunicorn with threads, without eventlet."""

    def __init__(self, directory: Path, *words: str,
                 env: Mapping[str, str] | None = None) -> None:
        super().__init__(directory, *words, env={
            'OS_PILEUS_CONFIG_DIR': str(directory), **(env or {})})

    def command(self) -> list[str]:
        return [sys.executable, '-m', 'gunicorn', '--threads', '8',
                '--bind', f'{self.host}:{self.port}',
                '--no-control-socket', 'service.wsgi:application']


def children(pid: int) -> list[int]:
    """Return the child processes of a process, the oldest first."""
    return sorted(int(stat.parent.name)
                  for stat in Path('/proc').glob('[0-9]*/stat')
                  if _parent(stat) == pid)


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    return _stat_fields(Path(f'/proc/{pid}/stat'))[0] not in 'ZX'


def _parent(stat: Path) -> int | None:
    """Return the parent of a process, or None if the process is gone."""
    return int(_stat_fields(stat)[1]) or None


def _stat_fields(stat: Path) -> list[str]:
    """Return the fields of a stat file from the process state on.

    A process that is gone has the state X and the parent 0.
    """
    try:
        return stat.read_text().rpartition(')')[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ['X', '0']
