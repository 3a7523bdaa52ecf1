# SPDX-License-Identifier: Apache-2.0
"""Who changes the schema does it alone: a second one waits its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.errors import StartError
from service.storage.database.failures import FAILURES

#: How long somebody waits for a turn on MariaDB and MySQL, in seconds.
LOCK_WAIT_SECONDS = 86400

_LOST = ('the turn to change the schema is lost, for the connection that kept '
         'it was ended; somebody else may change it now: run this again')


class SchemaLock(NamedTuple):
    """A turn somebody has, for as long as its connection lives."""

    connection: Connection
    name: str

    def check(self) -> None:
        """StartError unless it still stands: ask before each thing that may
        be done alone only."""
        is_held = _driver(self.connection).is_held
        try:
            stands = is_held(self.connection, self.name)
        except FAILURES as exc:
            raise StartError(_LOST) from exc
        if not stands:
            raise StartError(_LOST)


@contextmanager
def acquire(connection: Connection, name: str) -> Iterator[SchemaLock]:
    """Wait until nobody else does ``name`` on this database.

    The turn ends with the block, or with the connection of who is killed. In
    SQLite a transaction that writes is alone already.
    """
    kind = _driver(connection)
    kind.acquire(connection, name)
    try:
        yield SchemaLock(connection, name)
    finally:
        with suppress(*FAILURES):
            kind.release(connection, name)


def _nothing(connection: Connection, name: str) -> None:
    pass


def _always(connection: Connection, name: str) -> bool:
    return True


#: A session that keeps a turn says nothing for as long as a step takes; some
#: of these limits are of newer releases.
_UNLIMITED = (
    "SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN "
    "('idle_in_transaction_session_timeout', 'transaction_timeout')")


def _acquire_postgresql(connection: Connection, name: str) -> None:
    """The locks are of one database; the transaction's end gives it back.
    """
    connection.execute(sa.text(_UNLIMITED))
    connection.execute(sa.text(
        'SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))'),
        {'name': f'pileus.{name}'})


def _held_postgresql(connection: Connection, name: str) -> bool:
    """As long as there is an answer, there is the transaction."""
    return connection.scalar(sa.text('SELECT true')) is True


#: The locks of the server are for all of its databases.
_NAME = "SHA1(CONCAT('pileus.', :name, '.', DATABASE()))"

#: The limits of a session that says nothing, and the longest there may be.
_IDLE = {'wait_timeout': 31536000, 'idle_transaction_timeout': 0,
         'idle_readonly_transaction_timeout': 0,
         'idle_write_transaction_timeout': 0}


def _acquire_mysql(connection: Connection, name: str) -> None:
    """MySQL knows but the first of the limits."""
    for (variable, _) in connection.execute(sa.text(
            "SHOW VARIABLES WHERE variable_name = 'wait_timeout' "
            "OR variable_name LIKE 'idle%transaction_timeout'")).all():
        connection.execute(sa.text(
            f'SET SESSION {variable} = {_IDLE[variable]}'))
    got = connection.scalar(
        sa.text(f'SELECT GET_LOCK({_NAME}, {LOCK_WAIT_SECONDS})'),
        {'name': name})
    if got != 1:
        raise StartError(
            f'somebody else has been changing the schema for '
            f'{LOCK_WAIT_SECONDS} seconds' if got == 0 else
            'the server has ended the wait for the turn to change the schema')


def _held_mysql(connection: Connection, name: str) -> bool:
    return connection.scalar(
        sa.text(f'SELECT IS_USED_LOCK({_NAME}) = CONNECTION_ID()'),
        {'name': name}) == 1


def _release_mysql(connection: Connection, name: str) -> None:
    """The connection goes back to its pool, and would keep the lock."""
    if not connection.invalidated:
        connection.execute(sa.text(f'DO RELEASE_LOCK({_NAME})'),
                           {'name': name})


class _Driver(NamedTuple):
    """How a turn is taken, seen to stand and given back."""

    acquire: Callable[[Connection, str], None] = _nothing
    is_held: Callable[[Connection, str], bool] = _always
    release: Callable[[Connection, str], None] = _nothing


_MYSQL = _Driver(_acquire_mysql, _held_mysql, _release_mysql)
_DRIVERS: Mapping[str, _Driver] = {
    'sqlite': _Driver(), 'mysql': _MYSQL, 'mariadb': _MYSQL,
    'postgresql': _Driver(_acquire_postgresql, _held_postgresql)}


def _driver(connection: Connection) -> _Driver:
    return _DRIVERS[connection.dialect.name]
