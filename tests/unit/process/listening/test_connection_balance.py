# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from service.process.listening.connection_balance import ConnectionBalance


def test_the_one_with_more_lets_the_other_go_first() -> None:
    balance = ConnectionBalance(2)
    one, two = balance.of_worker(0), balance.of_worker(1)
    one.publish(3)
    two.publish(2)
    assert one.exceeds_another()
    assert not two.exceeds_another()


def test_equals_do_not_wait_for_each_other() -> None:
    balance = ConnectionBalance(2)
    one, two = balance.of_worker(0), balance.of_worker(1)
    one.publish(3)
    two.publish(3)
    assert not one.exceeds_another()
    assert not two.exceeds_another()


def test_nobody_waits_for_one_that_is_not_there() -> None:
    balance = ConnectionBalance(3)
    one, two = balance.of_worker(0), balance.of_worker(1)
    one.publish(3)
    assert not one.exceeds_another()
    two.publish(0)
    assert one.exceeds_another()
    two.withdraw()
    assert not one.exceeds_another()
