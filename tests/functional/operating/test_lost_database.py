# SPDX-License-Identifier: Apache-2.0
"""The SQLite file goes, is full, or is another one (DB07): nothing is said to
be stored that is not, and all is well when it is back.
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
        assert made(daemon, 'r1') == 201
        yield daemon


def made(daemon: Daemon, name: str) -> int:
    return daemon.request('POST', '/v1/racks', {'rack': {
        'name': name}}).status


def names(daemon: Daemon) -> list[str]:
    reply = daemon.request('GET', '/v1/racks?sort=name&fields=name')
    assert reply.status == 200, reply.body
    return [one['name'] for one in reply.json['racks']]


def unavailable(daemon: Daemon) -> None:
    for method, body in (('GET', None), ('POST', {'rack': {'name': 'r2'}})):
        reply = daemon.request(method, '/v1/racks', body)
        assert reply.status == 503, method
        assert reply.headers['Retry-After'] == '1'
        assert reply.json['errors'][0]['code'] == 'pileus.unavailable'


def test_what_is_written_to_a_file_that_is_gone_is_not_stored(daemon,
                                                              tmp_path):
    """DB07: SQLite itself would write on, and all of it be lost."""
    away = (tmp_path / 'state').rename(tmp_path / 'away')
    unavailable(daemon)
    assert not (tmp_path / 'state').exists()
    away.rename(tmp_path / 'state')
    assert names(daemon) == ['r1']
    assert made(daemon, 'r3') == 201
    assert names(daemon) == ['r1', 'r3']


@pytest.mark.parametrize('content', [b'', b'no database at all' * 1000])
def test_nor_to_another_file_of_its_name(daemon, tmp_path, content):
    for file in (tmp_path / 'state').glob('pileus.sqlite*'):
        file.unlink()
    unavailable(daemon)
    assert not (tmp_path / 'state' / 'pileus.sqlite').exists()
    (tmp_path / 'state' / 'pileus.sqlite').write_bytes(content)
    unavailable(daemon)


def test_a_full_disk_stops_writes_and_no_reads(daemon, tmp_path):
    """DB07."""
    (pid,) = daemon.workers()
    largest = max(one.stat().st_size
                  for one in (tmp_path / 'state').iterdir())
    limits = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest, limits[1]))
    bulk = daemon.request('POST', '/v1/racks', {'racks': [
        {'name': f'b{number}'} for number in range(900)]})
    assert bulk.status == 503
    assert names(daemon) == ['r1']
    resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    assert made(daemon, 'r3') == 201
    assert names(daemon) == ['r1', 'r3']
    assert daemon.workers() == [pid]
    with database(tmp_path / 'etc').connect() as connection:
        assert connection.exec_driver_sql(
            'PRAGMA integrity_check').all() == [('ok',)]
