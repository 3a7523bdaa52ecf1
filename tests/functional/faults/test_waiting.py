# SPDX-License-Identifier: Apache-2.0
"""Thirty writers wait for a lock that is another's (DB06): whoever does not
need it is answered as if they were not there.

SQLite waits in the worker's only thread, and so does PostgreSQL's driver
unless it is kept from it.
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

#: How long anybody may wait for the worker's one thread, in seconds; for how
#: long that is looked at, and how often, for the machine itself may be slow.
LAG, LOOK, LOOKS = 0.1, 1.0, 5

#: What takes the turn of all writers, by the dialect's name.
TAKEN = dict.fromkeys(KINDS, 'UPDATE pileus_counter SET n = n') | {
    'sqlite': 'BEGIN IMMEDIATE'}

#: What is asked meanwhile.
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
    """How long the slowest of many answers took."""
    found, end = 0.0, time.monotonic() + LOOK
    for path in itertools.cycle(READ):
        begun = time.monotonic()
        if begun > end:
            return found
        assert send_request(wire, 'GET', path)[0] == 200
        found = max(found, time.monotonic() - begun)
    raise AssertionError


def test_who_needs_no_lock_is_answered_at_once(daemon: Daemon, url: sa.URL):
    """DB06: whatever holds the worker's thread holds each look up."""
    with (ThreadPoolExecutor(WRITERS) as clients,
          closing(HTTPConnection(daemon.host, daemon.port,
                                 timeout=WAIT_SECONDS)) as wire):
        with held(url, TAKEN[url.get_backend_name()]):
            writers = [clients.submit(post, daemon, f'r{number}')
                       for number in range(WRITERS)]
            until(lambda: daemon.output.count('POST /racks calls')
                  == WRITERS)
            looks = [slowest(wire)]
            while looks[-1] > LAG and len(looks) < LOOKS:
                looks.append(slowest(wire))
            assert not any(one.done() for one in writers)
        assert {one.result().status for one in writers} == {201}
    assert looks[-1] <= LAG, looks
