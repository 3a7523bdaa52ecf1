# SPDX-License-Identifier: Apache-2.0
"""Pings and transactions that sessions add to the statements themselves."""

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
    """An engine of the service, and another connection to its server."""

    kind: str
    engine: sa.Engine
    transactions: engine.Transactions
    other: Connection
    #: The connections that were pinged.
    pinged: list[Any]


@pytest.fixture(params=databases.SERVERS)
def world(request: pytest.FixtureRequest, tmp_path: Path,
          monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with databases.scope():
        url = databases.create(request.param)
        pinged: list[Any] = []
        dialect = url.get_dialect()
        ping = dialect.do_ping

        def counted(self: Any, connection: Any) -> bool:
            pinged.append(connection)
            return ping(self, connection)
        monkeypatch.setattr(dialect, 'do_ping', counted)
        connected = engine.connect(stored.conf(tmp_path, database={
            'connection': databases.config_url(url)}))
        admin = sa.create_engine(url, isolation_level='AUTOCOMMIT')
        with admin.connect() as other:
            yield World(request.param, connected,
                        engine.Transactions(connected), other, pinged)
        admin.dispose()
        connected.dispose()


def session_id(world: World, connection: Connection) -> int:
    return connection.exec_driver_sql(ID[world.kind]).scalar_one()


@pytest.mark.parametrize('world', ['postgresql'], indirect=True)
def test_a_read_on_postgresql_opens_no_transaction(world: World) -> None:
    """BEGIN and COMMIT would be two more round trips."""
    def state(connection: Connection) -> Any:
        return world.other.exec_driver_sql(
            STATE.format(session_id(world, connection))).scalar_one()
    assert world.transactions.read(state) == 'idle'
    assert world.transactions.write(state) == 'idle in transaction'
    assert world.transactions.read(state) == 'idle'


def test_a_connection_is_pinged_only_after_a_pause(
        world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """oslo.db pings at each checkout."""
    for run in (world.transactions.read, world.transactions.write) * 3:
        run(lambda connection: session_id(world, connection))
    assert world.pinged == []
    monkeypatch.setattr(servers, '_FRESH_SECONDS', 0)
    for run in (world.transactions.read, world.transactions.write):
        run(lambda connection: session_id(world, connection))
    assert len(world.pinged) == 2


@pytest.mark.parametrize('pause', [60, 0])
def test_a_connection_that_the_server_closed_is_replaced(
        world: World, monkeypatch: pytest.MonkeyPatch, pause: int) -> None:
    """Whether it was pinged before or not."""
    monkeypatch.setattr(servers, '_FRESH_SECONDS', pause)
    for run in (world.transactions.read, world.transactions.write) * 2:
        closed = run(lambda connection: session_id(world, connection))
        world.other.exec_driver_sql(END[world.kind].format(closed))
        assert run(lambda connection: session_id(world, connection)
                   ) != closed
