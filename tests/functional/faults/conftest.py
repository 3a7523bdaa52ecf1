# SPDX-License-Identifier: Apache-2.0
"""Fixtures: a daemon on a database server that a test can make fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.functional.faults.cutting import CuttingProxy
from tests.functional.faults.own import KINDS, DatabaseServer
from tests.functional.harness.daemon import Daemon, apply_types, config_dir
from tests.functional.harness.databases import config_url


@pytest.fixture(scope='session', params=list(KINDS))
def own(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    """A database server that all tests of this package share."""
    server = KINDS[request.param]()
    yield server
    server.close()


@pytest.fixture
def server(own: DatabaseServer) -> Iterator[DatabaseServer]:
    """The shared server, running again after whatever a test did to it."""
    own.resume()
    yield own
    own.resume()
    if own.stopped:
        own.start()


@pytest.fixture
def url(server: DatabaseServer) -> sa.URL:
    """An empty database."""
    return server.database()


@pytest.fixture
def proxy(server: DatabaseServer) -> Iterator[CuttingProxy]:
    """A proxy before the server, for tests whose ``url`` is ``through``."""
    cutter = CuttingProxy(server.port)
    yield cutter
    cutter.close()


@pytest.fixture
def behind(server: DatabaseServer) -> sa.URL:
    """The URL of an empty database, at its server's own address."""
    return server.database()


@pytest.fixture
def through(behind: sa.URL, proxy: CuttingProxy) -> sa.URL:
    """The URL of the same database through the proxy."""
    return behind.set(port=proxy.port)


Configured = Callable[..., Path]


@pytest.fixture
def configured(tmp_path: Path, url: sa.URL) -> Configured:
    """A function that makes a config directory for ``url``, with tables."""
    def configure(database: dict[str, Any] | None = None,
                  **conf: dict[str, Any]) -> Path:
        directory = config_dir(tmp_path, conf={
            'database': {'connection': config_url(url), **(database or {})},
            **conf})
        apply_types(directory)
        return directory
    return configure


@pytest.fixture
def failing(tmp_path: Path) -> Callable[[str], None]:
    """A function that sets the failpoints of a ``failable`` daemon."""
    file = tmp_path / 'failpoints'

    def set_failpoints(words: str) -> None:
        fresh = tmp_path / 'failpoints.new'
        fresh.write_text(words)
        fresh.rename(file)
    return set_failpoints


@pytest.fixture
def failable(tmp_path: Path) -> dict[str, str]:
    """The environment in which ``failing`` sets a daemon's failpoints."""
    return {'PILEUS_FAILPOINTS': f'@{tmp_path / "failpoints"}'}


@pytest.fixture
def running(configured: Configured,
            failable: dict[str, str]) -> Iterator[Daemon]:
    """A daemon with the shipped types, one worker and short timeouts."""
    directory = configured({
        'statement_timeout': 2, 'lock_timeout': 1, 'pool_timeout': 1,
        'max_pool_size': 2, 'max_overflow': 0})
    with Daemon(directory, env=failable) as daemon:
        yield daemon
