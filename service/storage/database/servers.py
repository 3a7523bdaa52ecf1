# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL, MariaDB and MySQL: how a session with each of them is set up.

Whatever the server's own defaults are, a session is READ COMMITTED, its times
are UTC, and no statement of it waits without end: not for its result, nor for
a lock, nor for a server that was stopped and says nothing at all.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db.sqlalchemy import engines, exc_filters
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine

from service.config import files as config_files
from service.hosting import psycopg_timeout
from service.storage.database import failures

#: How long connections to a server that only reads are kept, in seconds.
_RENEW_SECONDS = 1.0

#: For how many seconds a connection that was used is thought to live.
_FRESH_SECONDS = 1.0

#: PostgreSQL's number of the type.
_UUID_OID = 2950

#: When a connection was opened, in the pool's notes on it.
_OPENED_KEY = 'pileus_opened'


def engine(url: sa.URL, conf: cfg.ConfigOpts, *, time_limits: bool) -> Engine:
    """Connections by oslo.db; ``time_limits`` ones have the time limits.

    What is not time_limits is a command, which holds a lock on one connection
    while it works on another, however few a worker may have.
    """
    options = conf.database
    made = engines.create_engine(
        _with_utf8mb4(url), max_retries=0, thread_checkin=False,
        max_pool_size=options.max_pool_size,
        max_overflow=options.max_overflow if time_limits else 10,
        pool_timeout=options.pool_timeout,
        connection_recycle_time=options.connection_recycle_time,
        connection_debug=options.connection_debug,
        connection_trace=options.connection_trace,
        connection_parameters=options.connection_parameters,
        mysql_sql_mode=options.mysql_sql_mode,
        mysql_wsrep_sync_wait=options.mysql_wsrep_sync_wait)
    _Session(made, conf, time_limits)
    _Liveness(made)
    _Standby(made)
    return made


def _with_utf8mb4(url: sa.URL) -> sa.URL:
    """oslo.db would talk to MariaDB and MySQL in letters of three bytes, in
    which there is no emoji and no rare Chinese character."""
    if (url.get_backend_name() not in ('mysql', 'mariadb')
            or 'charset' in url.query):
        return url
    return url.update_query_dict({'charset': 'utf8mb4'})


@contextlib.contextmanager
def autocommit(connection: Connection) -> Iterator[None]:
    """Each statement stands for itself, where that saves anything.

    PERF: under READ COMMITTED a transaction around what only reads is
    nothing, but PostgreSQL would be waited for at its begin and its end, too.
    PyMySQL says no BEGIN. It is psycopg2 that is told, and not SQLAlchemy,
    which would tell the server each time.
    """
    driver: Any = connection.connection.driver_connection
    if connection.dialect.driver != 'psycopg2':
        yield
        return
    driver.autocommit = True
    try:
        yield
    finally:
        if not driver.closed:
            driver.autocommit = False


class _Session:
    """What each new connection of an engine is told first."""

    def __init__(self, made: Engine, conf: cfg.ConfigOpts,
                 time_limits: bool) -> None:
        self._statement = conf.database.statement_timeout if time_limits else 0
        self._lock = conf.database.lock_timeout if time_limits else 0
        self._answer = config_files.answer_timeout(conf) if time_limits else 0
        dialect = made.dialect
        self._driver = dialect.driver
        self._opening = _CONNECT_OPTIONS.get(dialect.driver, _no_options)
        self._words = _SESSION_STATEMENTS[dialect.name]
        event.listen(made, 'do_connect', self.opening)
        event.listen(made, 'connect', self.opened)

    def opening(self, dialect: Any, record: Any, args: Any,
                options: dict[str, Any]) -> None:
        """The driver's own limits; what the URL says of them holds."""
        for name, value in self._opening(self._answer).items():
            options.setdefault(name, value)

    def opened(self, connection: Any, record: Any) -> None:
        if self._driver == 'psycopg2':
            _read_uuids_as_text(connection)
        words = self._words(connection, self._statement, self._lock)
        with connection.cursor() as cursor:
            for word in words:
                cursor.execute(word)
        # PostgreSQL takes a SET back with the transaction it stood in.
        connection.commit()


class _Liveness:
    """A connection that nobody used for a moment is asked whether it lives.

    PERF: oslo.db asks each time that one is taken, which for most reads is as
    long as the read. Of what was used just now it is found out by the work,
    which is run again then.
    """

    def __init__(self, made: Engine) -> None:
        self._asked = made.dialect.do_ping
        self._used: MutableMapping[Any, float] = WeakKeyDictionary()
        event.listen(made, 'checkin', self.used)
        made.dialect.do_ping = self.lives  # type: ignore[method-assign]

    def used(self, connection: Any, record: Any) -> None:
        """There is none where the server has ended it."""
        if connection is not None:
            self._used[connection] = time.monotonic()

    def lives(self, dbapi_connection: Any) -> bool:
        used = self._used.get(dbapi_connection, float('-inf'))
        return (time.monotonic() < used + _FRESH_SECONDS
                or self._asked(dbapi_connection))


class _Standby:
    """A server that was made a standby keeps its connections, and answers on
    them that it only reads.

    They are opened anew, for who is the primary now is found by connecting.
    Where that one only reads too, there is none: then it is left at that for
    a moment, or every write would open all connections again.
    """

    def __init__(self, made: Engine) -> None:
        self._renewed = float('-inf')
        event.listen(made, 'connect', self.opened)
        # oslo.db's comes after ours: it lets nobody have a word after it.
        event.remove(made, 'handle_error', exc_filters.handler)
        for one in (self.refused, exc_filters.handler):
            event.listen(made, 'handle_error', one, retval=True)

    def opened(self, connection: Any, record: Any) -> None:
        record.info[_OPENED_KEY] = time.monotonic()

    def refused(self, context: sa.ExceptionContext) -> None:
        """Such a connection is as good as broken."""
        if context.connection is None or not failures.is_read_only(
                context.original_exception):
            return
        now = time.monotonic()
        opened = context.connection.info.get(_OPENED_KEY, now)
        if opened < self._renewed or self._renewed < now - _RENEW_SECONDS:
            self._renewed = now
            context.is_disconnect = True


def _no_options(wait: float) -> Mapping[str, Any]:
    return {}


def _pymysql(wait: float) -> Mapping[str, Any]:
    made: dict[str, Any] = {'connect_timeout': psycopg_timeout.CONNECT_SECONDS}
    if wait:
        made |= {'read_timeout': wait, 'write_timeout': wait}
    return made


def _psycopg2(wait: float) -> Mapping[str, Any]:
    """Where requests are served, ``waiting`` has the limits."""
    return {'connect_timeout': psycopg_timeout.CONNECT_SECONDS}


_CONNECT_OPTIONS: Mapping[str, Callable[[float], Mapping[str, Any]]] = {
    'pymysql': _pymysql, 'psycopg2': _psycopg2}


def _read_uuids_as_text(connection: Any) -> None:
    """PERF: SQLAlchemy lets psycopg2 make a UUID of each id, of which we make
    a text again: a tenth of the time that a list takes."""
    from psycopg2 import extensions
    extensions.register_type(extensions.new_type(
        (_UUID_OID,), 'UUID', lambda text, cursor: text), connection)


def _postgresql(connection: Any, statement: float,
                lock: float) -> list[str]:
    settings = {'default_transaction_isolation': "'read committed'",
                'timezone': "'UTC'",
                'statement_timeout': int(statement * 1000),
                'lock_timeout': int(lock * 1000)}
    return ['; '.join(f'SET {name} = {value}'
                      for name, value in settings.items())]


def _mysql(connection: Any, statement: float, lock: float) -> list[str]:
    """MySQL stops only a SELECT that takes too long; MariaDB any statement.
    """
    settings: dict[str, object] = {}
    if lock:
        settings['innodb_lock_wait_timeout'] = max(1, round(lock))
        settings['lock_wait_timeout'] = max(1, round(lock))
    if is_mariadb(connection):
        settings['max_statement_time'] = statement
    else:
        settings['max_execution_time'] = int(statement * 1000)
    # READ COMMITTED: locks no gaps between rows, over which writers of
    # different records would deadlock.
    return ['SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
            'SET ' + ', '.join(f'SESSION {name} = {value}'
                               for name, value in settings.items())]


def is_mariadb(connection: Any) -> bool:
    """A driver's connection is to MariaDB, and not to MySQL."""
    return 'mariadb' in str(connection.get_server_info()).lower()


_SESSION_STATEMENTS: Mapping[str, Callable[[Any, float, float], list[str]]] = {
    'postgresql': _postgresql, 'mysql': _mysql, 'mariadb': _mysql}
