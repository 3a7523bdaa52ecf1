# SPDX-License-Identifier: Apache-2.0
"""Races of periods: exclusive periods never overlap, on each database."""

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

#: The kinds of database, and whether they have the exclusion constraint.
GUARDS = {'sqlite': ('sqlite', True), 'mysql': ('mysql', True),
          'postgresql': ('postgresql', True),
          'postgresql without the extension': ('postgresql', False)}


def at(hour: int) -> str:
    moment = datetime(2031, 1, 1) + timedelta(hours=hour)
    return moment.isoformat(timespec='microseconds') + 'Z'


def book(world: World, source: random.Random, number: int) -> None:
    """Create a window with a random period; sometimes delete or change it."""
    start = source.randrange(HOURS)
    end = source.choice([None, *[start + source.randrange(1, 30)] * 9])
    id = world.make('maintenance', title=f'{number}', host_id=HOST,
                    starts_at=at(start), ends_at=end and at(end))
    chance = source.random()
    if end is None or chance < 0.3:
        world.delete('maintenance', id)
    elif chance < 0.5:
        world.change('maintenance', id, state='done')
    elif chance < 0.7:
        later = source.randrange(HOURS)
        world.change('maintenance', id, starts_at=at(later),
                     ends_at=at(later + 10))


book.times = 8


def shift(world: World, source: random.Random, number: int) -> None:
    """Move the client's own window to a contested period, or back."""
    start = source.choice([0, 0, 0, far(number)])
    world.change('maintenance', own(number), starts_at=at(start),
                 ends_at=at(start + 10))


shift.times = 4


def own(number: int) -> str:
    return HOST[:-2] + f'{number:02}'


def far(number: int) -> int:
    return HOURS * 2 + number * 20


def shift_without_lock(world: World, source: random.Random,
                       number: int) -> None:
    """The wrong implementation: it checks without a lock."""
    exclusion.lock_periods = lambda *arguments: None
    shift(world, source, number)


shift_without_lock.times = shift.times


@pytest.fixture(params=GUARDS)
def guarded(request: pytest.FixtureRequest,
            tmp_path: Path) -> Iterator[World]:
    kind, constrained = GUARDS[request.param]
    url = (sa.make_url(f'sqlite:///{tmp_path}/periods.sqlite')
           if kind == 'sqlite' else databases.create(kind))
    with racing.world(url, tmp_path, racing.shipped(),
                      constrained) as world:
        world.put('host', HOST, name='a', serial='CZ-1001')
        yield world


def overlaps(world: World) -> int:
    """Count the stored windows that overlap another, in one query."""
    declared = world.shapes['maintenance'].declared
    return len(world.rows(exclusion.violating_ids(
        declared, declared.exclusive[0], world.table('maintenance'))))


def test_stored_periods_never_overlap(guarded):
    """C05, for periods."""
    counts: list[int] = []
    outcomes = racing.race(guarded, book, CLIENTS,
                           lambda: counts.append(overlaps(guarded)))
    assert set(counts) == {0}
    assert set(outcomes) <= {'', 'overlapping'}
    assert min(outcomes.values()) > 40
    assert sum(outcomes.values()) == CLIENTS * book.times


def race_moves(world: World,
               action: racing.Action) -> tuple[set[int], set[str]]:
    """Move windows concurrently; return the counts of overlapping windows
    and the outcomes of the moves."""
    for number in range(MOVERS):
        world.put('maintenance', own(number), title='a', host_id=HOST,
                  starts_at=at(far(number)), ends_at=at(far(number) + 10))
    counts: list[int] = []
    outcomes = racing.race(world, action, MOVERS,
                           lambda: counts.append(overlaps(world)))
    return {*counts, overlaps(world)}, set(outcomes)


@pytest.mark.parametrize('guarded', ['mysql',
                                     'postgresql without the extension'],
                         indirect=True)
def test_a_check_without_a_lock_lets_periods_overlap(guarded):
    """Shows that the test above can fail."""
    assert race_moves(guarded, shift) == ({0}, {'', 'overlapping'})
    assert race_moves(guarded, shift_without_lock)[0] > {0}


@pytest.mark.parametrize('guarded', ['postgresql'], indirect=True)
def test_the_constraint_binds_writers_without_the_lock(guarded):
    """A write that it refuses is run again, finds the other period and is
    answered like any other conflict."""
    counts, outcomes = race_moves(guarded, shift_without_lock)
    assert counts == {0}
    assert outcomes <= {'', 'overlapping', 'unavailable'}
    windows = guarded.table('maintenance')
    with pytest.raises(db_exception.DBError, match='exclusion'), \
            guarded.engine.begin() as bypass:
        bypass.execute(sa.update(windows).values(
            starts_at=at(0), ends_at=at(1)))


def test_windows_that_the_rule_does_not_cover_may_overlap(guarded):
    for state in ('done', 'planned', 'done'):
        guarded.make('maintenance', title='a', host_id=HOST, state=state,
                     starts_at=at(1), ends_at=None)
    assert overlaps(guarded) == 0


def test_a_rule_with_special_characters_can_be_applied(tmp_path):
    """Quotes, percent signs and colons have a meaning in SQL or drivers."""
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
    statuses = [served.request('POST', '/v1/stays', {'stay': {
        'room': 'a', 'quiet': True, 'state': state, 'size': 0.5, 'number': 7,
        'host_id': None, 'starts_at': '2031-01-01T00:00:00Z'}}).status
        for state in ("it's", '100%', ':x')]
    assert statuses == [201] * 3
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        constraints = ' '.join(connection.scalars(sa.text(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint "
            "WHERE contype = 'x'")))
    engine.dispose()
    assert all(f"'{value}'" in constraints for value in (
        "it''s", '100%', '100%%', ':x', '%(x)s'))
