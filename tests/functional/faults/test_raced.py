# SPDX-License-Identifier: Apache-2.0
"""Deadlocks, lock timeouts and serialization failures (DB05).

The database rolls one transaction back, and the service runs it again.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from service.config import files as config_files
from service.domain.errors import Unavailable
from service.storage.database import engine
from service.storage.database.engine import Transactions

ADD = sa.text('UPDATE sums SET n = n + 1 WHERE id = :id')


@pytest.fixture
def connected(configured) -> Iterator[sa.Engine]:
    directory = configured({'lock_timeout': 1})
    database = engine.connect(config_files.load([
        '--config-dir', str(directory)]))
    with database.begin() as connection:
        connection.exec_driver_sql(
            'CREATE TABLE sums (id INTEGER PRIMARY KEY, n INTEGER)')
        connection.exec_driver_sql('INSERT INTO sums VALUES (1, 0), (2, 0)')
    yield database
    database.dispose()


def sums(connected: sa.Engine) -> list[int]:
    with connected.connect() as connection:
        return list(connection.scalars(sa.text(
            'SELECT n FROM sums ORDER BY id')))


def test_one_transaction_of_a_deadlock_runs_again(connected):
    both = threading.Barrier(2)
    runs = []

    def crossing(first: int, second: int) -> None:
        def work(connection: sa.Connection) -> None:
            connection.execute(ADD, {'id': first})
            runs.append(first)
            if runs.count(first) == 1:
                both.wait(20)
            connection.execute(ADD, {'id': second})
        Transactions(connected).write(work)

    with ThreadPoolExecutor(2) as threads:
        for transaction in [threads.submit(crossing, 1, 2),
                            threads.submit(crossing, 2, 1)]:
            transaction.result()
    assert sums(connected) == [2, 2]
    assert len(runs) > 2


def test_a_lock_that_is_released_in_time_is_acquired(connected):
    with connected.connect() as other:
        other.execute(ADD, {'id': 1})
        runs = []

        def work(connection: sa.Connection) -> None:
            runs.append(1)
            if len(runs) == 2:
                other.rollback()
            connection.execute(ADD, {'id': 1})
        Transactions(connected).write(work)
    assert (sums(connected), len(runs)) == ([1, 0], 2)


def test_a_lock_that_is_not_released_is_unavailable(connected):
    with connected.connect() as other:
        other.execute(ADD, {'id': 1})
        with pytest.raises(Unavailable):
            Transactions(connected, retry_seconds=0.5).write(
                lambda connection: connection.execute(ADD, {'id': 1}))
        other.rollback()
    assert sums(connected) == [0, 0]


def test_a_transaction_runs_again_after_a_serialization_failure(connected):
    strict = connected.execution_options(isolation_level='SERIALIZABLE')
    both, runs = threading.Barrier(2), []

    def copying(target: int, source: int) -> None:
        def work(connection: sa.Connection) -> None:
            n = connection.scalar(sa.text(
                'SELECT n FROM sums WHERE id = :id'), {'id': source})
            runs.append(target)
            if runs.count(target) == 1:
                both.wait(20)
            connection.execute(sa.text(
                'UPDATE sums SET n = :n WHERE id = :id'),
                {'n': n + 1, 'id': target})
        Transactions(strict).write(work)

    with ThreadPoolExecutor(2) as threads:
        for transaction in [threads.submit(copying, 1, 2),
                            threads.submit(copying, 2, 1)]:
            transaction.result()
    assert sorted(sums(connected)) == [1, 2]
    assert len(runs) > 2
