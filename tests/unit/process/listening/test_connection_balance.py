# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from service.process.listening.connection_balance import ConnectionBalance


def test_the_one_with_more_lets_the_other_go_first() -> None:
    balance = ConnectionBalance(2)
    one, two = balance.place(0), balance.place(1)
    one.hold(3)
    two.hold(2)
    assert one.crowded()
    assert not two.crowded()


def test_equals_do_not_wait_for_each_other() -> None:
    balance = ConnectionBalance(2)
    one, two = balance.place(0), balance.place(1)
    one.hold(3)
    two.hold(3)
    assert not one.crowded()
    assert not two.crowded()


def test_nobody_waits_for_one_that_is_not_there() -> None:
    balance = ConnectionBalance(3)
    one, two = balance.place(0), balance.place(1)
    one.hold(3)
    assert not one.crowded()
    two.hold(0)
    assert one.crowded()
    two.leave()
    assert not one.crowded()
