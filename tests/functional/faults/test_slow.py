# SPDX-License-Identifier: Apache-2.0
"""A database that is slow, silent or locked (DB03, DB04).

Requests that do not need it are answered, and no request waits forever.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from tests.functional.faults.own import DatabaseServer, until
from tests.functional.faults.test_down import is_unavailable, names, post
from tests.functional.harness.daemon import Daemon

#: The statement that locks a table, by dialect.
LOCK = {'postgresql': 'LOCK TABLE r_racks IN ACCESS EXCLUSIVE MODE',
        'mysql': 'LOCK TABLES r_racks WRITE'}

#: Whether sessions wait for a lock on the database ``:name``. The table
#: innodb_trx is cached, so it shows old rows if it is read often.
WAITING = {
    'postgresql': 'SELECT count(*) FROM pg_stat_activity WHERE '
                  "datname = :name AND wait_event_type = 'Lock'",
    'mysql': 'SELECT variable_value > 0 FROM information_schema.global_status '
             "WHERE variable_name = 'INNODB_ROW_LOCK_CURRENT_WAITS' "
             "AND :name <> ''"}


@contextlib.contextmanager
def held(url: sa.URL, statement: str) -> Iterator[None]:
    """Hold the locks of a statement in another session."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
        yield
        connection.rollback()


def waiting(server: DatabaseServer, url: sa.URL) -> bool:
    kind = 'mysql' if url.get_backend_name() == 'mysql' else 'postgresql'
    with server.connect(server.url) as connection:
        return bool(connection.scalar(sa.text(WAITING[kind]),
                                      {'name': url.database}))


def test_a_request_that_waits_for_the_database_does_not_block_its_worker(
        server, url, configured):
    """The driver waits in its green thread; the worker answers others."""
    with (Daemon(configured()) as daemon, ThreadPoolExecutor(1) as clients):
        with held(url, 'UPDATE pileus_counter SET n = n'):
            slow = clients.submit(post, daemon, 'slow')
            until(lambda: waiting(server, url))
            assert daemon.request('GET', '/v1/racks').json['racks'] == []
            assert not slow.done()
        assert slow.result().status == 201


def test_a_request_for_a_locked_table_is_503_after_the_timeout(
        server, url, running):
    """DB03."""
    with held(url, LOCK[url.get_backend_name()]):
        assert is_unavailable(running.request('GET', '/v1/racks'))
        assert running.request('GET', '/v1/hosts').status == 200
    assert running.request('GET', '/v1/racks').status == 200


def test_a_write_to_a_locked_row_is_503_after_the_timeout(
        server, url, running):
    """DB05: the lock is not released in time."""
    with held(url, 'UPDATE pileus_counter SET n = n'):
        assert is_unavailable(post(running, 'r1'))
    assert names(server, url) == []
    assert post(running, 'r1').status == 201


def test_a_silent_server_does_not_block_requests_without_database(
        server, url, running):
    """DB03: its connections stay open without answers."""
    assert post(running, 'r1').status == 201
    server.pause()
    with ThreadPoolExecutor(4) as clients:
        requests = [clients.submit(running.request, 'GET', '/v1/racks')
                    for _ in range(4)]
        assert running.request('GET', '/v1').status == 200
        assert not any(request.done() and request.result().status == 200
                       for request in requests)
        assert all(is_unavailable(request.result()) for request in requests)
    server.resume()
    assert running.request('GET', '/v1/racks').status == 200
    assert post(running, 'r2').status == 201


def test_requests_are_503_while_the_connection_pool_is_exhausted(
        configured, failable, failing):
    """DB04: the only connection is in use, and is returned later."""
    with Daemon(configured({'pool_timeout': 1, 'max_pool_size': 1,
                            'max_overflow': 0}), env=failable) as daemon:
        failing('before_commit=sleep 4')
        with ThreadPoolExecutor(1) as clients:
            busy = clients.submit(post, daemon, 'r1')
            until(lambda: 'failpoint before_commit' in daemon.output)
            replies = [daemon.request('GET', '/v1/racks') for _ in range(2)]
            assert all(map(is_unavailable, replies))
            assert busy.result().status == 201
        failing('')
        assert post(daemon, 'r2').status == 201
        assert len(daemon.request('GET', '/v1/racks').json['racks']) == 2


HEAD = (b'POST /v1/racks HTTP/1.1\r\nHost: 127.0.0.1\r\n'
        b'Content-Type: application/json\r\nContent-Length: 24\r\n\r\n')


def test_a_client_that_disconnects_leaves_a_complete_write_or_none(
        server, url, configured, failable, failing):
    """C13: an incomplete request writes nothing; a complete one goes on
    without its client. Both free the only admission slot."""
    with Daemon(configured(api={'max_in_flight': 1}),
                env=failable) as running:
        with running.connect() as client:
            client.sendall(HEAD + b'{"rack":{"name"')
        failing('before_commit=sleep 1')
        with running.connect() as client:
            client.sendall(HEAD + b'{"rack":{"name":"left"}}')
            until(lambda: 'failpoint before_commit' in running.output)
        failing('')
        for name in ('stays', 'too'):
            assert post(running, name).status == 201
    assert names(server, url) == ['left', 'stays', 'too']
    with server.connect(url) as connection:
        assert connection.scalar(sa.text(
            'SELECT count(*) FROM pileus_revisions')) == 3
