# SPDX-License-Identifier: Apache-2.0
"""Whoever races whom, no two periods of one thing overlap, ever."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from oslo_db import exception as db_exception

from service.commands import schema
from service.config import files as config_files
from service.storage.tables import exclusion
from tests.functional.harness import databases
from tests.functional.harness.daemon import config_dir
from tests.functional.harness.in_process import Application
from tests.functional.storage import racing
from tests.functional.storage.racing import World

CLIENTS = 32
MOVERS = 16
HOURS = 2000
HOST = '7bd6bd13-2c4b-4d6a-9b27-0123456789ab'

#: A guard of periods: the database it is of, and if it has the constraint.
GUARDS = {'sqlite': ('sqlite', True), 'mysql': ('mysql', True),
          'postgresql': ('postgresql', True),
          'postgresql without the extension': ('postgresql', False)}


def at(hour: int) -> str:
    moment = datetime(2031, 1, 1) + timedelta(hours=hour)
    return moment.isoformat(timespec='microseconds') + 'Z'


def book(world: World, source: random.Random, number: int) -> None:
    """Take a random period, and sometimes move it, end it or call it off."""
    start = source.randrange(HOURS)
    end = source.choice([None, *[start + source.randrange(1, 30)] * 9])
    id = world.make('maintenance', title=f'{number}', host_id=HOST,
                    starts_at=at(start), ends_at=end and at(end))
    deed = source.random()
    if end is None or deed < 0.3:
        world.delete('maintenance', id)
    elif deed < 0.5:
        world.change('maintenance', id, state='done')
    elif deed < 0.7:
        later = source.randrange(HOURS)
        world.change('maintenance', id, starts_at=at(later),
                     ends_at=at(later + 10))


book.times = 8


def shift(world: World, source: random.Random, number: int) -> None:
    """Move the one window that is the client's own to where others want
    theirs, or back."""
    start = source.choice([0, 0, 0, far(number)])
    world.change('maintenance', own(number), starts_at=at(start),
                 ends_at=at(start + 10))


shift.times = 4


def own(number: int) -> str:
    return HOST[:-2] + f'{number:02}'


def far(number: int) -> int:
    return HOURS * 2 + number * 20


def unguarded(world: World, source: random.Random, number: int) -> None:
    """The mutant: it looks, but nobody waits for it."""
    exclusion.lock_periods = lambda *arguments: None
    shift(world, source, number)


unguarded.times = shift.times


@pytest.fixture(params=GUARDS)
def guarded(request: pytest.FixtureRequest,
            tmp_path: Path) -> Iterator[World]:
    kind, constrained = GUARDS[request.param]
    url = (sa.make_url(f'sqlite:///{tmp_path}/periods.sqlite')
           if kind == 'sqlite' else databases.create(kind))
    with racing.world(url, tmp_path, racing.shipped(), constrained) as made:
        made.put('host', HOST, name='a', serial='CZ-1001')
        yield made


def overlaps(made: World) -> int:
    """How many stored windows overlap another, in one look."""
    declared = made.shapes['maintenance'].declared
    return len(made.rows(exclusion.violating_ids(
        declared, declared.exclusive[0], made.table('maintenance'))))


def test_what_is_stored_is_disjoint_at_all_times(guarded):
    """C05, for periods."""
    looks: list[int] = []
    told = racing.race(guarded, book, CLIENTS,
                       lambda: looks.append(overlaps(guarded)))
    assert set(looks) == {0}
    assert set(told) <= {'', 'overlapping'}
    assert min(told.values()) > 40
    assert sum(told.values()) == CLIENTS * book.times


def seen(made: World, deed: racing.Deed) -> tuple[set[int], set[str]]:
    """How many overlap while windows are moved, and what movers are told."""
    for number in range(MOVERS):
        made.put('maintenance', own(number), title='a', host_id=HOST,
                 starts_at=at(far(number)), ends_at=at(far(number) + 10))
    looks: list[int] = []
    told = racing.race(made, deed, MOVERS,
                       lambda: looks.append(overlaps(made)))
    return {*looks, overlaps(made)}, set(told)


@pytest.mark.parametrize('guarded', ['mysql',
                                     'postgresql without the extension'],
                         indirect=True)
def test_a_look_for_which_nobody_waits_is_not_enough(guarded):
    """The check can fail: the mutant is what it catches."""
    assert seen(guarded, shift) == ({0}, {'', 'overlapping'})
    assert seen(guarded, unguarded)[0] > {0}


@pytest.mark.parametrize('guarded', ['postgresql'], indirect=True)
def test_the_constraint_binds_who_does_not_wait(guarded):
    """What it refuses is seen on a second look: it is told as any other, and
    is never a failure."""
    found, told = seen(guarded, unguarded)
    assert found == {0}
    assert told <= {'', 'overlapping', 'unavailable'}
    windows = guarded.table('maintenance')
    with pytest.raises(db_exception.DBError, match='exclusion'), \
            guarded.engine.begin() as past_the_service:
        past_the_service.execute(sa.update(windows).values(
            starts_at=at(0), ends_at=at(1)))


def test_windows_of_a_state_that_the_rule_leaves_out_may_overlap(guarded):
    for state in ('done', 'planned', 'done'):
        guarded.make('maintenance', title='a', host_id=HOST, state=state,
                     starts_at=at(1), ends_at=None)
    assert overlaps(guarded) == 0


def test_any_rule_that_can_be_declared_can_be_applied(tmp_path):
    """Whatever stands in it: each database has letters of its own."""
    stay = '''
name: stay
plural: stays
properties:
  room: {type: string}
  quiet: {type: boolean}
  number: {type: integer}
  size: {type: number}
  host_id: {references: host}
  state: {type: string}
  starts_at: {type: string, format: date-time}
  ends_at: {type: string, format: date-time}
exclusive:
  - over: [room, quiet, number, size, host_id]
    period: [starts_at, ends_at]
    when: {state: ["it's", "100%", "100%%", ":x", "%(x)s"], quiet: [true]}
  - period: [ends_at, starts_at]
    when: {number: [1]}
'''
    url = databases.config_url(databases.create('postgresql'))
    directory = config_dir(tmp_path, {**racing.shipped(), 'stay': stay},
                           {'database': {'connection': url}})
    conf = config_files.load(['--config-dir', str(directory)])
    assert schema.apply_configured(conf).steps
    assert schema.apply_configured(conf).steps == ()
    served = Application(directory)
    told = [served.request('POST', '/v1/stays', {'stay': {
        'room': 'a', 'quiet': True, 'state': state, 'size': 0.5, 'number': 7,
        'host_id': None, 'starts_at': '2031-01-01T00:00:00Z'}}).status
        for state in ("it's", '100%', ':x')]
    assert told == [201] * 3
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        held = ' '.join(connection.scalars(sa.text(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE contype = 'x'")))
    engine.dispose()
    assert all(f"'{one}'" in held for one in (
        "it''s", '100%', '100%%', ':x', '%(x)s'))
