# SPDX-License-Identifier: Apache-2.0
"""The database connection breaks during a read (DB02)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from tests.functional.faults.own import DatabaseServer, until
from tests.functional.faults.test_down import post
from tests.functional.faults.test_slow import LOCK
from tests.functional.harness.daemon import Daemon

#: Statements that end each session waiting for a table of ``:name``.
WAITING = {
    'postgresql': "SELECT format('SELECT pg_terminate_backend(%s)', pid) "
                  'FROM pg_stat_activity WHERE datname = :name AND '
                  "wait_event_type = 'Lock'",
    'mysql': "SELECT CONCAT('KILL ', id) FROM information_schema.processlist "
             "WHERE db = :name AND state LIKE 'Waiting for table%'"}


@contextlib.contextmanager
def locked(url: sa.URL) -> Iterator[None]:
    """Lock the table of racks against reads."""
    with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
        connection.execute(sa.text(LOCK[url.get_backend_name()]))
        yield
        connection.invalidate()


def ended(server: DatabaseServer, url: sa.URL) -> int:
    """End the sessions that wait for a table; return their number."""
    with server.connect(server.url) as connection:
        statements = connection.scalars(sa.text(
            WAITING[url.get_backend_name()]), {'name': url.database}).all()
        for statement in statements:
            connection.execute(sa.text(statement))
    return len(statements)


def test_a_read_is_retried_if_the_server_ends_its_connection(
        server, url, configured):
    """DB02: the client gets 200."""
    with Daemon(configured()) as daemon, ThreadPoolExecutor(1) as clients:
        assert post(daemon, 'r1').status == 201
        with locked(url):
            request = clients.submit(daemon.request, 'GET', '/v1/racks')
            until(lambda: ended(server, url))
        reply = request.result()
        assert reply.status == 200, daemon.output
        assert [rack['name'] for rack in reply.json['racks']] == ['r1']
