# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from service.process.listening.connection_balance import ConnectionBalance


def test_a_worker_with_more_connections_lets_another_accept_first() -> None:
    balance = ConnectionBalance(2)
    first, second = balance.of_worker(0), balance.of_worker(1)
    first.publish(3)
    second.publish(2)
    assert first.exceeds_another()
    assert not second.exceeds_another()


def test_workers_with_equal_counts_do_not_wait() -> None:
    balance = ConnectionBalance(2)
    first, second = balance.of_worker(0), balance.of_worker(1)
    first.publish(3)
    second.publish(3)
    assert not first.exceeds_another()
    assert not second.exceeds_another()


def test_no_worker_waits_for_one_that_does_not_accept() -> None:
    balance = ConnectionBalance(3)
    first, second = balance.of_worker(0), balance.of_worker(1)
    first.publish(3)
    assert not first.exceeds_another()
    second.publish(0)
    assert first.exceeds_another()
    second.withdraw()
    assert not first.exceeds_another()
