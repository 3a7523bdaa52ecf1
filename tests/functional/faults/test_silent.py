# SPDX-License-Identifier: Apache-2.0
"""A database server that stops answering, or whose machine is off (DB03).

The threads of another WSGI server do not wait for it forever either.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from tests.functional.faults.own import DatabaseServer
from tests.functional.faults.test_down import is_unavailable, post
from tests.functional.harness.daemon import Daemon, Gunicorn, Reply, configure
from tests.functional.harness.databases import config_url

#: The statement timeout; and the further time until a silent server is given
#: up: five for its answer, five for each of two new connections to it, and
#: some for a busy machine.
STATEMENT_SECONDS, FURTHER_SECONDS = 1, 5 + 2 * 5 + 9


@pytest.fixture
def threaded(configured) -> Iterator[Gunicorn]:
    directory = configured({
        'statement_timeout': STATEMENT_SECONDS, 'lock_timeout': 1,
        'pool_timeout': 1, 'max_pool_size': 2, 'max_overflow': 0})
    with Gunicorn(directory) as gunicorn:
        assert post(gunicorn, 'r1').status == 201
        yield gunicorn


def timed(gunicorn: Gunicorn, method: str, number: int) -> tuple[Reply, float]:
    begun = time.monotonic()
    reply = (post(gunicorn, f'never {number}') if method == 'POST'
             else gunicorn.request('GET', '/v1/racks'))
    return reply, time.monotonic() - begun


def test_no_thread_waits_forever_for_a_silent_server(
        server: DatabaseServer, threaded: Gunicorn):
    """DB03: requests that need the database get 503 in time, others are
    answered at once. When the server answers again, requests succeed, and
    refused writes are not stored."""
    with ThreadPoolExecutor(4) as clients:
        server.pause()
        requests = [clients.submit(timed, threaded, method, number)
                    for number, method in enumerate(['GET', 'POST'] * 2)]
        assert threaded.request('GET', '/v1').status == 200
        outcomes = [request.result() for request in requests]
    assert all(is_unavailable(reply) for reply, _ in outcomes)
    assert max(took for _, took in outcomes) < (
        STATEMENT_SECONDS + FURTHER_SECONDS)
    server.resume()
    racks = threaded.request('GET', '/v1/racks').json['racks']
    assert [rack['name'] for rack in racks] == ['r1']
    assert post(threaded, 'r2').status == 201
    assert threaded.output.count('Booting worker') == 1


@pytest.fixture
def deaf() -> Iterator[str]:
    """An address that never answers, like that of a machine without power,
    because the backlog of its listener is full."""
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.socket())
        listener.bind(('127.0.0.1', 0))
        listener.listen(0)
        for _ in range(4):
            client = opened.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        host, port = listener.getsockname()
        yield f'{host}:{port}'


@pytest.mark.parametrize('own', ['postgresql'], indirect=True)
@pytest.mark.parametrize('kind', [Daemon, Gunicorn])
def test_the_next_of_several_hosts_is_tried_if_one_does_not_answer(
        server: DatabaseServer, url: sa.URL, configured, deaf, kind):
    """libpq applies no timeout to a connection that its caller polls."""
    directory = configured()
    configure(directory, {'database': {'connection': config_url(
        url.set(host=None, port=None).update_query_dict(
            {'host': [deaf, f'{url.host}:{url.port}']}))}})
    served = kind(directory)
    served.launch()
    try:
        served.wait_for('READY=1')
        assert served.request('GET', '/v1/racks').status == 200
    finally:
        served.stop()
    assert 'has not answered a new connection within 5' in served.output
