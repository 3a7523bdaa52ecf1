# SPDX-License-Identifier: Apache-2.0
"""SQLite, in one file, under the green threads of several processes.

oslo.db gives it no pool, so that each call would open the file anew (about
450 us against 50): it is connected here, with oslo.db's exception
translation.
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

#: How long SQLite itself may wait for a writer of another process, in
#: seconds. It blocks the whole thread, so it is short; who writes tries anew.
_BUSY_SECONDS = 0.02

#: Which file a connection is to, in the pool's notes on it.
_FILE_KEY = 'pileus_file'

#: Execution option: this transaction writes.
WRITES = 'pileus_writes'


def default_url(conf: cfg.ConfigOpts, *, make: bool = True) -> str:
    """In the state directory, which is made unless it need not be."""
    there = (config_files.state_path if make
             else config_files.checked_state_path)(conf)
    return f'sqlite:///{os.path.join(there, "pileus.sqlite")}'


def engine(url: sa.URL, conf: cfg.ConfigOpts) -> Engine:
    made = sa.create_engine(
        url, poolclass=QueuePool, pool_size=conf.database.max_pool_size or 5,
        max_overflow=conf.database.max_overflow or 0,
        pool_timeout=conf.database.pool_timeout,
        connect_args={'check_same_thread': False, 'timeout': _BUSY_SECONDS,
                      'isolation_level': None})
    exc_filters.register_engine(made)
    event.listen(made, 'connect', _prepare)
    event.listen(made, 'begin', _begin)
    file = _DatabaseFile(url.database or '')
    event.listen(made, 'do_connect', file.opening)
    event.listen(made, 'connect', file.opened)
    event.listen(made, 'checkout', file.check)
    return made


def read_only_engine(url: sa.URL, conf: cfg.ConfigOpts) -> Engine:
    """An engine that changes no file; where there is none yet, that of an
    empty database in memory, for a start to be tried on."""
    path = (url.database or '').removeprefix('file:').partition('?')[0]
    made = (sa.create_engine('sqlite://', poolclass=StaticPool)
            if _would_be_created(path, conf) else
            sa.create_engine(url, creator=lambda: _connect_read_only(path)))
    exc_filters.register_engine(made)
    return made


def _would_be_created(path: str, conf: cfg.ConfigOpts) -> bool:
    """A start would make the file; it makes no directory but its own."""
    if os.path.exists(path):
        return os.path.getsize(path) == 0
    there = os.path.dirname(path) or '.'
    if there == config_files.planned_state_path(conf):
        while not os.path.exists(there):
            there = os.path.dirname(there)
    return not path or os.access(there, os.W_OK | os.X_OK)


def _connect_read_only(path: str) -> sqlite3.Connection:
    """Where nobody has the file open, SQLite would make one beside it to read
    it, unless it is told that nobody changes it meanwhile."""
    how = 'mode=ro' if os.path.exists(f'{path}-wal') else 'immutable=1'
    return sqlite3.connect(f'file:{quote(path)}?{how}', uri=True,
                           check_same_thread=False, isolation_level=None)


class _DatabaseFile:
    """The file of a SQLite database, which has to stay where it is.

    SQLite goes on with a file that was deleted or moved away: it answers that
    a write is kept, and what it keeps is gone with the process. A file of the
    name that was not there at first is another database.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._known = False

    def opening(self, dialect: Any, record: Any, args: Any,
                options: Any) -> None:
        """SQLite would make an empty file in the place of one that is gone.
        """
        if self._known and self._now() is None:
            raise sqlite3.OperationalError(f'{self._path} is gone')

    def opened(self, connection: Any, record: Any) -> None:
        record.info[_FILE_KEY] = self._now()
        self._known = self._known or record.info[_FILE_KEY] is not None

    def check(self, connection: Any, record: Any, pooled: Any) -> None:
        if record.info[_FILE_KEY] != self._now():
            raise sa_exc.DisconnectionError(f'{self._path} is another file')

    def _now(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _prepare(connection: sqlite3.Connection, record: Any) -> None:
    """The first connection of all makes the file WAL; others may wait."""
    for pragma in ('busy_timeout = 5000', 'journal_mode = WAL',
                   f'busy_timeout = {int(_BUSY_SECONDS * 1000)}',
                   'synchronous = FULL', 'foreign_keys = ON',
                   'temp_store = MEMORY'):
        connection.execute(f'PRAGMA {pragma}')


def _begin(connection: Connection) -> None:
    """A write takes the lock at once; a read needs no transaction.

    A transaction that began as a read and then wrote could only fail when
    another writer came between.
    """
    if connection.get_execution_options().get(WRITES):
        connection.exec_driver_sql('BEGIN IMMEDIATE')


def is_busy(exc: BaseException) -> bool:
    """Another process holds the write lock."""
    return (isinstance(exc, sa_exc.OperationalError)
            and 'database is locked' in str(exc.orig))


def is_damaged(exc: BaseException) -> bool:
    """The file is no database, or not all of one any more."""
    said = getattr(getattr(exc, 'inner_exception', None), 'orig', None)
    return type(said) is sqlite3.DatabaseError


def is_refused(exc: BaseException) -> bool:
    """SQLite itself said no to a statement."""
    said = getattr(exc, 'inner_exception', exc)
    return isinstance(getattr(said, 'orig', None), sqlite3.Error)
