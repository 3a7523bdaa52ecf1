# SPDX-License-Identifier: Apache-2.0
"""Databases for tests: each test creates its own and drops it at its end.

PILEUS_TEST_DATABASE is the backend of the functional tests: sqlite (the
default, needs no server), postgresql or mysql. PILEUS_TEST_POSTGRESQL and
PILEUS_TEST_MYSQL are URLs of an existing database on the server, through
which the tests create others. A test is skipped if its server does not
answer. It fails instead if PILEUS_TEST_REQUIRE lists the backend, so that a
gate without a server does not pass.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import sqlalchemy as sa


class DatabaseServer(NamedTuple):
    """A server's URL, and how to end connections to a database on it.

    ``variable`` is the environment variable with the URL, ``default`` the
    URL without it. ``disconnects`` selects the statements that end the
    connections to the database ``:name``.
    """

    variable: str
    default: str
    disconnects: str

    @property
    def url(self) -> sa.URL:
        return sa.make_url(os.environ.get(self.variable, self.default))


SERVERS = {
    'postgresql': DatabaseServer(
        'PILEUS_TEST_POSTGRESQL',
        'postgresql+psycopg2://postgres@127.0.0.1/test',
        'SELECT format(\'SELECT pg_terminate_backend(%s)\', pid) '
        'FROM pg_stat_activity WHERE datname = :name'),
    'mysql': DatabaseServer(
        'PILEUS_TEST_MYSQL', 'mysql+pymysql://root@127.0.0.1/test',
        'SELECT CONCAT(\'KILL \', id) FROM information_schema.processlist '
        'WHERE db = :name'),
}

#: Backend of this run of the functional tests.
BACKEND = os.environ.get('PILEUS_TEST_DATABASE', 'sqlite')

#: The databases of each open scope, the outermost scope first.
_scopes: list[list[sa.URL]] = []


def create_chosen() -> str | None:
    """Create a database on the chosen backend and return its URL.

    Return None for SQLite, where the service creates the file.
    """
    return None if BACKEND == 'sqlite' else config_url(create(BACKEND))


def config_url(url: sa.URL) -> str:
    """Return the URL as pileus.conf has it, with its password."""
    return url.render_as_string(hide_password=False)


def create(backend: str) -> sa.URL:
    """Create a database that is dropped when the innermost scope ends.

    Skip or fail the test if no server answers.
    """
    server = SERVERS[backend]
    name = f'pileus_{secrets.token_hex(6)}'
    try:
        with _connect(server.url) as connection:
            connection.execute(sa.text(f'CREATE DATABASE {name}'))
    except sa.exc.OperationalError:
        required = os.environ.get('PILEUS_TEST_REQUIRE', '').split(',')
        (pytest.fail if backend in required else pytest.skip)(
            f'no database server answers at {server.url!r}; set '
            f'{server.variable} to the URL of a database on a running server')
    url = server.url.set(database=name)
    _scopes[-1].append(url)
    return url


@contextlib.contextmanager
def scope() -> Iterator[None]:
    """Drop the databases created in this context at its end."""
    _scopes.append([])
    try:
        yield
    finally:
        for url in _scopes.pop():
            drop(url)


def drop(url: sa.URL) -> None:
    """End all connections to a database, then drop the database."""
    disconnect(url)
    with _connect(SERVERS[_backend(url)].url) as connection:
        connection.execute(sa.text(f'DROP DATABASE {url.database}'))


def disconnect(url: sa.URL, server_url: sa.URL | None = None) -> None:
    """End every connection to a database, through the server at
    ``server_url`` or the default server of the backend.

    SQLite has no connections to end.
    """
    if url.get_backend_name() == 'sqlite':
        return
    server = SERVERS[_backend(url)]
    with _connect(server_url or server.url) as connection:
        for statement in connection.scalars(sa.text(server.disconnects),
                                            {'name': url.database}).all():
            with contextlib.suppress(sa.exc.DBAPIError):
                connection.execute(sa.text(statement))


def _backend(url: sa.URL) -> str:
    return ('postgresql' if url.get_backend_name() == 'postgresql'
            else 'mysql')


@contextlib.contextmanager
def _connect(url: sa.URL) -> Iterator[sa.Connection]:
    """Connect to a server for this context, in autocommit mode."""
    engine = sa.create_engine(url, isolation_level='AUTOCOMMIT',
                              poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection
