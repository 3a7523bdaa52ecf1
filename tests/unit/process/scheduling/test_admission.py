# SPDX-License-Identifier: Apache-2.0
"""Slots, the line for them and the reserve, with real green threads."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import eventlet
import pytest
from greenlet import getcurrent

from service.process.counters import Counters, LagProbe
from service.process.refusals import RequestRefused
from service.process.scheduling.admission import Admission
from service.process.scheduling.concurrency_shares import COMPANY, FEWEST
from tests.unit.process.scripted import limits


class Door:
    """An Admission, and the order in which callers came through."""

    def __init__(self, **changes: int) -> None:
        self.counters = Counters()
        self.now = 0.0
        self.admission = Admission(limits(**changes), self.counters,
                                   lambda: self.now)
        self.entered: list[str] = []
        self._left = 0

    def ask(self, name: str, path: str = '/') -> eventlet.greenthread:
        """A request of the project that its name begins with."""
        def work() -> None:
            self.admission.enter(path, name[0])
            self.entered.append(name)
        thread = eventlet.spawn(work)
        eventlet.sleep(0)
        return thread

    def start(self, name: str) -> eventlet.greenthread:
        """As ``ask``, but it takes a while, and others may come meanwhile."""
        def work() -> None:
            self.admission.enter('/', name[0])
            self.entered.append(name)
            self.now += 1
        return eventlet.spawn(work)

    def leave(self) -> None:
        """Whoever is in for the longest leaves."""
        self.out()
        eventlet.sleep(0)

    def out(self) -> None:
        self.admission.leave(self.entered[self._left][0])
        self._left += 1


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
    with pytest.raises(RequestRefused) as caught:
        door.admission.enter('/')
    assert caught.value.status == 503


def test_a_free_slot_is_not_taken_past_the_line() -> None:
    """Whoever waits has the slot the moment it is given back."""
    door = Door(max_in_flight=1)
    door.ask('a')
    door.ask('b')
    door.out()
    late = eventlet.spawn(door.admission.enter, '/', 'c')
    eventlet.sleep(0)
    assert door.entered == ['a', 'b']
    assert door.counters.queued == 1
    late.kill()
    assert door.counters.queued == 0


def test_projects_take_turns_for_the_slots() -> None:
    """R12"""
    door = Door(max_in_flight=1)
    for name in ('a1', 'a2', 'a3', 'a4', 'b1'):
        door.ask(name)
    for _ in range(3):
        door.leave()
    assert door.entered == ['a1', 'a2', 'b1', 'a3']


def test_a_full_line_makes_room_for_a_project_that_is_not_in_it() -> None:
    """R12: the flood's own excess is refused."""
    door = Door(max_in_flight=1, max_queued=2)
    door.ask('a1')
    door.ask('a2')
    excess = door.ask('a3')
    door.ask('b1')
    with pytest.raises(RequestRefused) as caught:
        excess.wait()
    assert caught.value.status == 503
    for _ in range(2):
        door.leave()
    assert door.entered == ['a1', 'a2', 'b1']


def test_no_more_is_begun_at_a_time_than_for_a_slice() -> None:
    """R12: those that came in one go are not all ahead of the next."""
    door = Door()
    for name in ('a1', 'a2', 'a3'):
        door.start(name)
    eventlet.sleep(0)
    assert door.entered == ['a1']
    door.start('b1')
    for _ in range(8):
        eventlet.sleep(0)
    assert door.entered == ['a1', 'a2', 'b1', 'a3']
    assert door.counters.in_flight == 4


def alone(door: Door, *names: str) -> None:
    """Requests of one flow alone, and then it has company."""
    for name in names:
        door.ask(name)
    eventlet.sleep(0)
    assert door.entered == list(names)


def test_a_flow_alone_has_every_slot() -> None:
    alone(Door(), *(f'a{number}' for number in range(9)))


def test_where_another_comes_its_share_is_what_a_flow_has() -> None:
    """R12: and whoever has less than that is let in at once."""
    door = Door()
    first = [f'a{number}' for number in range(FEWEST)]
    alone(door, *first)
    door.ask('b1')
    busy(door, lambda: door.ask('a9'))
    assert door.entered == [*first, 'b1']
    door.leave()
    eventlet.sleep(0)
    assert door.entered == [*first, 'b1', 'a9']


def test_in_company_only_a_flows_first_begins_as_it_is_read() -> None:
    """R12: those that came in one go do not all begin before the next look,
    however short each of them is."""
    door = Door()
    alone(door, 'a1')
    door.ask('b1')
    for _ in range(2):
        door.leave()

    def read(name: str) -> None:
        door.admission.enter('/', name[0])
        door.entered.append(name)
    begun = [eventlet.spawn(read, name) for name in ('a2', 'a3', 'b2')]
    eventlet.sleep(0)
    assert door.entered[2:] == ['a2']
    for one in begun:
        one.wait()
    assert sorted(door.entered[2:]) == ['a2', 'a3', 'b2']


def busy(door: Door, work: Callable[[], object]) -> None:
    """The thread has something to do all the time meanwhile."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.send(b'x')
        hub = eventlet.hubs.get_hub()
        watch = hub.add(hub.READ, ours.fileno(), lambda fd: None,
                        lambda exc: None, lambda: None)
        try:
            work()
            end = time.monotonic() + 0.02
            while time.monotonic() < end:
                eventlet.sleep(0)
        finally:
            hub.remove(watch)


def test_while_the_thread_would_rest_a_flow_has_more() -> None:
    """R12: requests that wait for a slow database do not wait for each
    other."""
    door = Door()
    alone(door, 'a1')
    for name in ('b1', 'a2', 'a3', 'b2'):
        door.ask(name)
    deadline = time.monotonic() + 10
    while len(door.entered) < 5:
        eventlet.sleep(0.001)
        assert time.monotonic() < deadline
    assert sorted(door.entered) == ['a1', 'a2', 'a3', 'b1', 'b2']


def test_company_is_over_when_nobody_else_came_for_a_while() -> None:
    door = Door()
    alone(door, 'a1')
    door.ask('b1')
    door.leave()
    door.leave()
    door.now += COMPANY
    busy(door, lambda: [door.ask(f'a{number}') for number in range(2, 9)])
    assert len(door.entered) == 9


def test_of_a_flow_that_has_its_share_no_more_wait_than_may() -> None:
    """R12: its excess is refused, though slots are free for the others."""
    door = Door(max_in_flight=FEWEST + 5, max_queued=1)
    first = [f'a{number}' for number in range(FEWEST)]
    alone(door, *first)
    door.ask('b1')

    def flood() -> None:
        for number in range(5):
            door.ask(f'a1{number}')
        with pytest.raises(RequestRefused):
            door.admission.enter('/', 'a')
        for name in ('c1', 'd1', 'e1'):
            door.ask(name)
    busy(door, flood)
    assert door.entered == [*first, 'b1', 'c1', 'd1', 'e1']


def test_what_begins_next_gives_way_to_who_goes_on() -> None:
    """R12: where that one's last step is longer ago."""
    door = Door()
    alone(door, *(f'a{number}' for number in range(FEWEST)))
    door.ask('b1')
    ours, theirs = socket.socketpair()
    with ours, theirs:
        def wait() -> None:
            getcurrent().flow = 'b'
            eventlet.hubs.trampoline(ours.fileno(), read=True)
            door.entered.append('b went on')
        eventlet.spawn(wait)
        busy(door, lambda: door.ask('a9'))
        theirs.send(b'x')
        door.admission.leave('a')
        for _ in range(9):
            eventlet.sleep(0)
    assert door.entered[-2:] == ['b went on', 'a9']


def test_beside_others_a_floods_excess_is_refused_bit_by_bit() -> None:
    """R12: it comes again and again, and each time costs as much as a small
    request."""
    door = Door(max_in_flight=2, max_queued=1)
    alone(door, 'a1')
    for name in ('b1', 'a2'):
        door.ask(name)
    gone: list[int] = []
    excess = [eventlet.spawn(door.admission.enter, '/', 'a')
              for _ in range(5)]
    for number, one in enumerate(excess):
        one.link(lambda one, number=number: gone.append(number))
    eventlet.sleep(0)
    assert gone == []
    for one in excess:
        with pytest.raises(RequestRefused):
            one.wait()
        assert len(gone) < 5 or one is excess[-1]
    assert gone == [0, 1, 2, 3, 4]


def test_the_sweep_sends_away_who_waited_too_long() -> None:
    """R11"""
    door = Door(max_in_flight=1)
    door.ask('a')
    thread = door.ask('b')
    told: list[int] = []
    thread.link(lambda one: told.append(1))
    eventlet.hubs.get_hub().schedule_call_global(
        0, door.admission.sweep, float('inf'))
    with pytest.raises(RequestRefused):
        thread.wait()
    assert door.entered == ['a'] and door.counters.queued == 0


def test_a_turn_that_is_killed_after_it_was_granted_is_passed_on() -> None:
    door = Door(max_in_flight=1)
    door.ask('a')
    killed = door.ask('b')
    door.ask('c')
    door.out()
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
    with pytest.raises(RequestRefused):
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
        quiet = counters.reset_hub_lag()
        end = time.monotonic() + 0.2
        while time.monotonic() < end:
            pass
        eventlet.sleep(0.03)
        assert counters.reset_hub_lag() > max(0.15, quiet)
        assert counters.hub_lag == 0
    finally:
        probe.stop()
