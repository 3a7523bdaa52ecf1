# SPDX-License-Identifier: Apache-2.0
"""Who changes the schema does it alone: a second one waits its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Connection

#: How long somebody waits for a turn on MariaDB and MySQL, in seconds.
PATIENCE = 86400


@contextmanager
def alone(connection: Connection, what: str) -> Iterator[None]:
    """Wait until nobody else does ``what`` on this database.

    The turn ends with the block, or with the connection of who is killed. In
    SQLite a transaction that writes is alone already.
    """
    take, give = _TURN.get(connection.dialect.name, (_nothing, _nothing))
    take(connection, what)
    try:
        yield
    finally:
        give(connection, what)


def _nothing(connection: Connection, what: str) -> None:
    pass


def _take_postgresql(connection: Connection, what: str) -> None:
    """The locks are of one database; the transaction's end gives it back.
    """
    connection.execute(sa.text(
        'SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))'),
        {'name': f'pileus.{what}'})


#: The locks of the server are for all of its databases.
_NAME = "SHA1(CONCAT('pileus.', :name, '.', DATABASE()))"


def _take_mysql(connection: Connection, what: str) -> None:
    connection.execute(sa.text(f'SELECT GET_LOCK({_NAME}, {PATIENCE})'),
                       {'name': what})


def _give_mysql(connection: Connection, what: str) -> None:
    """The connection goes back to its pool, and would keep the lock."""
    if not connection.invalidated:
        connection.execute(sa.text(f'DO RELEASE_LOCK({_NAME})'),
                           {'name': what})


_Step = Callable[[Connection, str], None]
_TURN: Mapping[str, tuple[_Step, _Step]] = {
    'postgresql': (_take_postgresql, _nothing),
    'mysql': (_take_mysql, _give_mysql),
    'mariadb': (_take_mysql, _give_mysql)}
