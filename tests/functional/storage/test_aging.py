# SPDX-License-Identifier: Apache-2.0
"""What is old enough goes, and nothing else, on every database."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from service.commands import manage
from service.domain.documents import timestamps
from service.storage.maintenance import purge
from service.storage.maintenance.purge import Retention
from tests.functional.harness import daemon
from tests.functional.storage import racing
from tests.functional.storage.racing import World

DESK = {'desk': '''
name: desk
plural: desks
properties: {place: {type: string}}
'''}
NOW = '2026-06-30T12:00:00.000000Z'


@pytest.fixture
def world(database: sa.Engine, tmp_path: Path) -> Iterator[World]:
    with racing.world(database.url, tmp_path, DESK) as made:
        yield made


def ago(days: float, now: str = NOW) -> str:
    return timestamps.canonical((datetime.fromisoformat(now)
                          - timedelta(days=days)).isoformat())


def told(world: World, *deeds: tuple[str, str, float]) -> None:
    """Revisions of records: of which, what was done, how many days ago."""
    columns = world.tables.core.revisions
    with world.engine.begin() as connection:
        connection.execute(sa.insert(columns), [{
            'number': number, 'type': 'desk', 'record_id': _id(name),
            'record_generation': 1, 'action': action, 'document': {},
            'at': ago(days)} for number, (name, action, days)
            in enumerate(deeds, 1)])


def _id(name: str) -> str:
    return f'00000000-0000-4000-8000-{ord(name):0>12}'


def left(world: World) -> list[int]:
    column = world.tables.core.revisions.c.number
    return [row[0] for row in world.rows(sa.select(column).order_by(column))]


def swept(world: World, days: int, last: int, **how: Any) -> int:
    """How many the last of all bits says were removed."""
    done = [0, *(one.removed for one in purge.revisions(
        world.engine, Retention(days, last), NOW, **how))]
    return done[-1]


HISTORY = (('a', 'create', 90), ('a', 'update', 80), ('b', 'create', 75),
           ('a', 'update', 70), ('b', 'delete', 60), ('a', 'update', 3),
           ('c', 'create', 50), ('d', 'create', 45), ('d', 'delete', 2),
           ('d', 'create', 1))


@pytest.mark.parametrize(('days', 'last', 'gone'), [
    (0, 1, set()), (100, 1, set()), (30, 1, {1, 2, 3, 4, 5, 8}),
    (30, 2, {1, 2, 3, 5, 8}), (30, 3, {1, 3, 5}), (30, 4, {3, 5}),
    (65, 1, {1, 2, 3, 4}), (78, 1, {1, 2}), (55, 10, {3, 5})])
def test_what_goes_is_old_and_not_among_the_last(world, days, last, gone):
    """The last of a record that is there always stays; of a deleted one all
    go, but not before its end is old enough itself."""
    told(world, *HISTORY)
    assert swept(world, days, last, dry_run=True) == len(gone)
    assert len(left(world)) == len(HISTORY)
    assert swept(world, days, last) == len(gone)
    assert left(world) == sorted(set(range(1, 11)) - gone)
    assert swept(world, days, last) == 0


def test_a_type_and_another_may_have_the_same_id(world):
    told(world, ('a', 'create', 90), ('a', 'update', 80))
    revisions = world.tables.core.revisions
    with world.engine.begin() as connection:
        connection.execute(sa.update(revisions).where(
            revisions.c.number == 2).values(type='lamp'))
    assert swept(world, 30, 1) == 0


def test_any_history_is_swept_as_the_rule_says(world, monkeypatch):
    """In bits of every size, as one look at all of it would."""
    source = random.Random(5)
    deeds = sorted((
        (source.choice('abcdefgh'), source.choice(
            ('update', 'update', 'update', 'delete')), source.uniform(0, 99))
        for _ in range(300)), key=lambda one: -one[2])
    told(world, *deeds)
    monkeypatch.setattr(purge, 'BATCH_ROWS', 7)
    expected = set(left(world)) - _gone(deeds, 40, 3)
    assert 0 < len(expected) < 300
    swept(world, 40, 3)
    assert set(left(world)) == expected


@pytest.mark.parametrize('ahead', [1, 3, 20, 41])
def test_a_clock_that_ran_ahead_hides_nothing_that_follows(
        world, monkeypatch, ahead):
    """Its own revisions stay until their time has come."""
    monkeypatch.setattr(purge, 'BATCH_ROWS', 3)
    monkeypatch.setattr(purge, 'STRIDE_ROWS', 4)
    told(world, ('a', 'create', 90),
         *(('a', 'update', -300) for _ in range(ahead)),
         *(('a', 'update', 80) for _ in range(7)),
         *(('a', 'update', 2) for _ in range(30)))
    assert swept(world, 30, 1) == 8
    assert left(world) == [*range(2, 2 + ahead),
                           *range(ahead + 9, ahead + 39)]


def _gone(deeds: list[tuple[str, str, float]], days: int,
          last: int) -> set[int]:
    of: dict[str, list[tuple[int, str, float]]] = defaultdict(list)
    for number, (name, action, age) in enumerate(deeds, 1):
        of[name].append((number, action, age))
    gone = set()
    for all_of_it in of.values():
        _, action, age = all_of_it[-1]
        over = action == 'delete' and age > days
        rest = all_of_it if over else all_of_it[:-last]
        gone |= {number for number, _, age in rest if age > days}
    return gone


def test_who_writes_meanwhile_is_neither_lost_nor_stopped(world, monkeypatch):
    """The records' own revisions are all younger, and all stay."""
    told(world, *(('a', 'update', 90) for _ in range(150)))
    with world.engine.begin() as connection:
        connection.execute(sa.update(world.tables.core.counter).values(n=150))
    monkeypatch.setattr(purge, 'BATCH_ROWS', 5)
    with ThreadPoolExecutor(9) as threads:
        removed = threads.submit(
            swept, world, 30, 1)
        made = [threads.submit(_write, world) for _ in range(8)]
        wrote = sum(one.result() for one in made)
        assert removed.result() == 149
    assert left(world) == [150, *range(151, 151 + wrote)]


def _write(world: World) -> int:
    id = world.make('desk', place='here')
    for place in 'abcd':
        world.change('desk', id, place=place)
    return 5


# What stands for nothing

def idle(world: World) -> None:
    """Locks and counts; one project has something."""
    core = world.tables.core
    with world.engine.begin() as connection:
        connection.execute(sa.insert(core.locks), [
            {'name': f'{number:064}'} for number in range(30)])
        connection.execute(sa.insert(core.usage), [
            {'project_id': f'p{number}', 'type': type,
             'used': int(number == 7)}
            for number in range(10) for type in ('desk', 'lamp')])


def number(world: World, table: sa.Table) -> int:
    ((found,),) = world.rows(sa.select(sa.func.count()).select_from(table))
    return found


def test_what_stands_for_nothing_goes(world, monkeypatch):
    monkeypatch.setattr(purge, 'BATCH_ROWS', 4)
    idle(world)
    core = world.tables.core
    locks = 0 if world.engine.dialect.name == 'sqlite' else 30
    for dry_run in (True, False):
        assert max((one.removed for one in purge.locks(
            world.engine, dry_run=dry_run)), default=0) == locks
        assert [one.removed for one in purge.zero_counts(
            world.engine, dry_run=dry_run)][-1] == 18
    assert number(world, core.locks) == 30 - locks
    assert world.rows(sa.select(core.usage.c.project_id)) == [('p7',)] * 2


def test_a_lock_that_somebody_holds_is_left_to_him(world):
    """Nobody waits for him meanwhile."""
    if world.engine.dialect.name == 'sqlite':
        return
    idle(world)
    table = world.tables.core.locks
    with world.engine.begin() as connection:
        connection.execute(sa.select(table).where(
            table.c.name == f'{11:064}').with_for_update()).all()
        assert [one.removed for one in purge.locks(world.engine)] == [29]
    assert world.rows(sa.select(table.c.name)) == [(f'{11:064}',)]


# The commands

def manage_told(world: World, capsys: pytest.CaptureFixture[str],
                *words: str) -> tuple[str, str]:
    assert manage.main(['--config-dir', str(world.directory), *words]) == 0
    return capsys.readouterr()


@pytest.fixture
def old(world: World) -> World:
    """Forty old revisions, and keys of yesterday's yesterday and of now."""
    told(world, *(('a', 'update', 9000) for _ in range(40)))
    with world.engine.begin() as connection:
        connection.execute(sa.insert(world.tables.core.keys), [{
            'scope': f'{number}', 'body_hash': '', 'status': 201,
            'headers': [], 'body': '', 'at': at} for number, at in enumerate(
            [ago(2, timestamps.now())] * 7 + [timestamps.now()])])
    return world


def configure(world: World, **options: int) -> None:
    daemon.configure(world.directory, {'history': options})


def test_revisions_are_kept_for_ever_unless_told_otherwise(old, capsys):
    said, _ = manage_told(old, capsys, 'history', 'purge')
    assert said == ('0 revisions removed.\n[history] keep_days is 0: '
                    'revisions are kept for ever.\n')
    assert len(left(old)) == 40


def test_a_dry_run_says_how_many_and_removes_none(old, capsys):
    configure(old, keep_days=30)
    said, progress = manage_told(old, capsys, 'history', 'purge', '--dry-run')
    assert said == '30 revisions would be removed.\n'
    assert progress == ('pileus-manage: revisions: 40 checked, 30 to '
                        'remove\n')
    said, _ = manage_told(old, capsys, 'purge', '--dry-run')
    assert said == ('30 revisions, 7 idempotency keys, 0 locks and 0 counts '
                    'of zero would be removed.\n')
    assert len(left(old)) == 40


def test_purge_removes_all_that_is_old_enough(old, capsys):
    configure(old, keep_days=30, keep_last=1)
    said, _ = manage_told(old, capsys, 'purge', '--format', 'json')
    assert json.loads(said) == {'dry_run': False, 'revisions': 39,
                                'idempotency_keys': 7, 'locks': 0,
                                'counts_of_zero': 0}
    assert left(old) == [40]
    said, _ = manage_told(old, capsys, 'purge')
    assert said == ('0 revisions, 0 idempotency keys, 0 locks and 0 counts '
                    'of zero removed.\n')


def test_a_database_that_cannot_be_asked_is_named(tmp_path, capsys):
    directory = daemon.config_dir(tmp_path, conf={'database': {
        'connection': f'sqlite:///{tmp_path}/none.sqlite'}})
    assert manage.main(['--config-dir', str(directory), 'purge']) == 2
    assert 'none.sqlite: the file does not exist' in capsys.readouterr().err
    assert not (tmp_path / 'none.sqlite').exists()
    (tmp_path / 'none.sqlite').touch()
    daemon.configure(directory, {'history': {'keep_days': 1}})
    assert manage.main(['--config-dir', str(directory), 'purge']) == 2
    assert 'cannot be used' in capsys.readouterr().err
