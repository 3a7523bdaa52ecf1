# SPDX-License-Identifier: Apache-2.0
"""The connection breaks at a commit, so its outcome is unknown (DB02).

The client gets the normal reply, and the write is stored once.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from tests.functional.faults.own import DatabaseServer, until
from tests.functional.faults.test_down import is_unavailable, names, post
from tests.functional.faults.test_slow import waiting
from tests.functional.harness.daemon import Daemon

NOT_KNOWN = 'it is not known whether the write was stored'


@pytest.fixture
def url(through: sa.URL) -> sa.URL:
    return through


@pytest.fixture
def warm(running: Daemon) -> Daemon:
    """A daemon with an open connection: its next COMMIT is that of a write."""
    assert post(running, 'first').status == 201
    return running


def revisions(server: DatabaseServer, behind: sa.URL) -> int:
    with server.connect(behind) as connection:
        return connection.scalar(sa.text(
            'SELECT count(*) FROM pileus_revisions')) or 0


@pytest.mark.parametrize('how', ['unsent', 'unanswered'])
def test_a_write_without_an_answer_to_its_commit_is_stored_once(
        server, behind, proxy, warm, how):
    proxy.cut(how)
    assert post(warm, 'r1').status == 201
    assert proxy.cuts == 1
    assert names(server, behind) == ['first', 'r1']
    assert revisions(server, behind) == 2
    assert warm.output.count('action=create type=rack') == 2


@pytest.mark.parametrize('how', ['unsent', 'unanswered'])
def test_a_conditional_write_without_an_answer_is_stored_once(
        server, behind, proxy, warm, how):
    """A second run after the first was stored would be 412, as if another
    client had changed the record."""
    rack = warm.request('GET', '/v1/racks').json['racks'][0]
    path = f'/v1/racks/{rack["id"]}'
    etag = warm.request('GET', path).headers['ETag']
    proxy.cut(how)
    assert warm.request('PUT', path, {'rack': {'name': 'r1'}},
                        {'If-Match': etag}).status == 200
    assert (proxy.cuts, names(server, behind)) == (1, ['r1'])
    assert revisions(server, behind) == 2


@pytest.mark.parametrize('how', ['unsent', 'unanswered'])
def test_a_quota_change_without_an_answer_to_its_commit_succeeds(
        proxy, warm, how):
    seen = warm.request('GET', '/v1/quotas/demo').headers['ETag']
    proxy.cut(how)
    reply = warm.request('PUT', '/v1/quotas/demo', {'quota': {'hosts': 7}},
                         {'If-Match': seen})
    assert (proxy.cuts, reply.status) == (1, 200), reply.body
    quota = warm.request('GET', '/v1/quotas/demo').json['quota']
    assert quota['hosts']['limit'] == 7


@pytest.mark.parametrize('how', ['unsent', 'unanswered'])
def test_an_idempotent_create_without_an_answer_is_stored_once(
        server, behind, proxy, warm, how):
    def sent() -> tuple[int, bytes]:
        reply = warm.request('POST', '/v1/racks', {'rack': {'name': 'r1'}},
                             {'Idempotency-Key': 'one'})
        return reply.status, reply.body
    proxy.cut(how)
    first = sent()
    assert (first[0], proxy.cuts, sent()) == (201, 1, first)
    assert names(server, behind) == ['first', 'r1']


def test_the_service_waits_for_a_commit_that_is_still_running(
        server, behind, proxy, warm):
    """The connection is closed here but not yet at the server. A check that
    does not wait would find no write, repeat it and store it twice."""
    proxy.cut('late')
    with ThreadPoolExecutor(1) as clients:
        request = clients.submit(post, warm, 'r1')
        until(lambda: waiting(server, behind))
        assert not request.done()
        proxy.deliver()
        assert request.result().status == 201
    assert names(server, behind) == ['first', 'r1']
    assert revisions(server, behind) == 2


def test_an_unknown_outcome_is_503_and_logged_if_the_server_stays_down(
        server, behind, proxy, warm):
    """Only in this case a refused write may be stored."""
    proxy.cut('unanswered', away=True)
    assert is_unavailable(post(warm, 'r1'))
    assert NOT_KNOWN in warm.output
    proxy.away = False
    assert post(warm, 'r2').status == 201
    assert names(server, behind) == ['first', 'r1', 'r2']


@pytest.mark.parametrize('how', ['unsent', 'unanswered'])
def test_the_outcome_is_looked_up_when_the_server_is_back_in_time(
        server, behind, proxy, warm, how):
    proxy.cut(how, away=True)
    with ThreadPoolExecutor(1) as clients:
        request = clients.submit(post, warm, 'r1')
        until(lambda: proxy.turned_away >= 3)
        proxy.away = False
        assert request.result().status == 201
    assert NOT_KNOWN not in warm.output
    assert names(server, behind) == ['first', 'r1']
    assert revisions(server, behind) == 2


def test_a_transaction_is_retried_if_its_connection_breaks_before_commit(
        server, behind, warm, failing):
    """The server rolled back the first run."""
    failing('before_commit=sleep 1')
    with ThreadPoolExecutor(1) as clients:
        request = clients.submit(post, warm, 'r1')
        until(lambda: 'failpoint before_commit' in warm.output)
        failing('')
        server.cut(behind)
        assert request.result().status == 201
    assert names(server, behind) == ['first', 'r1']
    assert revisions(server, behind) == 2
