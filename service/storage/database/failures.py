# SPDX-License-Identifier: Apache-2.0
"""What a failure of the database means: lost to other writers, who leave us
to try again, or lost altogether, until somebody sees to the database.

The databases' own codes are read, not only oslo.db's exceptions: it knows a
failure by its English text, and a server may speak another language.
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

#: Another transaction took the name or removed the target between our look
#: and our write. Run again, the look itself finds it and says so plainly.
#: Of two that wait for each other, one is undone.
_RACED = (db_exception.DBDuplicateEntry, db_exception.DBReferenceError,
          db_exception.DBDeadlock, ConcurrentWrite)

#: The same as PostgreSQL (by SQLSTATE) and MariaDB and MySQL have it:
#: serialization failure, deadlock, lock not available in time; duplicate,
#: foreign key, exclusion.
_RACED_CODES = frozenset({
    '40001', '40P01', '55P03', '23505', '23503', '23P01',
    1020, 1205, 1213, 1062, 1451, 1452})

#: The database cannot be reached, is full, locked or read-only, or is not the
#: one whose tables were looked at when this began, or others were faster each
#: time. A failure to connect reaches us as SQLAlchemy's own class.
_UNAVAILABLE = (db_exception.DBConnectionError, sa_exc.OperationalError,
                sa_exc.TimeoutError, db_exception.DBNonExistentDatabase,
                db_exception.DBNonExistentTable, db_exception.DBDeadlock,
                ConcurrentWrite)

#: The server only reads: it is a standby, or was made one.
_READ_ONLY = frozenset({'25006', 1290, 1792, 1836})

_NO_INDEX = 1176

#: The server only reads, and no such table.
_UNAVAILABLE_CODES = _READ_ONLY | {'42P01', 1146}

#: What any of it raises.
FAILURES = (errors.Unavailable, sa_exc.SQLAlchemyError, db_exception.DBError)

#: The codes PyMySQL has for what the server did not say.
_OUT_OF_REACH = range(2000, 3000)

#: The server says that it ends the connection. What became of a transaction
#: that was at its end it does not say: 08007 admits it.
_ENDED = frozenset({'57P01', '57P02', '57P03', '57P05', '08000', '08003',
                    '08006', '08007', 1053, 1317, 1927})


def is_race(exc: BaseException) -> bool:
    """Others were faster: run again, it may well be done."""
    return (isinstance(exc, _RACED) or sqlite.is_busy(exc)
            or _error_code(exc) in _RACED_CODES)


def connection_lost(exc: BaseException) -> bool:
    """The connection is gone; on another one it may well be done."""
    return isinstance(exc, db_exception.DBConnectionError)


def is_read_only(said: BaseException) -> bool:
    """The server has told its driver that it only reads."""
    return _driver_code(said) in _READ_ONLY


def commit_unknown(exc: BaseException) -> bool:
    """A commit that failed so may be done: the server did not refuse it."""
    return (connection_lost(exc) or _error_code(exc) in _ENDED
            or not (refused_by_server(exc) or is_race(exc)))


def no_such_index(exc: BaseException) -> bool:
    """MariaDB and MySQL were told to read by an index that is not there."""
    return _error_code(exc) == _NO_INDEX


@contextmanager
def translate_errors() -> Iterator[None]:
    """A database that cannot answer now is Unavailable."""
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
    """The database itself refused a statement; it was not out of reach."""
    said = exc.__cause__ if isinstance(exc, errors.Unavailable) else exc
    if said is None:
        return False
    code = _error_code(said)
    if isinstance(code, int):
        return code not in _OUT_OF_REACH
    return code is not None or sqlite.is_refused(said)


def _error_code(exc: BaseException) -> str | int | None:
    """The code that the database itself gave a failure, if any."""
    said = getattr(getattr(exc, 'inner_exception', exc), 'orig', None)
    return None if said is None else _driver_code(said)


def _driver_code(said: BaseException) -> str | int | None:
    state: str | None = getattr(said, 'pgcode', None)
    first = said.args[0] if said.args else None
    return state or (first if isinstance(first, int) else None)


def _unavailable(exc: BaseException) -> errors.Unavailable:
    LOG.error('The database is unavailable: %s', getattr(exc, 'orig', exc))
    return errors.Unavailable()
