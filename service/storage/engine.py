# SPDX-License-Identifier: Apache-2.0
"""Connect, and one transaction a call.

oslo.db gives SQLite no pool, so that each call would open the file anew (about
450 us against 50): SQLite is connected here, with oslo.db's exception
translation. Any other database is connected by oslo.db.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import api as db_api
from oslo_db import exception as db_exception
from oslo_db.sqlalchemy import engines, exc_filters
from sqlalchemy import event
from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import QueuePool

from service import config, failpoints
from service.domain import errors
from service.domain.store import Raced
from service.errors import StartError

LOG = logging.getLogger(__name__)
T = TypeVar('T')

#: How long SQLite itself may wait for a writer of another process, in
#: seconds. It blocks the whole thread, so it is short; ``_RETRY`` waits on.
_SQLITE_BUSY = 0.02

#: Which file a connection is to, in the pool's notes on it.
_FILE = 'pileus_file'

#: Execution option: this transaction writes.
_WRITES = 'pileus_writes'


def connect(conf: cfg.ConfigOpts) -> Engine:
    """An engine for ``[database] connection``; nothing connects yet."""
    url = conf.database.connection or _default_url(conf)
    try:
        parsed = sa.make_url(url)
    except sa_exc.ArgumentError as exc:
        raise StartError(
            '[database] connection is not a database URL such as '
            'sqlite:////var/lib/pileus/pileus.sqlite') from exc
    sqlite = parsed.get_backend_name() == 'sqlite'
    made = _sqlite(parsed, conf) if sqlite else _other(parsed, conf)
    # SECURITY: an error in the log would else show what a client sent.
    made.hide_parameters = True
    return made


def _other(parsed: sa.URL, conf: cfg.ConfigOpts) -> Engine:
    return engines.create_engine(
        _with_every_letter(parsed), max_pool_size=conf.database.max_pool_size,
        max_overflow=conf.database.max_overflow,
        pool_timeout=conf.database.pool_timeout or 5,
        connection_recycle_time=conf.database.connection_recycle_time)


def _with_every_letter(url: sa.URL) -> sa.URL:
    """oslo.db would talk to MariaDB and MySQL in letters of three bytes, in
    which there is no emoji and no rare Chinese character."""
    if (url.get_backend_name() not in ('mysql', 'mariadb')
            or 'charset' in url.query):
        return url
    return url.update_query_dict({'charset': 'utf8mb4'})


def _default_url(conf: cfg.ConfigOpts) -> str:
    path = os.path.join(config.state_path(conf), 'pileus.sqlite')
    return f'sqlite:///{path}'


def _sqlite(url: sa.URL, conf: cfg.ConfigOpts) -> Engine:
    engine = sa.create_engine(
        url, poolclass=QueuePool, pool_size=conf.database.max_pool_size or 5,
        max_overflow=conf.database.max_overflow or 0, pool_timeout=5,
        connect_args={'check_same_thread': False, 'timeout': _SQLITE_BUSY,
                      'isolation_level': None})
    exc_filters.register_engine(engine)
    event.listen(engine, 'connect', _prepare_sqlite)
    event.listen(engine, 'begin', _begin_sqlite)
    file = _File(url.database or '')
    event.listen(engine, 'do_connect', file.opening)
    event.listen(engine, 'connect', file.opened)
    event.listen(engine, 'checkout', file.check)
    return engine


class _File:
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
        record.info[_FILE] = self._now()
        self._known = self._known or record.info[_FILE] is not None

    def check(self, connection: Any, record: Any, pooled: Any) -> None:
        if record.info[_FILE] != self._now():
            raise sa_exc.DisconnectionError(f'{self._path} is another file')

    def _now(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino


def _prepare_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    """The first connection of all makes the file WAL; others may wait."""
    for pragma in ('busy_timeout = 5000', 'journal_mode = WAL',
                   f'busy_timeout = {int(_SQLITE_BUSY * 1000)}',
                   'synchronous = FULL', 'foreign_keys = ON',
                   'temp_store = MEMORY'):
        connection.execute(f'PRAGMA {pragma}')


def _begin_sqlite(connection: Connection) -> None:
    """A write takes the lock at once; a read needs no transaction.

    A transaction that began as a read and then wrote could only fail when
    another writer came between.
    """
    if connection.get_execution_options().get(_WRITES):
        connection.exec_driver_sql('BEGIN IMMEDIATE')


def writer(engine: Engine) -> Engine:
    """The same engine, whose transactions write."""
    return engine.execution_options(**{_WRITES: True})


class Transactions:
    """Runs work on a connection: reads side by side, writes retried.

    On SQLite a process writes one at a time: a green thread that waited for
    another's transaction inside SQLite would stop the whole worker, the other
    one included.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._writer = writer(engine)
        self._turn: AbstractContextManager[Any] = (
            threading.Lock() if engine.dialect.name == 'sqlite'
            else nullcontext())
        self._retried = db_api.wrap_db_retry(
            max_retries=25, retry_interval=0.005, inc_retry_interval=True,
            max_retry_interval=0.4, retry_on_deadlock=True, jitter=True,
            exception_checker=_again)

    def read(self, work: Callable[[Connection], T]) -> T:
        with _told(), self._engine.connect() as connection:
            return work(connection)

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in one transaction; again, whole, if it was raced.

        ``work`` must bear being run twice: it may change only the database.
        """
        with _told():
            done = self._retried(self._write_once)(work)
        failpoints.reach('after_commit_before_reply')
        return done

    def _write_once(self, work: Callable[[Connection], T]) -> T:
        with self._turn, self._writer.begin() as connection:
            done = work(connection)
            failpoints.reach('before_commit')
            return done


#: The database cannot be reached, is full, locked or read-only, or is not the
#: one whose tables were looked at when this began, or others were faster each
#: time. A failure to connect reaches us as SQLAlchemy's own class.
_UNAVAILABLE = (db_exception.DBConnectionError, sa_exc.OperationalError,
                sa_exc.TimeoutError, db_exception.DBNonExistentDatabase,
                db_exception.DBNonExistentTable, db_exception.DBDeadlock,
                Raced)


#: Another transaction took the name or removed the target between our look
#: and our write. Run again, the look itself finds it and says so plainly.
_RACED = (db_exception.DBDuplicateEntry, db_exception.DBReferenceError,
          Raced)


def _again(exc: BaseException) -> bool:
    return isinstance(exc, _RACED) or _busy(exc)


def _busy(exc: BaseException) -> bool:
    """Another process holds SQLite's write lock."""
    return (isinstance(exc, sa_exc.OperationalError)
            and 'database is locked' in str(exc.orig))


@contextmanager
def _told() -> Iterator[None]:
    """A database that cannot answer now is Unavailable."""
    try:
        yield
    except _UNAVAILABLE as exc:
        raise _unavailable(exc) from exc
    except db_exception.DBError as exc:
        if not _damaged(exc):
            raise
        raise _unavailable(exc) from exc


def _damaged(exc: db_exception.DBError) -> bool:
    """SQLite's file is no database, or not all of one any more."""
    said = getattr(exc.inner_exception, 'orig', None)
    return type(said) is sqlite3.DatabaseError


#: What a database raises that a start cannot go on with.
FAILURES = (errors.Unavailable, sa_exc.SQLAlchemyError, db_exception.DBError)


def unusable(engine: Engine, exc: BaseException) -> StartError:
    """Why the service cannot start on this database, as its driver has it."""
    where = engine.url.render_as_string(hide_password=True)
    said = exc.__cause__ if isinstance(exc, errors.Unavailable) else exc
    reason = ' '.join(str(getattr(said, 'orig', None) or said).split())
    return StartError(f'[database] connection: {where} cannot be used: '
                      f'{reason}')


def _unavailable(exc: BaseException) -> errors.Unavailable:
    LOG.error('The database is unavailable: %s', getattr(exc, 'orig', exc))
    return errors.Unavailable()
