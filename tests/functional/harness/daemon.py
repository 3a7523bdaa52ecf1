# SPDX-License-Identifier: Apache-2.0
"""The service as an operator runs it: real command, config dir, real port.

``config_dir`` writes a config directory, ``Daemon`` runs ``pileus-api`` on it
and ``Gunicorn`` serves the same application under another server:

    with Daemon(config_dir(tmp_path, types={'book': BOOK})) as daemon:
        assert daemon.request('GET', '/v1/books').status == 200

Nothing here sleeps and hopes: the service says that it is ready, as it says
to systemd, and the kernel says that it has ended.
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
    SHIPPED,
    config_dir,
    configure,
    database,
    free_port,
    options,
    prepare,
)

__all__ = ['ROOT', 'SHIPPED', 'config_dir', 'configure', 'database',
           'free_port', 'prepare']

#: How long anything that should take a moment may take on a busy machine.
PATIENCE = 30.0


class Reply(NamedTuple):
    """An answer, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server:
    """A process that serves a config directory, from ready to ended.

    ``argv`` is its command line, ``output`` all it has written to stdout and
    stderr so far; ``env`` adds to its environment.
    """

    def __init__(self, directory: Path, *words: str,
                 env: Mapping[str, str] | None = None) -> None:
        self.directory = directory
        self.argv = [*self.command(), *words]
        self.env = dict(env or {})
        self._file = directory.parent / f'output-{secrets.token_hex(4)}'
        self.secrets = {planted_secrets.TOKEN, planted_secrets.COOKIE}

    def command(self) -> list[str]:
        """What to run, before the words of the one who asks."""
        raise NotImplementedError

    @property
    def option(self) -> Mapping[str, str]:
        """The options of ``[api]`` as its pileus.conf has them."""
        return options(self.directory, 'api')

    @property
    def host(self) -> str:
        return self.option.get('bind_host', '127.0.0.1')

    @property
    def port(self) -> int:
        return int(self.option['bind_port'])

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
        """Start it, and return when it says that it is ready."""
        prepare(self.directory)
        self.launch()
        try:
            self.wait_for('READY=1')
        except AssertionError:
            self.stop(signal.SIGKILL)
            raise

    def launch(self) -> None:
        """Start it, and return at once: it may not become ready."""
        name = f'pileus-{secrets.token_hex(8)}'
        self._notes = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notes.bind(f'\0{name}')
        env = {**os.environ, **self.env, 'NOTIFY_SOCKET': f'@{name}'}
        with self._file.open('wb') as output:
            self._process = subprocess.Popen(
                self.argv, env=env, stdout=output,
                stderr=output, stdin=subprocess.DEVNULL)
        self._exit = os.pidfd_open(self._process.pid)

    def wait_for(self, note: str, patience: float = PATIENCE) -> None:
        """Wait until it notifies its supervisor of ``note``."""
        until = time.monotonic() + patience
        while True:
            left = until - time.monotonic()
            ready = select.select([self._notes.fileno(), self._exit], [], [],
                                  max(0, left))[0]
            assert self._notes.fileno() in ready, \
                f'no {note} from {self.argv[0]}:\n{self.output}'
            if note in self._notes.recv(4096).decode().splitlines():
                return

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def reload(self) -> None:
        """Send SIGHUP, and return when the reload is done or refused."""
        self.send(signal.SIGHUP)
        self.wait_for('RELOADING=1')
        self.wait_for('READY=1')

    def ended(self, patience: float = PATIENCE) -> int:
        """Wait for its end; its exit status. It has told no secret (L03)."""
        status = self._process.wait(patience)
        for end in (self._notes.close, lambda: os.close(self._exit)):
            if self._notes.fileno() >= 0:
                end()
        assert not planted_secrets.leaked(self.output, self.secrets)
        return status

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End it if it still runs; its exit status."""
        if self._process.poll() is None:
            self.send(number)
        try:
            return self.ended()
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise

    def connect(self) -> socket.socket:
        """A raw connection to it."""
        return socket.create_connection((self.host, self.port), PATIENCE)

    def request(self, method: str, path: str, body: object = None,
                headers: Mapping[str, str] | None = None) -> Reply:
        """Ask once, on a connection of its own; bytes go as they are, other
        bodies as JSON. An error has the one shape of all (L02)."""
        sent = planted_secrets.added(headers or {},
                                     self.option.get('auth_strategy'))
        self.secrets.update(planted_secrets.secrets(sent))
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault('Content-Type', 'application/json')
        if body is not None and len(self.secrets) < planted_secrets.MOST:
            self.secrets.update(planted_secrets.of_body(body))
        connection = http.client.HTTPConnection(self.host, self.port,
                                                timeout=PATIENCE)
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
    """``pileus-api`` itself, in the foreground unless told otherwise."""

    def command(self) -> list[str]:
        script = Path(sys.executable).with_name('pileus-api')
        assert script.exists(), f'{script}: install the project first ' \
                                '(pip install -e .)'
        return [str(script), '--config-dir', str(self.directory)]

    def workers(self) -> list[int]:
        """The process ids of its workers, the oldest first."""
        return children(self.pid)


class Gunicorn(Server):
    """The same application under gunicorn with threads, without eventlet."""

    def __init__(self, directory: Path, *words: str,
                 env: Mapping[str, str] | None = None) -> None:
        super().__init__(directory, *words, env={
            'OS_PILEUS_CONFIG_DIR': str(directory), **(env or {})})

    def command(self) -> list[str]:
        return [sys.executable, '-m', 'gunicorn', '--threads', '8',
                '--bind', f'{self.host}:{self.port}',
                '--no-control-socket', 'service.wsgi:application']


def children(pid: int) -> list[int]:
    """The child processes of a process, the oldest first."""
    return sorted(int(stat.parent.name)
                  for stat in Path('/proc').glob('[0-9]*/stat')
                  if _parent(stat) == pid)


def alive(pid: int) -> bool:
    """Whether the process is there, and not only waited for."""
    return _told(Path(f'/proc/{pid}/stat'))[0] not in 'ZX'


def _parent(stat: Path) -> int | None:
    """The parent in a process's stat file; None once the process is gone."""
    return int(_told(stat)[1]) or None


def _told(stat: Path) -> list[str]:
    """A process's state and all after it; it may be gone already."""
    try:
        return stat.read_text().rpartition(')')[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ['X', '0']
