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
PATIENCE = 86400

_LOST = ('the turn to change the schema is lost, for the connection that kept '
         'it was ended; somebody else may change it now: run this again')


class Turn(NamedTuple):
    """A turn somebody has, for as long as its connection lives."""

    connection: Connection
    what: str

    def stand(self) -> None:
        """StartError unless it still stands: ask before each thing that may
        be done alone only."""
        standing = _of(self.connection).standing
        try:
            stands = standing(self.connection, self.what)
        except FAILURES as exc:
            raise StartError(_LOST) from exc
        if not stands:
            raise StartError(_LOST)


@contextmanager
def alone(connection: Connection, what: str) -> Iterator[Turn]:
    """Wait until nobody else does ``what`` on this database.

    The turn ends with the block, or with the connection of who is killed. In
    SQLite a transaction that writes is alone already.
    """
    kind = _of(connection)
    kind.take(connection, what)
    try:
        yield Turn(connection, what)
    finally:
        with suppress(*FAILURES):
            kind.give(connection, what)


def _nothing(connection: Connection, what: str) -> None:
    pass


def _always(connection: Connection, what: str) -> bool:
    return True


#: A session that keeps a turn says nothing for as long as a step takes; some
#: of these limits are of newer releases.
_UNLIMITED = (
    "SELECT set_config(name, '0', true) FROM pg_settings WHERE name IN "
    "('idle_in_transaction_session_timeout', 'transaction_timeout')")


def _take_postgresql(connection: Connection, what: str) -> None:
    """The locks are of one database; the transaction's end gives it back.
    """
    connection.execute(sa.text(_UNLIMITED))
    connection.execute(sa.text(
        'SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))'),
        {'name': f'pileus.{what}'})


def _standing_postgresql(connection: Connection, what: str) -> bool:
    """As long as there is an answer, there is the transaction."""
    return connection.scalar(sa.text('SELECT true')) is True


#: The locks of the server are for all of its databases.
_NAME = "SHA1(CONCAT('pileus.', :name, '.', DATABASE()))"

#: The limits of a session that says nothing, and the longest there may be.
_IDLE = {'wait_timeout': 31536000, 'idle_transaction_timeout': 0,
         'idle_readonly_transaction_timeout': 0,
         'idle_write_transaction_timeout': 0}


def _take_mysql(connection: Connection, what: str) -> None:
    """MySQL knows but the first of the limits."""
    for (name, _) in connection.execute(sa.text(
            "SHOW VARIABLES WHERE variable_name = 'wait_timeout' "
            "OR variable_name LIKE 'idle%transaction_timeout'")).all():
        connection.execute(sa.text(f'SET SESSION {name} = {_IDLE[name]}'))
    got = connection.scalar(sa.text(f'SELECT GET_LOCK({_NAME}, {PATIENCE})'),
                            {'name': what})
    if got != 1:
        raise StartError(
            f'somebody else has been changing the schema for {PATIENCE} '
            f'seconds' if got == 0 else
            'the server has ended the wait for the turn to change the schema')


def _standing_mysql(connection: Connection, what: str) -> bool:
    return connection.scalar(
        sa.text(f'SELECT IS_USED_LOCK({_NAME}) = CONNECTION_ID()'),
        {'name': what}) == 1


def _give_mysql(connection: Connection, what: str) -> None:
    """The connection goes back to its pool, and would keep the lock."""
    if not connection.invalidated:
        connection.execute(sa.text(f'DO RELEASE_LOCK({_NAME})'),
                           {'name': what})


class _Kind(NamedTuple):
    """How a turn is taken, seen to stand and given back."""

    take: Callable[[Connection, str], None] = _nothing
    standing: Callable[[Connection, str], bool] = _always
    give: Callable[[Connection, str], None] = _nothing


_MYSQL = _Kind(_take_mysql, _standing_mysql, _give_mysql)
_KINDS: Mapping[str, _Kind] = {
    'sqlite': _Kind(), 'mysql': _MYSQL, 'mariadb': _MYSQL,
    'postgresql': _Kind(_take_postgresql, _standing_postgresql)}


def _of(connection: Connection) -> _Kind:
    return _KINDS[connection.dialect.name]
