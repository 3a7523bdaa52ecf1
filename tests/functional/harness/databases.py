# SPDX-License-Identifier: Apache-2.0
"""Databases for tests: each test's own, gone when it ends.

PILEUS_TEST_DATABASE says on what the functional tests run: sqlite, which
needs no server, postgresql or mysql. A server elsewhere is named by
PILEUS_TEST_POSTGRESQL or PILEUS_TEST_MYSQL, the URL of a database from which
another can be created. A test skips where its server does not answer, but
fails where PILEUS_TEST_REQUIRE names the database: a gate that ran nothing
must not be green.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from typing import NamedTuple

import pytest
import sqlalchemy as sa


class Server(NamedTuple):
    """Where a server is, and how it lets go of a database in use."""

    variable: str
    default: str
    connections: str

    @property
    def url(self) -> sa.URL:
        return sa.make_url(os.environ.get(self.variable, self.default))


SERVERS = {
    'postgresql': Server(
        'PILEUS_TEST_POSTGRESQL',
        'postgresql+psycopg2://postgres@127.0.0.1/test',
        'SELECT format(\'SELECT pg_terminate_backend(%s)\', pid) '
        'FROM pg_stat_activity WHERE datname = :name'),
    'mysql': Server(
        'PILEUS_TEST_MYSQL', 'mysql+pymysql://root@127.0.0.1/test',
        'SELECT CONCAT(\'KILL \', id) FROM information_schema.processlist '
        'WHERE db = :name'),
}

#: What this run of the functional tests is on.
CHOSEN = os.environ.get('PILEUS_TEST_DATABASE', 'sqlite')

#: The databases of each scope of fixtures that is open, the outermost first.
_open: list[list[sa.URL]] = []


def connection() -> str | None:
    """The URL of a new database for a config directory; None for SQLite,
    where the service makes its own."""
    return None if CHOSEN == 'sqlite' else written(created(CHOSEN))


def written(url: sa.URL) -> str:
    """The URL as a pileus.conf has it."""
    return url.render_as_string(hide_password=False)


def created(kind: str) -> sa.URL:
    """A new database, dropped when the innermost scope ends; a test skips
    or fails where no server answers."""
    server = SERVERS[kind]
    name = f'pileus_{secrets.token_hex(6)}'
    try:
        with _asked(server.url) as asked:
            asked.execute(sa.text(f'CREATE DATABASE {name}'))
    except sa.exc.OperationalError:
        required = os.environ.get('PILEUS_TEST_REQUIRE', '').split(',')
        (pytest.fail if kind in required else pytest.skip)(
            f'no database server answers at {server.url!r}; '
            f'{server.variable} names another')
    made = server.url.set(database=name)
    _open[-1].append(made)
    return made


@contextlib.contextmanager
def scope() -> Iterator[None]:
    """What is created in here is dropped at its end."""
    _open.append([])
    try:
        yield
    finally:
        for url in _open.pop():
            dropped(url)


def dropped(url: sa.URL) -> None:
    """Drop a database; whoever is still connected to it is thrown out."""
    cut(url)
    with _asked(SERVERS[_kind(url)].url) as asked:
        asked.execute(sa.text(f'DROP DATABASE {url.database}'))


def cut(url: sa.URL, at: sa.URL | None = None) -> None:
    """End every connection to a database of this server, or of that ``at``
    a URL; SQLite has none."""
    if url.get_backend_name() == 'sqlite':
        return
    server = SERVERS[_kind(url)]
    with _asked(at or server.url) as asked:
        for said in asked.scalars(sa.text(server.connections),
                                  {'name': url.database}).all():
            with contextlib.suppress(sa.exc.DBAPIError):
                asked.execute(sa.text(said))


def _kind(url: sa.URL) -> str:
    return ('postgresql' if url.get_backend_name() == 'postgresql'
            else 'mysql')


@contextlib.contextmanager
def _asked(url: sa.URL) -> Iterator[sa.Connection]:
    """A connection to a server, of which nothing stays."""
    engine = sa.create_engine(url, isolation_level='AUTOCOMMIT',
                              poolclass=sa.NullPool)
    with engine.connect() as connection:
        yield connection
