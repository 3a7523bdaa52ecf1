# SPDX-License-Identifier: Apache-2.0
"""How many ask another service at once, and who is refused."""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress

import pytest

from api.middleware.circuit_breaker import CircuitBreaker, IdentityRefused


class Silence(Exception):
    """Nobody answered."""


def breaker(most: int, waiting: int = 0) -> CircuitBreaker:
    return CircuitBreaker(most, waiting, lambda exc: isinstance(exc, Silence))


def admitted(asked: CircuitBreaker) -> bool:
    try:
        with asked:
            return True
    except IdentityRefused:
        return False


def broken(asked: CircuitBreaker) -> CircuitBreaker:
    with suppress(Silence), asked:
        raise Silence
    return asked


def test_so_many_ask_at_once_and_no_more():
    asked = breaker(2)
    with ExitStack() as asking:
        for _ in range(2):
            asking.enter_context(asked)
        assert not admitted(asked)
    assert admitted(asked)


def test_who_waits_asks_when_another_is_done():
    asked = breaker(1, waiting=1)
    told: list[bool] = []
    waiting = threading.Thread(target=lambda: told.append(admitted(asked)))
    with asked:
        waiting.start()
        while not asked._waiting and waiting.is_alive():
            pass
    waiting.join()
    assert told == [True]


def test_nobody_passes_those_who_wait():
    asked = breaker(1, waiting=1)
    first = threading.Thread(target=lambda: admitted(asked))
    with asked._changed:
        asked._running = 1
    first.start()
    while not asked._waiting and first.is_alive():
        pass
    with asked._changed:
        asked._running = 0
        assert not asked._acquire()
        asked._changed.notify_all()
    first.join()
    assert admitted(asked)


def test_who_waits_in_vain_is_refused():
    asked = breaker(1, waiting=1)
    with asked:
        assert not admitted(asked)


def test_an_error_is_an_answer():
    asked = breaker(2)
    with suppress(ValueError), asked:
        raise ValueError
    with asked:
        assert admitted(asked)


def test_after_no_answer_one_asks_at_a_time_and_nobody_waits():
    asked = broken(breaker(8, waiting=8))
    with pytest.raises(Silence), asked:
        assert not admitted(asked)
        raise Silence
    with asked:
        assert not admitted(asked)


@pytest.mark.parametrize('answer', [None, ValueError()])
def test_one_answer_lets_all_ask_again(answer):
    asked = broken(breaker(2))
    with suppress(ValueError), asked:
        if answer:
            raise answer
    with asked:
        assert admitted(asked)


def test_no_answer_to_one_sends_those_who_wait_away():
    asked = breaker(1, waiting=1)
    told: list[bool] = []
    waiting = threading.Thread(target=lambda: told.append(admitted(asked)))
    with suppress(Silence), asked:
        waiting.start()
        while not asked._waiting and waiting.is_alive():
            pass
        raise Silence
    waiting.join()
    assert told == [False]
