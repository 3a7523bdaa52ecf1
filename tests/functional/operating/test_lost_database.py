# SPDX-License-Identifier: Apache-2.0
"""The SQLite file is removed, cannot grow, or is replaced (DB07).

A write succeeds only if it is stored, and the service recovers when the file
is back.
"""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest

from tests.functional.harness.daemon import Daemon, config_dir, database


@pytest.fixture
def daemon(tmp_path: Path) -> Any:
    with Daemon(config_dir(tmp_path)) as daemon:
        assert creation_status(daemon, 'r1') == 201
        yield daemon


def creation_status(daemon: Daemon, name: str) -> int:
    return daemon.request('POST', '/v1/racks', {'rack': {
        'name': name}}).status


def names(daemon: Daemon) -> list[str]:
    reply = daemon.request('GET', '/v1/racks?sort=name&fields=name')
    assert reply.status == 200, reply.body
    return [rack['name'] for rack in reply.json['racks']]


def assert_unavailable(daemon: Daemon) -> None:
    for method, body in (('GET', None), ('POST', {'rack': {'name': 'r2'}})):
        reply = daemon.request(method, '/v1/racks', body)
        assert reply.status == 503, method
        assert reply.headers['Retry-After'] == '1'
        assert reply.json['errors'][0]['code'] == 'pileus.unavailable'


def test_requests_fail_while_the_database_file_is_gone(daemon,
                                                       tmp_path):
    """DB07: SQLite would write to the removed file, and lose the writes."""
    moved = (tmp_path / 'state').rename(tmp_path / 'away')
    assert_unavailable(daemon)
    assert not (tmp_path / 'state').exists()
    moved.rename(tmp_path / 'state')
    assert names(daemon) == ['r1']
    assert creation_status(daemon, 'r3') == 201
    assert names(daemon) == ['r1', 'r3']


@pytest.mark.parametrize('content', [b'', b'no database at all' * 1000])
def test_requests_fail_with_another_file_in_its_place(daemon, tmp_path,
                                                      content):
    for file in (tmp_path / 'state').glob('pileus.sqlite*'):
        file.unlink()
    assert_unavailable(daemon)
    assert not (tmp_path / 'state' / 'pileus.sqlite').exists()
    (tmp_path / 'state' / 'pileus.sqlite').write_bytes(content)
    assert_unavailable(daemon)


def test_a_full_disk_fails_writes_but_not_reads(daemon, tmp_path):
    """DB07: the worker keeps running, and the database stays intact."""
    (pid,) = daemon.workers()
    largest = max(file.stat().st_size
                  for file in (tmp_path / 'state').iterdir())
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest, limits[1]))
    bulk = daemon.request('POST', '/v1/racks', {'racks': [
        {'name': f'b{number}'} for number in range(900)]})
    assert bulk.status == 503
    assert names(daemon) == ['r1']
    resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    assert creation_status(daemon, 'r3') == 201
    assert names(daemon) == ['r1', 'r3']
    assert daemon.workers() == [pid]
    with database(tmp_path / 'etc').connect() as connection:
        assert connection.exec_driver_sql(
            'PRAGMA integrity_check').all() == [('ok',)]
