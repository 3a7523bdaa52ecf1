# SPDX-License-Identifier: Apache-2.0
"""PostgreSQL, MariaDB and MySQL: engines and the settings of their sessions.

Whatever the defaults of the server are, a session uses READ COMMITTED and UTC,
and each statement has time limits: for its result, for locks, and for a server
that has stopped answering altogether.
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

#: Minimum time between two replacements of all connections to a read-only
#: server.
_RENEW_SECONDS = 1.0

#: How long after its last use a connection is assumed to be alive.
_FRESH_SECONDS = 1.0

#: PostgreSQL's type number of uuid.
_UUID_OID = 2950

#: Key of the time a connection was opened, in the pool's record of it.
_OPENED_KEY = 'pileus_opened'


def engine(url: sa.URL, conf: cfg.ConfigOpts, *, time_limits: bool) -> Engine:
    """Return an engine made by oslo.db.

    Without ``time_limits`` the engine is a command's. A command holds a lock
    on one connection and works on another, so it gets extra connections even
    where a worker is configured to have one.
    """
    options = conf.database
    engine = engines.create_engine(
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
    _Session(engine, conf, time_limits)
    _Liveness(engine)
    _Standby(engine)
    return engine


def _with_utf8mb4(url: sa.URL) -> sa.URL:
    """Set the character set of MariaDB and MySQL connections.

    oslo.db's default, three-byte utf8, has no emoji and lacks rare Chinese
    characters.
    """
    if (url.get_backend_name() not in ('mysql', 'mariadb')
            or 'charset' in url.query):
        return url
    return url.update_query_dict({'charset': 'utf8mb4'})


@contextlib.contextmanager
def autocommit(connection: Connection) -> Iterator[None]:
    """Run read statements without a transaction on PostgreSQL.

    PERF: under READ COMMITTED a transaction adds nothing to reads, but its
    BEGIN and its end cost a round trip each. PyMySQL sends no BEGIN. The
    setting is made in psycopg2: SQLAlchemy's isolation_level would send a
    statement to the server each time.
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
    """Sets up each new connection of an engine; 0 seconds is no limit."""

    def __init__(self, engine: Engine, conf: cfg.ConfigOpts,
                 time_limits: bool) -> None:
        self._statement_seconds = (
            conf.database.statement_timeout if time_limits else 0)
        self._lock_seconds = conf.database.lock_timeout if time_limits else 0
        self._answer_seconds = (
            config_files.answer_timeout(conf) if time_limits else 0)
        dialect = engine.dialect
        self._driver = dialect.driver
        self._connect_options = _CONNECT_OPTIONS.get(dialect.driver,
                                                     _no_options)
        self._statements = _SESSION_STATEMENTS[dialect.name]
        event.listen(engine, 'do_connect', self.before_connect)
        event.listen(engine, 'connect', self.after_connect)

    def before_connect(self, dialect: Any, record: Any, args: Any,
                       options: dict[str, Any]) -> None:
        """Set the driver's time limits, unless the URL sets them."""
        for name, value in self._connect_options(
                self._answer_seconds).items():
            options.setdefault(name, value)

    def after_connect(self, connection: Any, record: Any) -> None:
        if self._driver == 'psycopg2':
            _read_uuids_as_text(connection)
        statements = self._statements(
            connection, self._statement_seconds, self._lock_seconds)
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        # PostgreSQL reverts a SET if its transaction is rolled back.
        connection.commit()


class _Liveness:
    """Pings a pooled connection before use, unless it was just used.

    PERF: oslo.db pings at each checkout, which takes as long as most reads.
    If a connection broke right after its last use, the next transaction
    notices and is run again.
    """

    def __init__(self, engine: Engine) -> None:
        self._ping = engine.dialect.do_ping
        self._used_at: MutableMapping[Any, float] = WeakKeyDictionary()
        event.listen(engine, 'checkin', self.note_use)
        engine.dialect.do_ping = self.is_alive  # type: ignore[method-assign]

    def note_use(self, connection: Any, record: Any) -> None:
        """``connection`` is None if the server has closed it."""
        if connection is not None:
            self._used_at[connection] = time.monotonic()

    def is_alive(self, dbapi_connection: Any) -> bool:
        used_at = self._used_at.get(dbapi_connection, float('-inf'))
        return (time.monotonic() < used_at + _FRESH_SECONDS
                or self._ping(dbapi_connection))


class _Standby:
    """Replaces the connections to a server that has become a standby.

    A primary that becomes a standby keeps its connections and refuses writes
    on them. The connections are opened again, because connecting finds the
    new primary. If the new connections are read-only too, there is no
    primary: then they are kept for ``_RENEW_SECONDS``, or every write would
    open all of them again.
    """

    def __init__(self, engine: Engine) -> None:
        self._renewed_at = float('-inf')
        event.listen(engine, 'connect', self.note_connect)
        # oslo.db's handler must come second: it raises, so no later handler
        # would run.
        event.remove(engine, 'handle_error', exc_filters.handler)
        for handler in (self.renew_if_read_only, exc_filters.handler):
            event.listen(engine, 'handle_error', handler, retval=True)

    def note_connect(self, connection: Any, record: Any) -> None:
        record.info[_OPENED_KEY] = time.monotonic()

    def renew_if_read_only(self, context: sa.ExceptionContext) -> None:
        """Let the pool discard all connections opened before now."""
        if context.connection is None or not failures.is_read_only(
                context.original_exception):
            return
        now = time.monotonic()
        opened_at = context.connection.info.get(_OPENED_KEY, now)
        if (opened_at < self._renewed_at
                or self._renewed_at < now - _RENEW_SECONDS):
            self._renewed_at = now
            context.is_disconnect = True


def _no_options(answer_seconds: float) -> Mapping[str, Any]:
    return {}


def _pymysql(answer_seconds: float) -> Mapping[str, Any]:
    options: dict[str, Any] = {
        'connect_timeout': psycopg_timeout.CONNECT_SECONDS}
    if answer_seconds:
        options |= {'read_timeout': answer_seconds,
                    'write_timeout': answer_seconds}
    return options


def _psycopg2(answer_seconds: float) -> Mapping[str, Any]:
    """psycopg2 has no such timeout; ``hosting.psycopg_timeout`` provides it.
    """
    return {'connect_timeout': psycopg_timeout.CONNECT_SECONDS}


_CONNECT_OPTIONS: Mapping[str, Callable[[float], Mapping[str, Any]]] = {
    'pymysql': _pymysql, 'psycopg2': _psycopg2}


def _read_uuids_as_text(connection: Any) -> None:
    """Let psycopg2 return ids as text.

    PERF: SQLAlchemy makes it return UUID objects, which then become text
    again; that takes a tenth of the time of a list.
    """
    from psycopg2 import extensions
    extensions.register_type(extensions.new_type(
        (_UUID_OID,), 'UUID', lambda text, cursor: text), connection)


def _postgresql(connection: Any, statement_seconds: float,
                lock_seconds: float) -> list[str]:
    settings = {'default_transaction_isolation': "'read committed'",
                'timezone': "'UTC'",
                'statement_timeout': int(statement_seconds * 1000),
                'lock_timeout': int(lock_seconds * 1000)}
    return ['; '.join(f'SET {name} = {value}'
                      for name, value in settings.items())]


def _mysql(connection: Any, statement_seconds: float,
           lock_seconds: float) -> list[str]:
    """MariaDB limits the time of any statement, MySQL only of a SELECT."""
    settings: dict[str, object] = {}
    if lock_seconds:
        settings['innodb_lock_wait_timeout'] = max(1, round(lock_seconds))
        settings['lock_wait_timeout'] = max(1, round(lock_seconds))
    if is_mariadb(connection):
        settings['max_statement_time'] = statement_seconds
    else:
        settings['max_execution_time'] = int(statement_seconds * 1000)
    # READ COMMITTED locks no gaps between rows; with gap locks, writers of
    # different records would deadlock.
    return ['SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
            'SET ' + ', '.join(f'SESSION {name} = {value}'
                               for name, value in settings.items())]


def is_mariadb(connection: Any) -> bool:
    """Whether a driver's connection is to MariaDB rather than MySQL."""
    return 'mariadb' in str(connection.get_server_info()).lower()


_SESSION_STATEMENTS: Mapping[str, Callable[[Any, float, float], list[str]]] = {
    'postgresql': _postgresql, 'mysql': _mysql, 'mariadb': _mysql}
