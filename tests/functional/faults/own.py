# SPDX-License-Identifier: Apache-2.0
"""Database servers that a test can stop, pause and restart.

They run the programs of Debian's packages, keep their files in a temporary
directory and listen on a free loopback port. If the tests run as root, the
servers run as the user of the package, because PostgreSQL refuses root.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.functional.harness import databases
from tests.functional.harness.daemon import (
    WAIT_SECONDS,
    alive,
    children,
    free_port,
)


class DatabaseServer:
    """A database server; its programs run as ``user``."""

    user = ''
    scheme = ''
    home = ''
    #: Signals that stop it without losing a commit, the orderly one first. It
    #: closes its connections.
    endings = (signal.SIGINT, signal.SIGQUIT)

    def __init__(self) -> None:
        self.port = free_port()
        self.data = Path(tempfile.mkdtemp(prefix='pileus-'))
        if os.geteuid() == 0:
            shutil.chown(self.data, self.user)
        self._output = self.data / 'output'
        self._process: subprocess.Popen[bytes] | None = None
        self.make()
        self.start()

    def make(self) -> None:
        """Create its empty data directory."""
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    @property
    def url(self) -> sa.URL:
        """The URL of the database from which others are created."""
        return sa.make_url(f'{self.scheme}@127.0.0.1:{self.port}/{self.home}')

    def start(self) -> None:
        """Start the server, and wait until it answers."""
        user = self.user if os.geteuid() == 0 else None
        with self._output.open('ab') as output:
            self._process = subprocess.Popen(
                self.command(), stdout=output, stderr=output, user=user,
                stdin=subprocess.DEVNULL, extra_groups=user and [],
                group=user and pwd.getpwnam(user).pw_gid,
                env={'PATH': os.environ['PATH'], 'LC_ALL': 'C'})
        until(self._answers, lambda: self._output.read_text())

    def _answers(self) -> bool:
        assert not self.stopped, self._output.read_text()
        with (contextlib.suppress(sa.exc.OperationalError),
              self.connect(self.url)):
            return True
        return False

    @property
    def stopped(self) -> bool:
        return self._process is None or self._process.poll() is not None

    def stop(self, ending: signal.Signals | None = None) -> None:
        assert self._process
        self.resume()
        self._process.send_signal(ending or self.endings[0])
        self._process.wait(WAIT_SECONDS)

    def kill(self) -> None:
        """Kill all its processes at once.

        PostgreSQL does not start again while one process is left.
        """
        assert self._process
        processes = children(self._process.pid)
        self._send(signal.SIGKILL)
        self._process.wait(WAIT_SECONDS)
        until(lambda: not any(map(alive, processes)))

    def restart(self) -> None:
        self.stop()
        self.start()

    def pause(self) -> None:
        """Stop its processes; connections stay open without answers."""
        self._send(signal.SIGSTOP)

    def resume(self) -> None:
        if not self.stopped:
            self._send(signal.SIGCONT)

    def _send(self, number: int) -> None:
        assert self._process
        for pid in (self._process.pid, *children(self._process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def close(self) -> None:
        if not self.stopped:
            self.stop()
        shutil.rmtree(self.data)

    def database(self) -> sa.URL:
        """Create a database; return its URL."""
        name = f'pileus_{secrets.token_hex(6)}'
        with self.connect(self.url) as connection:
            connection.execute(sa.text(f'CREATE DATABASE {name}'))
        return self.url.set(database=name)

    def cut(self, url: sa.URL) -> None:
        """End all connections to a database."""
        databases.disconnect(url, self.url)

    @contextlib.contextmanager
    def connect(self, url: sa.URL) -> Iterator[sa.Connection]:
        """A connection of the test, separate from those of the service."""
        with sa.create_engine(url, isolation_level='AUTOCOMMIT',
                              poolclass=sa.NullPool).connect() as connection:
            yield connection


class PostgreSQL(DatabaseServer):

    user = 'postgres'
    scheme = 'postgresql+psycopg2://postgres'
    home = 'postgres'

    def make(self) -> None:
        self._run('initdb', '-A', 'trust', '-E', 'UTF8', '-U', 'postgres',
                  '-N', '-D', str(self.data / 'data'))

    def command(self) -> list[str]:
        return [self._program('postgres'), '-D', str(self.data / 'data'),
                '-h', '127.0.0.1', '-p', str(self.port), '-c', 'fsync=off',
                '-k', str(self.data)]

    def _program(self, name: str) -> str:
        programs = sorted(Path('/usr/lib/postgresql').glob(f'*/bin/{name}'))
        if not programs:
            pytest.skip('PostgreSQL is not installed (package postgresql)')
        return str(programs[-1])

    def _run(self, name: str, *words: str) -> None:
        user = self.user if os.geteuid() == 0 else None
        subprocess.run([self._program(name), *words], check=True, user=user,
                       capture_output=True, extra_groups=user and [],
                       group=user and pwd.getpwnam(user).pw_gid,
                       cwd=self.data)


class MariaDB(DatabaseServer):

    user = 'mysql'
    scheme = 'mysql+pymysql://root'
    home = 'mysql'
    endings = (signal.SIGTERM,)

    def make(self) -> None:
        if shutil.which('mariadb-install-db') is None:
            pytest.skip('MariaDB is not installed (package mariadb-server)')
        subprocess.run(
            ['mariadb-install-db', '--no-defaults', f'--user={self.user}',
             f'--datadir={self.data / "data"}', '--skip-test-db',
             '--auth-root-authentication-method=normal'],
            check=True, capture_output=True, cwd=self.data)

    def command(self) -> list[str]:
        program = shutil.which('mariadbd', path='/usr/sbin:/usr/libexec')
        assert program
        return [program, '--no-defaults', f'--datadir={self.data / "data"}',
                f'--port={self.port}', '--bind-address=127.0.0.1',
                f'--socket={self.data / "socket"}',
                f'--pid-file={self.data / "pid"}',
                '--innodb-flush-log-at-trx-commit=2',
                '--innodb-buffer-pool-size=64M']


KINDS: Mapping[str, type[DatabaseServer]] = {
    'postgresql': PostgreSQL, 'mysql': MariaDB}


def until(true: object, message: object = None,
          seconds: float = WAIT_SECONDS) -> None:
    """Wait until ``true()`` holds; fail with ``message()`` after a timeout."""
    assert callable(true)
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, message() if callable(message) else true
        time.sleep(0.02)
