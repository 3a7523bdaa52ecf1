# SPDX-License-Identifier: Apache-2.0
"""Slots, the line for them and the reserve, with real green threads."""

from __future__ import annotations

import time

import eventlet
import pytest

from service.process.admission import Admission
from service.process.counters import Counters, LagProbe
from service.process.refusals import Refused
from tests.unit.process.scripted import limits


class Door:
    """An Admission, and the order in which callers came through."""

    def __init__(self, **changes: int) -> None:
        self.counters = Counters()
        self.admission = Admission(limits(**changes), self.counters)
        self.entered: list[str] = []

    def ask(self, name: str, path: str = '/') -> eventlet.greenthread:
        def work() -> None:
            self.admission.enter(path)
            self.entered.append(name)
        thread = eventlet.spawn(work)
        eventlet.sleep(0)
        return thread

    def leave(self) -> None:
        self.admission.leave()
        eventlet.sleep(0)


def test_the_first_in_line_is_the_first_through() -> None:
    door = Door(max_in_flight=1)
    for name in 'abc':
        door.ask(name)
    assert door.entered == ['a']
    for _ in range(2):
        door.leave()
    assert door.entered == ['a', 'b', 'c']
    door.leave()
    assert (door.counters.in_flight, door.counters.queued) == (0, 0)


def test_beyond_the_line_there_is_a_refusal() -> None:
    """R11"""
    door = Door(max_in_flight=1, max_queued=1)
    door.ask('a')
    door.ask('b')
    with pytest.raises(Refused) as caught:
        door.admission.enter('/')
    assert caught.value.status == 503


def test_a_free_slot_is_not_taken_past_the_line() -> None:
    """Whoever waits has the slot the moment it is given back."""
    door = Door(max_in_flight=1)
    door.ask('a')
    door.ask('b')
    door.admission.leave()
    late = eventlet.spawn(door.admission.enter, '/')
    eventlet.sleep(0)
    assert door.entered == ['a', 'b']
    assert door.counters.queued == 1
    late.kill()
    assert door.counters.queued == 0


def test_the_sweep_sends_away_who_waited_too_long() -> None:
    """R11"""
    door = Door(max_in_flight=1)
    door.ask('a')
    thread = door.ask('b')
    told: list[int] = []
    thread.link(lambda one: told.append(1))
    eventlet.hubs.get_hub().schedule_call_global(
        0, door.admission.sweep, float('inf'))
    with pytest.raises(Refused):
        thread.wait()
    assert door.entered == ['a'] and door.counters.queued == 0


def test_a_turn_that_is_killed_after_it_was_granted_is_passed_on() -> None:
    door = Door(max_in_flight=1)
    door.ask('a')
    killed = door.ask('b')
    door.ask('c')
    door.admission.leave()
    killed.kill()
    eventlet.sleep(0)
    eventlet.sleep(0)
    assert door.entered == ['a', 'c']
    door.leave()
    assert door.counters.in_flight == 0


def test_the_reserve_ends_too() -> None:
    """R11"""
    door = Door(max_in_flight=1, reserved_in_flight=1, max_queued=0)
    door.ask('a')
    door.ask('probe', '/healthcheck')
    assert door.entered == ['a', 'probe']
    with pytest.raises(Refused):
        door.admission.enter('/healthcheck')


def test_counters_are_plain_values_for_a_metrics_page() -> None:
    counters = Counters()
    counters.refused['slow'] += 2
    found = counters.snapshot()
    assert found['refused'] == {'slow': 2}
    assert found['accepted'] == 0


def test_the_probe_sees_a_thread_that_lets_nobody_else_run() -> None:
    """R16"""
    counters = Counters()
    probe = LagProbe(eventlet.hubs.get_hub(), counters)
    try:
        eventlet.sleep(0.05)
        quiet = counters.take_hub_lag()
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            pass
        eventlet.sleep(0.03)
        assert counters.take_hub_lag() > max(0.15, quiet)
        assert counters.hub_lag == 0
    finally:
        probe.stop()
