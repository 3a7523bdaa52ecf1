# SPDX-License-Identifier: Apache-2.0
"""A daemon, and under it a database that fails as the test says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.functional.faults.cutting import Cutting
from tests.functional.faults.own import KINDS, Own
from tests.functional.harness.daemon import Daemon, apply_types, config_dir
from tests.functional.harness.databases import config_url


@pytest.fixture(scope='session', params=list(KINDS))
def own(request: pytest.FixtureRequest) -> Iterator[Own]:
    """A server of this room's own, for all its tests."""
    made = KINDS[request.param]()
    yield made
    made.close()


@pytest.fixture
def server(own: Own) -> Iterator[Own]:
    """The same, up again whatever the last test did to it."""
    own.resume()
    yield own
    own.resume()
    if own.stopped:
        own.start()


@pytest.fixture
def url(server: Own) -> sa.URL:
    """An empty database."""
    return server.database()


@pytest.fixture
def proxy(server: Own) -> Iterator[Cutting]:
    """Stands before the server, for tests whose ``url`` leads ``through``."""
    made = Cutting(server.port)
    yield made
    made.close()


@pytest.fixture
def behind(server: Own) -> sa.URL:
    """An empty database, by its server's own address."""
    return server.database()


@pytest.fixture
def through(behind: sa.URL, proxy: Cutting) -> sa.URL:
    """The same, as a service knows it that has the proxy before it."""
    return behind.set(port=proxy.port)


Configured = Callable[..., Path]


@pytest.fixture
def configured(tmp_path: Path, url: sa.URL) -> Configured:
    """Makes a config directory on that database, with its tables."""
    def made(database: dict[str, Any] | None = None,
             **conf: dict[str, Any]) -> Path:
        directory = config_dir(tmp_path, conf={
            'database': {'connection': config_url(url), **(database or {})},
            **conf})
        apply_types(directory)
        return directory
    return made


@pytest.fixture
def failing(tmp_path: Path) -> Callable[[str], None]:
    """Sets the failpoints of a daemon that runs in ``failable``."""
    file = tmp_path / 'failpoints'

    def said(words: str) -> None:
        fresh = tmp_path / 'failpoints.new'
        fresh.write_text(words)
        fresh.rename(file)
    return said


@pytest.fixture
def failable(tmp_path: Path) -> dict[str, str]:
    """The environment of a daemon whose failpoints ``failing`` sets."""
    return {'PILEUS_FAILPOINTS': f'@{tmp_path / "failpoints"}'}


@pytest.fixture
def running(configured: Configured,
            failable: dict[str, str]) -> Iterator[Daemon]:
    """The shipped types, one worker, short limits."""
    directory = configured({
        'statement_timeout': 2, 'lock_timeout': 1, 'pool_timeout': 1,
        'max_pool_size': 2, 'max_overflow': 0})
    with Daemon(directory, env=failable) as daemon:
        yield daemon
