# SPDX-License-Identifier: Apache-2.0
"""What a server is asked besides the work itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.storage.database import engine, servers
from tests.functional.harness import databases
from tests.unit import stored

ID = {'postgresql': 'SELECT pg_backend_pid()', 'mysql': 'SELECT '
      'CONNECTION_ID()'}
END = {'postgresql': 'SELECT pg_terminate_backend({})', 'mysql': 'KILL {}'}
STATE = 'SELECT state FROM pg_stat_activity WHERE pid = {}'


class World(NamedTuple):
    """A service's engine, and who else is on the same server."""

    kind: str
    engine: sa.Engine
    transactions: engine.Transactions
    other: Connection
    #: The connections that were asked whether they live.
    asked: list[Any]


@pytest.fixture(params=databases.SERVERS)
def world(request: pytest.FixtureRequest, tmp_path: Path,
          monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with databases.scope():
        url = databases.create(request.param)
        asked: list[Any] = []
        dialect = url.get_dialect()
        ping = dialect.do_ping

        def counted(self: Any, connection: Any) -> bool:
            asked.append(connection)
            return ping(self, connection)
        monkeypatch.setattr(dialect, 'do_ping', counted)
        made = engine.connect(stored.conf(tmp_path, database={
            'connection': databases.config_url(url)}))
        there = sa.create_engine(url, isolation_level='AUTOCOMMIT')
        with there.connect() as other:
            yield World(request.param, made, engine.Transactions(made),
                        other, asked)
        there.dispose()
        made.dispose()


def who(world: World, connection: Connection) -> int:
    """The server's own name for a connection."""
    return connection.exec_driver_sql(ID[world.kind]).scalar_one()


@pytest.mark.parametrize('world', ['postgresql'], indirect=True)
def test_a_read_leaves_postgresql_no_transaction_to_end(world: World) -> None:
    """Its begin and its end would be two waits for the server more."""
    def state(connection: Connection) -> Any:
        return world.other.exec_driver_sql(
            STATE.format(who(world, connection))).scalar_one()
    assert world.transactions.read(state) == 'idle'
    assert world.transactions.write(state) == 'idle in transaction'
    assert world.transactions.read(state) == 'idle'


def test_a_connection_is_asked_whether_it_lives_after_a_pause_only(
        world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """oslo.db asks each time."""
    for run in (world.transactions.read, world.transactions.write) * 3:
        run(lambda connection: who(world, connection))
    assert world.asked == []
    monkeypatch.setattr(servers, '_FRESH_SECONDS', 0)
    for run in (world.transactions.read, world.transactions.write):
        run(lambda connection: who(world, connection))
    assert len(world.asked) == 2


@pytest.mark.parametrize('pause', [60, 0])
def test_one_that_the_server_ended_is_nobodys_trouble(
        world: World, monkeypatch: pytest.MonkeyPatch, pause: int) -> None:
    """Whether it was just used or not."""
    monkeypatch.setattr(servers, '_FRESH_SECONDS', pause)
    for run in (world.transactions.read, world.transactions.write) * 2:
        ended = run(lambda connection: who(world, connection))
        world.other.exec_driver_sql(END[world.kind].format(ended))
        assert run(lambda connection: who(world, connection)) != ended
