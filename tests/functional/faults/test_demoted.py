# SPDX-License-Identifier: Apache-2.0
"""A server that only reads for a while, as one that was made a standby: its
old connections say so when another has long taken its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from tests.functional.faults.own import Own, until
from tests.functional.faults.test_down import is_unavailable, names, post
from tests.functional.harness.daemon import Daemon
from tests.functional.harness.databases import config_url

#: What lets sessions that begin from now on read alone, and write again.
READING = {
    'postgresql': 'ALTER DATABASE {} SET default_transaction_read_only = {}',
    'mysql': 'SET GLOBAL tx_read_only = {1}'}


@pytest.fixture
def demoted(server: Own, url: sa.URL) -> Iterator[Callable[[bool], None]]:
    """Sets whether a session that begins now only reads, while it lasts."""
    def said(only: bool) -> None:
        with server.asked(server.url) as connection:
            connection.execute(sa.text(READING[url.get_backend_name()].format(
                url.database, int(only))))
    yield said
    said(False)


def test_the_write_after_a_failover_is_done(server, url, configured, demoted):
    """Its connection is one of before, and is opened anew."""
    directory = configured()
    demoted(True)
    with Daemon(directory) as daemon:
        assert daemon.request('GET', '/v1/racks').status == 200
        demoted(False)
        assert post(daemon, 'r1').status == 201
    assert names(server, url) == ['r1']


def test_while_there_is_no_primary_what_is_there_is_read(
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
def test_a_server_that_is_set_to_read_only_is_connected_to_anew(
        server, url, configured):
    """MariaDB's own word for it, which binds all but who administers it."""
    with server.asked(url) as administrator:
        def said(statement: str) -> None:
            administrator.execute(sa.text(statement))

        def sessions() -> set[int]:
            return set(administrator.scalars(sa.text(
                'SELECT id FROM information_schema.processlist '
                f"WHERE user = '{USER}'")))
        said(f'CREATE OR REPLACE USER {USER}@127.0.0.1')
        said(f'GRANT ALL ON {url.database}.* TO {USER}@127.0.0.1')
        with Daemon(configured({'connection': config_url(
                url.set(username=USER))})) as daemon:
            assert post(daemon, 'r1').status == 201
            before = sessions()
            said('SET GLOBAL read_only = 1')
            try:
                assert is_unavailable(post(daemon, 'r2'))
            finally:
                said('SET GLOBAL read_only = 0')
            assert before and not before & sessions()
            assert post(daemon, 'r3').status == 201
    assert names(server, url) == ['r1', 'r3']
