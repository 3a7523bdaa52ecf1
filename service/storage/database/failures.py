# SPDX-License-Identifier: Apache-2.0
"""Interpret errors of the database: lost a race, or unavailable.

A write that lost a race with another transaction is repeated. Errors that
an operator has to deal with become Unavailable.

The databases' own error codes are read in addition to oslo.db's exceptions:
oslo.db recognizes errors by their English text, and a server may be set to
another language.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from oslo_db import exception as db_exception
from sqlalchemy import exc as sa_exc

from service.domain import errors
from service.domain.records.store import ConcurrentWrite
from service.storage.database import sqlite

LOG = logging.getLogger(__name__)

#: Another transaction took the name or deleted the referred record between
#: the check and the write, or was the other party of a deadlock. The check of
#: the repeated write finds the other's row and raises the proper error.
_RACED = (db_exception.DBDuplicateEntry, db_exception.DBReferenceError,
          db_exception.DBDeadlock, ConcurrentWrite)

#: The same errors as codes of PostgreSQL (SQLSTATE), MariaDB and MySQL:
#: serialization failure, deadlock, lock timeout; duplicate key, foreign key,
#: exclusion constraint.
_RACED_CODES = frozenset({
    '40001', '40P01', '55P03', '23505', '23503', '23P01',
    1020, 1205, 1213, 1062, 1451, 1452})

#: The database is unreachable, full, locked or read-only, its tables are not
#: those found at the start, or a write lost every race. A failure to connect
#: arrives as SQLAlchemy's own class.
_UNAVAILABLE = (db_exception.DBConnectionError, sa_exc.OperationalError,
                sa_exc.TimeoutError, db_exception.DBNonExistentDatabase,
                db_exception.DBNonExistentTable, db_exception.DBDeadlock,
                ConcurrentWrite)

#: The server is read-only: it is a standby, or has become one.
_READ_ONLY = frozenset({'25006', 1290, 1792, 1836})

#: The index named in FORCE INDEX does not exist.
_NO_INDEX = 1176

#: The server is read-only, or a table does not exist.
_UNAVAILABLE_CODES = _READ_ONLY | {'42P01', 1146}

#: Every exception that a database error may arrive as.
FAILURES = (errors.Unavailable, sa_exc.SQLAlchemyError, db_exception.DBError)

#: PyMySQL's client error codes; a server does not send them.
_CLIENT_CODES = range(2000, 3000)

#: The server announces that it closes the connection. Whether a transaction
#: that was being committed was stored remains open; 08007 says so itself.
_CLOSED = frozenset({'57P01', '57P02', '57P03', '57P05', '08000', '08003',
                     '08006', '08007', 1053, 1317, 1927})


def is_race(exc: BaseException) -> bool:
    """Whether another transaction was faster, so that a retry may succeed."""
    return (isinstance(exc, _RACED) or sqlite.is_busy(exc)
            or _error_code(exc) in _RACED_CODES)


def connection_lost(exc: BaseException) -> bool:
    """Whether the connection broke, so that another one may succeed."""
    return isinstance(exc, db_exception.DBConnectionError)


def is_read_only(driver_error: BaseException) -> bool:
    """Whether the server answered that it is read-only."""
    return _driver_code(driver_error) in _READ_ONLY


def commit_unknown(exc: BaseException) -> bool:
    """Whether a commit that failed like this may have been carried out."""
    return (connection_lost(exc) or _error_code(exc) in _CLOSED
            or not (refused_by_server(exc) or is_race(exc)))


def no_such_index(exc: BaseException) -> bool:
    """Whether the index of a FORCE INDEX does not exist (MariaDB, MySQL)."""
    return _error_code(exc) == _NO_INDEX


@contextmanager
def translate_errors() -> Iterator[None]:
    """Raise Unavailable for errors that an operator has to deal with."""
    try:
        yield
    except _UNAVAILABLE as exc:
        raise _unavailable(exc) from exc
    except (db_exception.DBError, sa_exc.DBAPIError) as exc:
        if not (sqlite.is_damaged(exc)
                or _error_code(exc) in _UNAVAILABLE_CODES):
            raise
        raise _unavailable(exc) from exc


def refused_by_server(exc: BaseException) -> bool:
    """Whether the database was reached and refused a statement."""
    cause = exc.__cause__ if isinstance(exc, errors.Unavailable) else exc
    if cause is None:
        return False
    code = _error_code(cause)
    if isinstance(code, int):
        return code not in _CLIENT_CODES
    return code is not None or sqlite.is_refused(cause)


def _error_code(exc: BaseException) -> str | int | None:
    """Return the code that the database itself gave an error, if any."""
    error = getattr(getattr(exc, 'inner_exception', exc), 'orig', None)
    return None if error is None else _driver_code(error)


def _driver_code(error: BaseException) -> str | int | None:
    state: str | None = getattr(error, 'pgcode', None)
    first = error.args[0] if error.args else None
    return state or (first if isinstance(first, int) else None)


def _unavailable(exc: BaseException) -> errors.Unavailable:
    LOG.error('The database is unavailable: %s', getattr(exc, 'orig', exc))
    return errors.Unavailable()
