# SPDX-License-Identifier: Apache-2.0
"""Many writers share SQLite's single write lock (DB06).

A writer that waited for the lock inside SQLite would block its whole worker,
and two writers of one worker would wait for each other forever. These tests
use SQLite in every environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.functional.harness.connections import (
    HTTPConnection,
    connect_to_each_worker,
    send_request,
)
from tests.functional.harness.daemon import Daemon, config_dir, database

WORKERS, WRITERS, WRITES, READS = 2, 8, 20, 20


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    (tmp_path / 'state').mkdir()
    with Daemon(config_dir(tmp_path, None, {
            'api': {'workers': WORKERS}, 'database': {
                'connection': f'sqlite:///{tmp_path}/state/pileus.sqlite'}})
                ) as running:
        yield running


@pytest.fixture
def wires(daemon: Daemon) -> Iterator[dict[str, list[HTTPConnection]]]:
    """By worker: one connection for reading, and some for writing."""
    with connect_to_each_worker(daemon, WORKERS,
                                WRITERS // WORKERS + 1) as connections:
        yield connections


def write(wire: HTTPConnection, name: str) -> int:
    return send_request(wire, 'POST', '/v1/racks', {'rack': {'name': name}})[0]


def test_every_concurrent_write_succeeds(daemon, wires):
    """DB06: eight writers in two workers, each with its own connection."""
    writers = [wire for _, *share in wires.values() for wire in share]

    def run(number: int) -> list[int]:
        return [write(writers[number], f'{number}-{turn}')
                for turn in range(WRITES)]
    with ThreadPoolExecutor(WRITERS) as pool:
        statuses = [status for each in pool.map(run, range(WRITERS))
                    for status in each]
    assert statuses == [201] * WRITERS * WRITES
    with database(daemon.directory).connect() as connection:
        assert connection.scalar(sa.text(
            'SELECT COUNT(*) FROM r_racks')) == WRITERS * WRITES
    assert 'database is locked' not in daemon.output


def test_waiting_writers_do_not_delay_readers(daemon, wires):
    """DB06: while another process holds the write lock, the same workers
    answer reads; afterwards they answer the writers."""
    writers = [wire for _, *share in wires.values() for wire in share]
    with ThreadPoolExecutor(WRITERS) as pool:
        with database(daemon.directory).connect() as other:
            other.exec_driver_sql('BEGIN IMMEDIATE')
            waiting = [pool.submit(write, wire, f'{number}')
                       for number, wire in enumerate(writers)]
            read = [send_request(reader, 'GET', '/v1/racks')[0]
                    for reader, *_ in wires.values() for _ in range(READS)]
            assert not any(future.done() for future in waiting)
            other.exec_driver_sql('ROLLBACK')
        assert [future.result() for future in waiting] == [201] * WRITERS
    assert read == [200] * READS * WORKERS
    assert 'database is locked' not in daemon.output
