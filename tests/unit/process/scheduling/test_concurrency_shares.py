# SPDX-License-Identifier: Apache-2.0
"""How many requests of each flow there may be at once (R12)."""

from __future__ import annotations

import pytest

from service.process.scheduling.concurrency_shares import (
    COMPANY,
    FEWEST,
    Shares,
)


class Together:
    """Two flows that came one after the other, at a time in the hand."""

    def __init__(self, most: int = 64) -> None:
        self.now = 0.0
        self.shares = Shares(lambda: self.now, most)
        for flow in 'ab':
            self.shares.came(flow)

    def running(self, flow: str, number: int) -> None:
        for _ in range(number):
            self.shares.begin(flow)


def test_one_that_is_alone_has_no_share() -> None:
    shares = Shares(lambda: 0.0, 64)
    shares.came('a')
    shares.begin('a')
    assert shares.alone and shares.may('a')


def test_each_has_its_own_count() -> None:
    both = Together()
    both.running('a', FEWEST)
    assert not both.shares.may('a')
    assert both.shares.may('b')
    both.shares.end('a')
    assert both.shares.may('a')


@pytest.mark.parametrize('later', [COMPANY, COMPANY * 10])
def test_company_ends_with_the_last_that_came(later: float) -> None:
    both = Together()
    both.running('a', 3)
    both.now = later
    assert both.shares.may('a')
    both.shares.came('a')
    assert both.shares.alone, 'b came too long ago'


def looked(shares: Shares, *seen: bool) -> list[int]:
    """The share after each of these looks."""
    told = []
    for rests in seen:
        shares.rested(rests)
        told.append(shares.share)
    return told


def test_a_share_grows_to_all_slots_while_the_thread_rests() -> None:
    both = Together(most=30)
    both.running('a', 29)
    assert looked(both.shares, *[True] * 10)[1::2] == [16, 30, 30, 30, 30]
    assert both.shares.may('a')


def test_it_shrinks_by_less_than_it_grows_and_never_to_nothing() -> None:
    both = Together()
    looked(both.shares, *[True] * 10)
    seen = looked(both.shares, *[False] * 80)
    assert seen[:8] == [64, 56, 56, 49, 49, 43, 43, 38]
    assert seen[-1] == FEWEST


def test_one_look_is_no_proof() -> None:
    both = Together()
    assert looked(both.shares, *[True, False] * 5) == [FEWEST] * 10


def test_where_there_are_fewer_slots_all_of_them_are_a_share() -> None:
    both = Together(most=2)
    assert (both.shares.share, *looked(both.shares, False, False)) == (
        2, 2, 2)
