# SPDX-License-Identifier: Apache-2.0
"""The connection breaks at a commit, and nobody says what became of it (DB02):
the client is told as if nothing had happened, and the write is stored once.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from tests.functional.faults.own import Own, until
from tests.functional.faults.test_down import is_unavailable, names, post
from tests.functional.faults.test_slow import waiting
from tests.functional.harness.daemon import Daemon

NOT_KNOWN = 'it is not known whether the write was stored'


@pytest.fixture
def url(through: sa.URL) -> sa.URL:
    return through


@pytest.fixture
def warm(running: Daemon) -> Daemon:
    """A daemon whose connection is open: its next COMMIT is a write's."""
    assert post(running, 'first').status == 201
    return running


def revisions(server: Own, behind: sa.URL) -> int:
    with server.asked(behind) as connection:
        return connection.scalar(sa.text(
            'SELECT count(*) FROM pileus_revisions')) or 0


@pytest.mark.parametrize('how', ['unsent', 'unanswered'])
def test_a_write_whose_commit_is_not_answered_is_stored_once(
        server, behind, proxy, warm, how):
    proxy.cut(how)
    assert post(warm, 'r1').status == 201
    assert proxy.cuts == 1
    assert names(server, behind) == ['first', 'r1']
    assert revisions(server, behind) == 2
    assert warm.output.count('action=create type=rack') == 2


@pytest.mark.parametrize('how', ['unsent', 'unanswered'])
def test_so_is_one_on_a_condition(server, behind, proxy, warm, how):
    """Run again after it was stored it would be 412: who asked for it would
    be told that another came first."""
    made = warm.request('GET', '/v1/racks').json['racks'][0]
    path = f'/v1/racks/{made["id"]}'
    etag = warm.request('GET', path).headers['ETag']
    proxy.cut(how)
    assert warm.request('PUT', path, {'rack': {'name': 'r1'}},
                        {'If-Match': etag}).status == 200
    assert (proxy.cuts, names(server, behind)) == (1, ['r1'])
    assert revisions(server, behind) == 2


@pytest.mark.parametrize('how', ['unsent', 'unanswered'])
def test_so_are_limits(proxy, warm, how):
    seen = warm.request('GET', '/v1/quotas/demo').headers['ETag']
    proxy.cut(how)
    told = warm.request('PUT', '/v1/quotas/demo', {'quota': {'hosts': 7}},
                        {'If-Match': seen})
    assert (proxy.cuts, told.status) == (1, 200), told.body
    found = warm.request('GET', '/v1/quotas/demo').json['quota']
    assert found['hosts']['limit'] == 7


@pytest.mark.parametrize('how', ['unsent', 'unanswered'])
def test_the_reply_under_an_idempotency_key_is_kept_once(
        server, behind, proxy, warm, how):
    def sent() -> tuple[int, bytes]:
        reply = warm.request('POST', '/v1/racks', {'rack': {'name': 'r1'}},
                             {'Idempotency-Key': 'one'})
        return reply.status, reply.body
    proxy.cut(how)
    first = sent()
    assert (first[0], proxy.cuts, sent()) == (201, 1, first)
    assert names(server, behind) == ['first', 'r1']


def test_a_commit_that_is_still_under_way_is_waited_for(
        server, behind, proxy, warm):
    """Its connection is gone here and not yet there: asked too early, it
    would be taken for undone, run again, and stored twice."""
    proxy.cut('late')
    with ThreadPoolExecutor(1) as clients:
        asked = clients.submit(post, warm, 'r1')
        until(lambda: waiting(server, behind))
        assert not asked.done()
        proxy.deliver()
        assert asked.result().status == 201
    assert names(server, behind) == ['first', 'r1']
    assert revisions(server, behind) == 2


def test_a_server_that_stays_away_leaves_it_open(
        server, behind, proxy, warm):
    """The one case in which a refused write may be stored; it is logged."""
    proxy.cut('unanswered', away=True)
    assert is_unavailable(post(warm, 'r1'))
    assert NOT_KNOWN in warm.output
    proxy.away = False
    assert post(warm, 'r2').status == 201
    assert names(server, behind) == ['first', 'r1', 'r2']


@pytest.mark.parametrize('how', ['unsent', 'unanswered'])
def test_one_that_is_back_in_time_is_asked(server, behind, proxy, warm, how):
    proxy.cut(how, away=True)
    with ThreadPoolExecutor(1) as clients:
        asked = clients.submit(post, warm, 'r1')
        until(lambda: proxy.turned_away >= 3)
        proxy.away = False
        assert asked.result().status == 201
    assert NOT_KNOWN not in warm.output
    assert names(server, behind) == ['first', 'r1']
    assert revisions(server, behind) == 2


def test_a_connection_that_breaks_before_the_commit_is_nobodys_trouble(
        server, behind, warm, failing):
    """What was done on it is undone, and is done again on another."""
    failing('before_commit=sleep 1')
    with ThreadPoolExecutor(1) as clients:
        asked = clients.submit(post, warm, 'r1')
        until(lambda: 'failpoint before_commit' in warm.output)
        failing('')
        server.cut(behind)
        assert asked.result().status == 201
    assert names(server, behind) == ['first', 'r1']
    assert revisions(server, behind) == 2
