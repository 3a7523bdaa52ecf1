# SPDX-License-Identifier: Apache-2.0
"""The circuit breaker: which calls run, wait or are refused."""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress

import pytest

from api.middleware.circuit_breaker import CircuitBreaker, IdentityRefused


class Silence(Exception):
    """An outage: no answer came."""


def make(max_running: int, max_waiting: int = 0) -> CircuitBreaker:
    return CircuitBreaker(max_running, max_waiting,
                          lambda exc: isinstance(exc, Silence))


def runs(breaker: CircuitBreaker) -> bool:
    try:
        with breaker:
            return True
    except IdentityRefused:
        return False


def opened(breaker: CircuitBreaker) -> CircuitBreaker:
    with suppress(Silence), breaker:
        raise Silence
    return breaker


def test_calls_beyond_the_limit_are_refused():
    breaker = make(2)
    with ExitStack() as running:
        for _ in range(2):
            running.enter_context(breaker)
        assert not runs(breaker)
    assert runs(breaker)


def test_a_waiting_call_starts_when_another_ends():
    breaker = make(1, max_waiting=1)
    results: list[bool] = []
    waiter = threading.Thread(target=lambda: results.append(runs(breaker)))
    with breaker:
        waiter.start()
        while not breaker._waiting and waiter.is_alive():
            pass
    waiter.join()
    assert results == [True]


def test_a_new_call_does_not_overtake_a_waiting_one():
    breaker = make(1, max_waiting=1)
    first = threading.Thread(target=lambda: runs(breaker))
    with breaker._changed:
        breaker._running = 1
    first.start()
    while not breaker._waiting and first.is_alive():
        pass
    with breaker._changed:
        breaker._running = 0
        assert not breaker._acquire()
        breaker._changed.notify_all()
    first.join()
    assert runs(breaker)


def test_a_call_that_waits_too_long_is_refused():
    breaker = make(1, max_waiting=1)
    with breaker:
        assert not runs(breaker)


def test_an_error_that_is_no_outage_keeps_the_breaker_closed():
    breaker = make(2)
    with suppress(ValueError), breaker:
        raise ValueError
    with breaker:
        assert runs(breaker)


def test_after_an_outage_one_call_runs_at_a_time_and_none_waits():
    breaker = opened(make(8, max_waiting=8))
    with pytest.raises(Silence), breaker:
        assert not runs(breaker)
        raise Silence
    with breaker:
        assert not runs(breaker)


@pytest.mark.parametrize('answer', [None, ValueError()])
def test_one_answer_closes_the_breaker(answer):
    breaker = opened(make(2))
    with suppress(ValueError), breaker:
        if answer:
            raise answer
    with breaker:
        assert runs(breaker)


def test_an_outage_refuses_the_waiting_calls():
    breaker = make(1, max_waiting=1)
    results: list[bool] = []
    waiter = threading.Thread(target=lambda: results.append(runs(breaker)))
    with suppress(Silence), breaker:
        waiter.start()
        while not breaker._waiting and waiter.is_alive():
            pass
        raise Silence
    waiter.join()
    assert results == [False]
