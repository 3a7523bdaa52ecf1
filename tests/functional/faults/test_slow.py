# SPDX-License-Identifier: Apache-2.0
"""A database that is slow, silent or in another's hands (DB03, DB04): whoever
does not need it is served, and nobody waits without end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa

from tests.functional.faults.own import Own, until
from tests.functional.faults.test_down import is_unavailable, names, post
from tests.functional.harness.daemon import Daemon

#: A table for oneself, by the dialect's name.
LOCK = {'postgresql': 'LOCK TABLE r_racks IN ACCESS EXCLUSIVE MODE',
        'mysql': 'LOCK TABLES r_racks WRITE'}

#: Whether sessions wait for a lock on the database ``:name``. Who looks at
#: innodb_trx often is shown the same again and again.
WAITING = {
    'postgresql': 'SELECT count(*) FROM pg_stat_activity WHERE '
                  "datname = :name AND wait_event_type = 'Lock'",
    'mysql': 'SELECT variable_value > 0 FROM information_schema.global_status '
             "WHERE variable_name = 'INNODB_ROW_LOCK_CURRENT_WAITS' "
             "AND :name <> ''"}


@contextlib.contextmanager
def held(url: sa.URL, statement: str) -> Iterator[None]:
    """What the statement locks is another's for a while."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(statement))
        yield
        connection.rollback()


def waiting(server: Own, url: sa.URL) -> bool:
    kind = 'mysql' if url.get_backend_name() == 'mysql' else 'postgresql'
    with server.asked(server.url) as connection:
        return bool(connection.scalar(sa.text(WAITING[kind]),
                                      {'name': url.database}))


def test_who_waits_in_the_database_holds_up_nobody_of_the_worker(
        server, url, configured):
    """The driver waits green: the worker answers others meanwhile."""
    with (Daemon(configured()) as daemon, ThreadPoolExecutor(1) as clients):
        with held(url, 'UPDATE pileus_counter SET n = n'):
            slow = clients.submit(post, daemon, 'slow')
            until(lambda: waiting(server, url))
            assert daemon.request('GET', '/v1/racks').json['racks'] == []
            assert not slow.done()
        assert slow.result().status == 201


def test_a_table_in_anothers_hands_is_not_waited_for_without_end(
        server, url, running):
    """DB03."""
    with held(url, LOCK[url.get_backend_name()]):
        assert is_unavailable(running.request('GET', '/v1/racks'))
        assert running.request('GET', '/v1/hosts').status == 200
    assert running.request('GET', '/v1/racks').status == 200


def test_a_row_in_anothers_hands_is_tried_for_and_then_given_up(
        server, url, running):
    """DB05: a lock that is not to be had in time."""
    with held(url, 'UPDATE pileus_counter SET n = n'):
        assert is_unavailable(post(running, 'r1'))
    assert names(server, url) == []
    assert post(running, 'r1').status == 201


def test_a_server_that_says_nothing_stops_nobody_who_needs_it_not(
        server, url, running):
    """DB03: its connections stand, and it answers on none of them."""
    assert post(running, 'r1').status == 201
    server.pause()
    with ThreadPoolExecutor(4) as clients:
        asked = [clients.submit(running.request, 'GET', '/v1/racks')
                 for _ in range(4)]
        assert running.request('GET', '/v1').status == 200
        assert not any(one.done() and one.result().status == 200
                       for one in asked)
        assert all(is_unavailable(one.result()) for one in asked)
    server.resume()
    assert running.request('GET', '/v1/racks').status == 200
    assert post(running, 'r2').status == 201


def test_a_pool_that_is_empty_is_refused_and_full_again(
        configured, failable, failing):
    """DB04: the only connection is in use, and comes back."""
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


def test_a_client_that_leaves_leaves_a_whole_write_or_none(
        server, url, configured, failable, failing):
    """C13: half a request is none; a whole one goes on without it. Their
    slots are free again: there is one for all."""
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
    with server.asked(url) as connection:
        assert connection.scalar(sa.text(
            'SELECT count(*) FROM pileus_revisions')) == 3
