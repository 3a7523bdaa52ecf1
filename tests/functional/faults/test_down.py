# SPDX-License-Identifier: Apache-2.0
"""The database server is stopped, comes back or is restarted (DB01, DB02)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from tests.functional.faults.own import DatabaseServer, until
from tests.functional.harness.daemon import Daemon, Reply, Server

#: The time for which a server is stopped: half of the time for which the
#: service waits for it.
AWAY_SECONDS = 5.0


def post(daemon: Server, name: str) -> Reply:
    return daemon.request('POST', '/v1/racks', {'rack': {'name': name}})


def names(server: DatabaseServer, url: sa.URL) -> list[str]:
    with server.connect(url) as connection:
        return sorted(connection.scalars(sa.text('SELECT name FROM r_racks')))


def is_unavailable(reply: Reply) -> bool:
    return (reply.status == 503
            and int(reply.headers['Retry-After']) <= 2
            and reply.json['errors'][0]['code'] == 'pileus.unavailable')


def test_a_start_without_the_database_fails_with_one_line(server, configured):
    """DB01."""
    directory = configured(DEFAULT={'debug': False})
    server.stop()
    daemon = Daemon(directory)
    daemon.launch()
    assert daemon.wait_for_exit() == 1
    assert '[database] connection: ' in daemon.output
    assert 'cannot be used: ' in daemon.output
    assert 'Traceback' not in daemon.output


def test_a_start_waits_for_the_database_with_max_retries_minus_one(
        server, configured):
    """DB01."""
    directory = configured({'max_retries': -1, 'retry_interval': 1})
    server.stop()
    daemon = Daemon(directory)
    daemon.launch()
    try:
        until(lambda: 'trying again in 1 seconds' in daemon.output,
              lambda: daemon.output)
        server.start()
        daemon.wait_for('READY=1')
        assert daemon.request('GET', '/v1/racks').status == 200
    finally:
        daemon.stop()


@pytest.mark.parametrize('end', [DatabaseServer.stop, DatabaseServer.kill])
def test_writes_refused_while_the_server_is_down_are_not_stored(
        server, url, running, end):
    """DB01: acknowledged writes are stored, and the service needs no restart.
    A commit that was under way is looked up when the server is back."""
    replies: dict[str, Reply] = {}
    over = threading.Event()

    def client(number: int) -> None:
        turn = 0
        while not over.is_set():
            name = f'c{number}-{turn}'
            replies[name] = post(running, name)
            turn += 1

    def count(status: int) -> int:
        return sum(reply.status == status for reply in list(replies.values()))

    with ThreadPoolExecutor(4) as clients:
        work = [clients.submit(client, number) for number in range(4)]
        try:
            until(lambda: count(201) >= 10)
            end(server)
            back = time.monotonic() + AWAY_SECONDS
            until(lambda: time.monotonic() > back and count(503) >= 10)
            before = count(201)
            server.start()
            until(lambda: count(201) >= before + 10)
        finally:
            over.set()
        for task in work:
            task.result()
    refused = {name: reply for name, reply in replies.items()
               if reply.status != 201}
    assert all(map(is_unavailable, refused.values()))
    assert 'it is not known whether' not in running.output
    assert names(server, url) == sorted(replies.keys() - refused.keys())


def test_no_client_sees_connections_broken_by_a_restart(
        server, url, running):
    """DB02: the pool replaces its stale connections."""
    assert post(running, 'r1').status == 201
    server.restart()
    assert running.request('GET', '/v1/racks').status == 200
    server.restart()
    assert post(running, 'r2').status == 201
    assert names(server, url) == ['r1', 'r2']


def test_a_transaction_is_retried_after_a_restart_of_the_server(
        server, url, running, failing: Callable[[str], None]):
    """DB02: the write is stored once."""
    failing('before_commit=sleep 3')
    with ThreadPoolExecutor(1) as clients:
        request = clients.submit(post, running, 'r1')
        until(lambda: 'failpoint before_commit' in running.output)
        failing('')
        server.restart()
        assert request.result().status == 201
    assert names(server, url) == ['r1']
    with server.connect(url) as connection:
        assert connection.scalar(sa.text(
            'SELECT count(*) FROM pileus_revisions')) == 1


@pytest.mark.parametrize(('place', 'stored'), [
    ('before_commit', []), ('after_commit_before_reply', ['r1'])])
def test_a_killed_worker_leaves_a_complete_write_or_none(
        server, url, running, failing, place, stored):
    """S06, DB08."""
    failing(f'{place}=kill')
    with pytest.raises(OSError):
        post(running, 'r1')
    failing('')
    until(running.workers)
    running.reload()
    assert running.request('GET', '/v1/racks').status == 200
    assert names(server, url) == stored
