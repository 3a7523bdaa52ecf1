# SPDX-License-Identifier: Apache-2.0
"""SQLite: one file, shared by the green threads of several processes.

The engine is built here, with oslo.db's exception translation: oslo.db's own
engine has no pool for SQLite, and opening the file takes about 450 us where a
pooled connection takes 50 us.
"""

from __future__ import annotations

import os
import sqlite3
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db.sqlalchemy import exc_filters
from sqlalchemy import event
from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool, StaticPool

from service.config import files as config_files

#: How long SQLite waits for a writer of another process. The wait blocks the
#: whole thread, so it is short; the write is then retried.
_BUSY_SECONDS = 0.02

#: Key of the file of a connection, in the pool's record of it.
_FILE_KEY = 'pileus_file'

#: Execution option of transactions that write.
WRITES = 'pileus_writes'


def default_url(conf: cfg.ConfigOpts, *, create: bool = True) -> str:
    """Return the URL of a file in the state directory.

    With ``create`` the directory is created if it is missing.
    """
    directory = (config_files.state_path if create
                 else config_files.checked_state_path)(conf)
    return f'sqlite:///{os.path.join(directory, "pileus.sqlite")}'


def engine(url: sa.URL, conf: cfg.ConfigOpts) -> Engine:
    engine = sa.create_engine(
        url, poolclass=QueuePool, pool_size=conf.database.max_pool_size or 5,
        max_overflow=conf.database.max_overflow or 0,
        pool_timeout=conf.database.pool_timeout,
        connect_args={'check_same_thread': False, 'timeout': _BUSY_SECONDS,
                      'isolation_level': None})
    exc_filters.register_engine(engine)
    event.listen(engine, 'connect', _prepare)
    event.listen(engine, 'begin', _begin)
    file = _DatabaseFile(url.database or '')
    event.listen(engine, 'do_connect', file.before_connect)
    event.listen(engine, 'connect', file.after_connect)
    event.listen(engine, 'checkout', file.check)
    return engine


def read_only_engine(url: sa.URL, conf: cfg.ConfigOpts) -> Engine:
    """Return an engine that changes no file.

    If a start would create the file, the engine is that of an empty database
    in memory, on which the start can be tried.
    """
    path = (url.database or '').removeprefix('file:').partition('?')[0]
    engine = (sa.create_engine('sqlite://', poolclass=StaticPool)
              if _would_be_created(path, conf) else
              sa.create_engine(url, creator=lambda: _connect_read_only(path)))
    exc_filters.register_engine(engine)
    return engine


def _would_be_created(path: str, conf: cfg.ConfigOpts) -> bool:
    """Whether a start would create the file. It creates no directory except
    the state directory."""
    if os.path.exists(path):
        return os.path.getsize(path) == 0
    directory = os.path.dirname(path) or '.'
    if directory == config_files.planned_state_path(conf):
        while not os.path.exists(directory):
            directory = os.path.dirname(directory)
    return not path or os.access(directory, os.W_OK | os.X_OK)


def _connect_read_only(path: str) -> sqlite3.Connection:
    """Connect without creating the -shm and -wal files.

    SQLite would create them to read a file that no process has open.
    ``immutable`` prevents that; it requires that no process changes the file.
    """
    mode = 'mode=ro' if os.path.exists(f'{path}-wal') else 'immutable=1'
    return sqlite3.connect(f'file:{quote(path)}?{mode}', uri=True,
                           check_same_thread=False, isolation_level=None)


class _DatabaseFile:
    """Checks that the database file was not deleted, moved or replaced.

    SQLite continues on a deleted or moved file: it reports a write as stored
    although the data is lost when the process ends. A new file of the same
    name is another database.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._existed = False

    def before_connect(self, dialect: Any, record: Any, args: Any,
                       options: Any) -> None:
        """Raise if the file is gone; SQLite would create an empty one."""
        if self._existed and self._identity() is None:
            raise sqlite3.OperationalError(f'{self._path} is gone')

    def after_connect(self, connection: Any, record: Any) -> None:
        record.info[_FILE_KEY] = self._identity()
        self._existed = self._existed or record.info[_FILE_KEY] is not None

    def check(self, connection: Any, record: Any, pooled: Any) -> None:
        if record.info[_FILE_KEY] != self._identity():
            raise sa_exc.DisconnectionError(f'{self._path} is another file')

    def _identity(self) -> tuple[int, int] | None:
        """Return device and inode of the file, None if it does not exist."""
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_dev, status.st_ino


def _prepare(connection: sqlite3.Connection, record: Any) -> None:
    """Set up a connection. The first one of all switches the file to WAL;
    others wait for that for up to five seconds."""
    for pragma in ('busy_timeout = 5000', 'journal_mode = WAL',
                   f'busy_timeout = {int(_BUSY_SECONDS * 1000)}',
                   'synchronous = FULL', 'foreign_keys = ON',
                   'temp_store = MEMORY'):
        connection.execute(f'PRAGMA {pragma}')


def _begin(connection: Connection) -> None:
    """Let a write take the lock at its start; a read needs no transaction.

    A transaction that starts with a read and then writes fails if another
    writer commits in between.
    """
    if connection.get_execution_options().get(WRITES):
        connection.exec_driver_sql('BEGIN IMMEDIATE')


def is_busy(exc: BaseException) -> bool:
    """Whether another process holds the write lock."""
    return (isinstance(exc, sa_exc.OperationalError)
            and 'database is locked' in str(exc.orig))


def is_damaged(exc: BaseException) -> bool:
    """Whether the file is corrupt or not a SQLite database."""
    error = getattr(getattr(exc, 'inner_exception', None), 'orig', None)
    return type(error) is sqlite3.DatabaseError


def is_refused(exc: BaseException) -> bool:
    """Whether SQLite itself refused a statement."""
    error = getattr(exc, 'inner_exception', exc)
    return isinstance(getattr(error, 'orig', None), sqlite3.Error)
