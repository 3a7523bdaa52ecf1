# SPDX-License-Identifier: Apache-2.0
"""A server that becomes read-only for a while, like a demoted primary.

Connections from before stay read-only after another server has taken over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from tests.functional.faults.own import DatabaseServer, until
from tests.functional.faults.test_down import is_unavailable, names, post
from tests.functional.harness.daemon import Daemon
from tests.functional.harness.databases import config_url

#: Statements that make new sessions read-only (1) or writable again (0).
READING = {
    'postgresql': 'ALTER DATABASE {} SET default_transaction_read_only = {}',
    'mysql': 'SET GLOBAL tx_read_only = {1}'}


@pytest.fixture
def demoted(server: DatabaseServer,
            url: sa.URL) -> Iterator[Callable[[bool], None]]:
    """A function that sets whether new sessions are read-only."""
    def set_read_only(only: bool) -> None:
        with server.connect(server.url) as connection:
            connection.execute(sa.text(READING[url.get_backend_name()].format(
                url.database, int(only))))
    yield set_read_only
    set_read_only(False)


def test_the_first_write_after_a_failover_succeeds(server, url, configured,
                                                   demoted):
    """The read-only connection is replaced by a new one."""
    directory = configured()
    demoted(True)
    with Daemon(directory) as daemon:
        assert daemon.request('GET', '/v1/racks').status == 200
        demoted(False)
        assert post(daemon, 'r1').status == 201
    assert names(server, url) == ['r1']


def test_reads_succeed_and_writes_are_503_without_a_primary(
        server, url, configured, demoted):
    directory = configured()
    demoted(True)
    with Daemon(directory) as daemon:
        assert all(is_unavailable(post(daemon, f'r{number}'))
                   for number in range(3))
        assert daemon.request('GET', '/v1/racks').json['racks'] == []
        demoted(False)
        until(lambda: post(daemon, 'r9').status == 201)
    assert names(server, url) == ['r9']


USER = 'pileus_reader'


@pytest.mark.parametrize('own', ['mysql'], indirect=True)
def test_connections_are_replaced_after_mariadb_was_read_only(
        server, url, configured):
    """``read_only`` of MariaDB applies to all users but administrators."""
    with server.connect(url) as administrator:
        def execute(statement: str) -> None:
            administrator.execute(sa.text(statement))

        def sessions() -> set[int]:
            return set(administrator.scalars(sa.text(
                'SELECT id FROM information_schema.processlist '
                f"WHERE user = '{USER}'")))
        execute(f'CREATE OR REPLACE USER {USER}@127.0.0.1')
        execute(f'GRANT ALL ON {url.database}.* TO {USER}@127.0.0.1')
        with Daemon(configured({'connection': config_url(
                url.set(username=USER))})) as daemon:
            assert post(daemon, 'r1').status == 201
            before = sessions()
            execute('SET GLOBAL read_only = 1')
            try:
                assert is_unavailable(post(daemon, 'r2'))
            finally:
                execute('SET GLOBAL read_only = 0')
            assert before and not before & sessions()
            assert post(daemon, 'r3').status == 201
    assert names(server, url) == ['r1', 'r3']
