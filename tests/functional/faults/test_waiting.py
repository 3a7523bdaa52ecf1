# SPDX-License-Identifier: Apache-2.0
"""Thirty writers wait for a lock; other requests are not delayed (DB06).

SQLite would wait in the worker's only thread, and so would PostgreSQL's driver
without its green wait callback.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import sqlalchemy as sa

from tests.functional.faults.own import KINDS, until
from tests.functional.faults.test_down import post
from tests.functional.faults.test_slow import held
from tests.functional.harness.connections import HTTPConnection, send_request
from tests.functional.harness.daemon import WAIT_SECONDS, Daemon, config_dir
from tests.functional.harness.databases import config_url

WRITERS = 30

#: The longest valid latency; the time for which it is measured; and the number
#: of attempts, because the machine may be slow itself.
MAX_LATENCY_SECONDS, SAMPLE_SECONDS, SAMPLES = 0.1, 1.0, 5

#: The statement that locks out all writers, by dialect.
LOCK = dict.fromkeys(KINDS, 'UPDATE pileus_counter SET n = n') | {
    'sqlite': 'BEGIN IMMEDIATE'}

#: The paths requested meanwhile.
READ = ('/healthcheck', '/v1/racks', '/v1')


@pytest.fixture(params=['sqlite', *KINDS])
def url(request: pytest.FixtureRequest, tmp_path) -> Iterator[sa.URL]:
    if request.param == 'sqlite':
        (tmp_path / 'state').mkdir()
        yield sa.make_url(f'sqlite:///{tmp_path}/state/pileus.sqlite')
        return
    server = KINDS[request.param]()
    try:
        yield server.database()
    finally:
        server.close()


@pytest.fixture
def daemon(tmp_path, url: sa.URL) -> Iterator[Daemon]:
    with Daemon(config_dir(tmp_path, conf={'database': {
            'connection': config_url(url), 'lock_timeout': 30,
            'statement_timeout': 30}})) as running:
        yield running


def slowest(wire: HTTPConnection) -> float:
    """The longest latency of many requests, in seconds."""
    longest, end = 0.0, time.monotonic() + SAMPLE_SECONDS
    for path in itertools.cycle(READ):
        begun = time.monotonic()
        if begun > end:
            return longest
        assert send_request(wire, 'GET', path)[0] == 200
        longest = max(longest, time.monotonic() - begun)
    raise AssertionError


def test_requests_that_need_no_lock_are_not_delayed(daemon: Daemon,
                                                    url: sa.URL):
    """DB06: anything that blocked the worker's thread would raise the latency
    of every sample."""
    with (ThreadPoolExecutor(WRITERS) as clients,
          closing(HTTPConnection(daemon.host, daemon.port,
                                 timeout=WAIT_SECONDS)) as wire):
        with held(url, LOCK[url.get_backend_name()]):
            writers = [clients.submit(post, daemon, f'r{number}')
                       for number in range(WRITERS)]
            until(lambda: daemon.output.count('POST /racks calls')
                  == WRITERS)
            samples = [slowest(wire)]
            while (samples[-1] > MAX_LATENCY_SECONDS
                   and len(samples) < SAMPLES):
                samples.append(slowest(wire))
            assert not any(writer.done() for writer in writers)
        assert {writer.result().status for writer in writers} == {201}
    assert samples[-1] <= MAX_LATENCY_SECONDS, samples
