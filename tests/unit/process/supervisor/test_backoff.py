# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from service.process.supervisor.backoff import (
    DELAYS_SECONDS,
    STABLE_SECONDS,
    Backoff,
)


def test_the_first_restart_is_immediate_and_later_delays_grow() -> None:
    backoff = Backoff()
    delays = [backoff.record_death(100.0, lived=0.1) for _ in range(12)]
    assert delays[:3] == [0.0, 0.5, 1.0]
    assert delays == sorted(delays)
    assert set(delays[len(DELAYS_SECONDS):]) == {DELAYS_SECONDS[-1]}


def test_the_next_start_is_due_after_the_delay() -> None:
    backoff = Backoff()
    backoff.record_death(100.0, 0)
    backoff.record_death(100.0, 0)
    assert backoff.until == 100.5


def test_the_death_of_a_worker_that_ran_long_counts_as_the_first() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.record_death(100.0, 0)
    assert backoff.record_death(200.0, lived=STABLE_SECONDS) == 0.0
    assert backoff.failures == 1


def test_reset_forgets_all_deaths() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.record_death(100.0, 0)
    backoff.reset()
    assert (backoff.failures, backoff.until) == (0, 0.0)
