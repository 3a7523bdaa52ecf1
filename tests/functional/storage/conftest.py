# SPDX-License-Identifier: Apache-2.0
"""Each database there is, one of our own on it, gone when tests end.

A server elsewhere is named by PILEUS_TEST_POSTGRESQL or PILEUS_TEST_MYSQL,
the URL of a database from which another can be created.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

SERVERS = {
    'postgresql': ('PILEUS_TEST_POSTGRESQL',
                   'postgresql+psycopg2://postgres@127.0.0.1/test'),
    'mysql': ('PILEUS_TEST_MYSQL', 'mysql+pymysql://root@127.0.0.1/test'),
}


@pytest.fixture(scope='session', params=['sqlite', *SERVERS])
def database(request: pytest.FixtureRequest,
             tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    """An engine on an empty database."""
    if request.param == 'sqlite':
        path = tmp_path_factory.mktemp('sqlite') / 'lists.sqlite'
        engine = sa.create_engine(f'sqlite:///{path}')
        yield engine
        engine.dispose()
        return
    variable, default = SERVERS[request.param]
    url = sa.make_url(os.environ.get(variable, default))
    yield from _created(url, f'pileus_{secrets.token_hex(6)}', variable)


def _created(url: sa.URL, name: str, variable: str) -> Iterator[sa.Engine]:
    server = sa.create_engine(url, isolation_level='AUTOCOMMIT')
    try:
        with server.connect() as connection:
            connection.execute(sa.text(f'CREATE DATABASE {name}'))
    except sa.exc.OperationalError:
        server.dispose()
        pytest.skip(f'no database server answers at {url!r}; '
                    f'{variable} names another')
    engine = sa.create_engine(url.set(database=name))
    try:
        yield engine
    finally:
        engine.dispose()
        with server.connect() as connection:
            connection.execute(sa.text(f'DROP DATABASE {name}'))
        server.dispose()
