# SPDX-License-Identifier: Apache-2.0
"""A lock of the database that lets one process at a time change the schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.errors import StartError
from service.storage.database.failures import FAILURES

#: How long MariaDB and MySQL wait for the lock.
LOCK_WAIT_SECONDS = 86400

_LOST = ('the schema lock is lost: the connection that held it was closed, '
         'and another process may be changing the schema now; run this '
         'command again')


class SchemaLock(NamedTuple):
    """A lock that is held for as long as its connection lives."""

    connection: Connection
    name: str

    def check(self) -> None:
        """Raise StartError unless the lock is still held.

        Call this before each action that no other process may interleave.
        """
        is_held = _driver(self.connection).is_held
        try:
            held = is_held(self.connection, self.name)
        except FAILURES as exc:
            raise StartError(_LOST) from exc
        if not held:
            raise StartError(_LOST)


@contextmanager
def acquire(connection: Connection, name: str) -> Iterator[SchemaLock]:
    """Hold the lock ``name`` of this database; wait until it is free.

    The lock is released at the end of the block, or when the connection of a
    killed process is closed. SQLite needs no lock: a transaction that writes
    is the only one.
    """
    driver = _driver(connection)
    driver.acquire(connection, name)
    try:
        yield SchemaLock(connection, name)
    finally:
        with suppress(*FAILURES):
            driver.release(connection, name)


def _nothing(connection: Connection, name: str) -> None:
    pass


def _always(connection: Connection, name: str) -> bool:
    return True


#: The session that holds the lock is idle while a step runs on another one;
#: these settings would end it. Some exist only in newer releases.
_UNLIMITED = (
    "SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN "
    "('idle_in_transaction_session_timeout', 'transaction_timeout')")


def _acquire_postgresql(connection: Connection, name: str) -> None:
    """Take an advisory lock, which belongs to one database and is released
    with the transaction."""
    connection.execute(sa.text(_UNLIMITED))
    connection.execute(sa.text(
        'SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))'),
        {'name': f'pileus.{name}'})


def _held_postgresql(connection: Connection, name: str) -> bool:
    """While the connection answers, its transaction holds the lock."""
    return connection.scalar(sa.text('SELECT true')) is True


#: GET_LOCK names are shared by all databases of a server.
_NAME = "SHA1(CONCAT('pileus.', :name, '.', DATABASE()))"

#: Timeouts that end an idle session, each with its largest value (0: none).
_IDLE = {'wait_timeout': 31536000, 'idle_transaction_timeout': 0,
         'idle_readonly_transaction_timeout': 0,
         'idle_write_transaction_timeout': 0}


def _acquire_mysql(connection: Connection, name: str) -> None:
    """Take a named lock. MySQL has only the first of the timeouts."""
    for (variable, _) in connection.execute(sa.text(
            "SHOW VARIABLES WHERE variable_name = 'wait_timeout' "
            "OR variable_name LIKE 'idle%transaction_timeout'")).all():
        connection.execute(sa.text(
            f'SET SESSION {variable} = {_IDLE[variable]}'))
    acquired = connection.scalar(
        sa.text(f'SELECT GET_LOCK({_NAME}, {LOCK_WAIT_SECONDS})'),
        {'name': name})
    if acquired != 1:
        raise StartError(
            f'another process has held the schema lock for '
            f'{LOCK_WAIT_SECONDS} seconds' if acquired == 0 else
            'the server ended the wait for the schema lock')


def _held_mysql(connection: Connection, name: str) -> bool:
    return connection.scalar(
        sa.text(f'SELECT IS_USED_LOCK({_NAME}) = CONNECTION_ID()'),
        {'name': name}) == 1


def _release_mysql(connection: Connection, name: str) -> None:
    """Release the lock, which would stay with the pooled connection."""
    if not connection.invalidated:
        connection.execute(sa.text(f'DO RELEASE_LOCK({_NAME})'),
                           {'name': name})


class _Driver(NamedTuple):
    """How one kind of database acquires, checks and releases the lock."""

    acquire: Callable[[Connection, str], None] = _nothing
    is_held: Callable[[Connection, str], bool] = _always
    release: Callable[[Connection, str], None] = _nothing


_MYSQL = _Driver(_acquire_mysql, _held_mysql, _release_mysql)
_DRIVERS: Mapping[str, _Driver] = {
    'sqlite': _Driver(), 'mysql': _MYSQL, 'mariadb': _MYSQL,
    'postgresql': _Driver(_acquire_postgresql, _held_postgresql)}


def _driver(connection: Connection) -> _Driver:
    return _DRIVERS[connection.dialect.name]
