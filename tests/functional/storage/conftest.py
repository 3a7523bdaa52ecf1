# SPDX-License-Identifier: Apache-2.0
"""Fixtures: an empty database on each kind of server, and types on it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from service.storage.database import engine
from tests.functional.harness import databases
from tests.functional.storage.schema.schemas import Schema
from tests.unit import stored


@pytest.fixture(scope='session', params=['sqlite', *databases.SERVERS])
def database(request: pytest.FixtureRequest,
             tmp_path_factory: pytest.TempPathFactory) -> Iterator[sa.Engine]:
    """An engine on an empty database."""
    with databases.scope():
        if request.param == 'sqlite':
            path = tmp_path_factory.mktemp('sqlite') / 'lists.sqlite'
            url = sa.make_url(f'sqlite:///{path}')
        else:
            url = databases.create(request.param)
        engine = sa.create_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture(scope='module', params=['sqlite', *databases.SERVERS])
def schema_server(request: pytest.FixtureRequest,
                  tmp_path_factory: pytest.TempPathFactory
                  ) -> Iterator[Schema]:
    path = tmp_path_factory.mktemp('schema')
    groups = {} if request.param == 'sqlite' else {'database': {
        'connection': databases.config_url(databases.create(request.param))}}
    connected = engine.connect(stored.conf(path, **groups),
                               time_limits=False)
    yield Schema(connected, path)
    connected.dispose()


@pytest.fixture
def schema(schema_server: Schema) -> Schema:
    """A database without applied types."""
    schema_server.empty()
    return schema_server
