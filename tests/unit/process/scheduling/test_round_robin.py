# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is: lines, rounds, and whose a credential is."""

from __future__ import annotations

from dataclasses import dataclass

from service.hosting import caller_hint
from service.process.scheduling.known_projects import STRANGERS, Known
from service.process.scheduling.round_robin import Line


@dataclass(eq=False)
class Waiting:
    """``a3`` is the third request of the project a."""

    name: str
    deadline: float = 0.0

    @property
    def flow(self) -> str:
        return self.name[0]


def line(*names: str) -> Line[Waiting]:
    made: Line[Waiting] = Line()
    join(made, *names)
    return made


def join(waiting: Line[Waiting], *names: str) -> None:
    for name in names:
        waiting.join(Waiting(name))


def served(waiting: Line[Waiting], number: int = 100) -> list[str]:
    return [waiting.next().name for _ in range(min(number, len(waiting)))]


def test_one_flow_is_served_in_the_order_it_came() -> None:
    assert served(line('a1', 'a2', 'a3')) == ['a1', 'a2', 'a3']


def test_flows_take_turns_however_long_each_is() -> None:
    """R12"""
    waiting = line('a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1')
    assert served(waiting) == ['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4']


def test_who_comes_now_and_then_waits_for_nobody_in_line() -> None:
    """R12: the flood's next request is not before the other's first."""
    waiting = line(*(f'a{number}' for number in range(9)))
    assert served(waiting, 2) == ['a0', 'a1']
    join(waiting, 'b1')
    assert served(waiting, 2) == ['b1', 'a2']
    join(waiting, 'b2')
    assert served(waiting, 2) == ['b2', 'a3']


def test_who_comes_again_and_again_keeps_nobody_out() -> None:
    """Two that are never in line at once take no more than two turns of
    three from a third that always is."""
    waiting = line('a1', 'a2', 'a3', 'b1')
    seen = served(waiting, 2)
    for number in range(2, 6):
        join(waiting, f'{"cb"[number % 2]}{number}')
        seen += served(waiting, 1)
    assert seen == ['a1', 'b1', 'c2', 'a2', 'b3', 'c4']


def test_the_longest_flow_gives_way_by_its_last() -> None:
    """R12"""
    waiting = line('a1', 'a2', 'a3', 'b1')
    gone = waiting.gives_way('c')
    assert gone is not None and gone.name == 'a3'
    assert served(waiting) == ['a1', 'b1', 'a2']


def test_no_flow_gives_way_to_one_as_long() -> None:
    waiting = line('a1', 'a2', 'b1')
    assert waiting.gives_way('a') is None
    assert waiting.gives_way('b') is None
    assert line().gives_way('a') is None


def test_who_left_has_no_turn() -> None:
    waiting = line('a1')
    gone = Waiting('b1')
    waiting.join(gone)
    waiting.leave(gone)
    waiting.leave(gone)
    assert len(waiting) == 1
    assert served(waiting) == ['a1']


def test_the_late_leave_from_every_flow() -> None:
    waiting = line()
    for name, deadline in (('a1', 1.0), ('a2', 3.0), ('b1', 2.0)):
        waiting.join(Waiting(name, deadline))
    assert [one.name for one in waiting.late(2.0)] == ['a1', 'b1']
    assert served(waiting) == ['a2']


def test_a_credential_is_a_strangers_until_it_is_told_whose() -> None:
    known = Known('keystone')
    token = known.credential({'HTTP_X_AUTH_TOKEN': 'gAAAA'})
    assert known.flow(token) == STRANGERS
    known.note(token, 'alpha')
    assert known.flow(token) == 'alpha'
    other = known.credential({'HTTP_X_AUTH_TOKEN': 'gAAAB'})
    assert known.flow(other) == STRANGERS


def test_what_a_strategy_takes_no_notice_of_is_no_credential() -> None:
    """R12: another X-Project-Id beside the same token makes no stranger."""
    known = Known('keystone')
    plain, *others = (known.credential(
        {'HTTP_X_AUTH_TOKEN': 'gAAAA', **more}) for more in (
        {}, {'HTTP_X_PROJECT_ID': 'x'}, {'HTTP_AUTHORIZATION': 'y'}))
    assert others == [plain, plain]
    noauth = Known('noauth')
    assert noauth.credential({'HTTP_X_PROJECT_ID': 'a'}) != (
        noauth.credential({'HTTP_X_PROJECT_ID': 'b'}))


def test_another_spelling_of_a_credential_is_the_same_one() -> None:
    """R12"""
    known = Known('http_basic')
    spelt = {known.credential({'HTTP_AUTHORIZATION': one}) for one in (
        'Basic YTpi', 'bAsIc YTpi', 'Basic   YTpi', 'Basic YTpi ')}
    assert len(spelt) == 1
    assert spelt != {known.credential({'HTTP_AUTHORIZATION': 'Basic YTpj'})}


def test_who_is_known_and_of_no_project_is_no_stranger() -> None:
    """R12: an administrator of the system does not wait for those who try
    tokens."""
    told: list[str] = []
    environ = {caller_hint.REPORT_PROJECT: told.append}
    caller_hint.report_project(environ, None)
    caller_hint.report_project(environ, 'alpha')
    assert told == [caller_hint.NO_PROJECT, 'alpha']
    assert STRANGERS not in told


def test_no_credential_is_held_as_it_was_sent() -> None:
    """L03: not in memory either, where a core dump would have it."""
    known = Known('http_basic')
    token = known.credential({'HTTP_AUTHORIZATION': 'Basic YTpodW50ZXIy'})
    known.note(token, 'alpha')
    assert 'YTpodW50ZXIy' not in repr(vars(known))
    assert token != Known('http_basic').credential(
        {'HTTP_AUTHORIZATION': 'Basic YTpodW50ZXIy'})


def test_the_oldest_credential_is_forgotten_first() -> None:
    known = Known('keystone', most=2)
    one, two, three = (known.credential({'HTTP_X_AUTH_TOKEN': name})
                       for name in ('one', 'two', 'three'))
    known.note(one, 'a')
    known.note(two, 'b')
    known.note(one, 'a')
    known.note(three, 'c')
    assert (known.flow(one), known.flow(two)) == ('a', STRANGERS)
