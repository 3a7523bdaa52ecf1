# SPDX-License-Identifier: Apache-2.0
"""A purge removes what is old enough, and nothing else, on each database."""

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
    with racing.world(database.url, tmp_path, DESK) as world:
        yield world


def ago(days: float, now: str = NOW) -> str:
    return timestamps.canonical((datetime.fromisoformat(now)
                          - timedelta(days=days)).isoformat())


def insert(world: World, *revisions: tuple[str, str, float]) -> None:
    """Insert revisions, as (record, action, age in days)."""
    columns = world.tables.core.revisions
    with world.engine.begin() as connection:
        connection.execute(sa.insert(columns), [{
            'number': number, 'type': 'desk', 'record_id': _id(name),
            'record_generation': 1, 'action': action, 'document': {},
            'at': ago(days)} for number, (name, action, days)
            in enumerate(revisions, 1)])


def _id(name: str) -> str:
    return f'00000000-0000-4000-8000-{ord(name):0>12}'


def left(world: World) -> list[int]:
    column = world.tables.core.revisions.c.number
    return [row[0] for row in world.rows(sa.select(column).order_by(column))]


def purged(world: World, days: int, last: int, **options: Any) -> int:
    """Purge; return the number of removed revisions."""
    removed = [0, *(progress.removed for progress in purge.revisions(
        world.engine, Retention(days, last), NOW, **options))]
    return removed[-1]


HISTORY = (('a', 'create', 90), ('a', 'update', 80), ('b', 'create', 75),
           ('a', 'update', 70), ('b', 'delete', 60), ('a', 'update', 3),
           ('c', 'create', 50), ('d', 'create', 45), ('d', 'delete', 2),
           ('d', 'create', 1))


@pytest.mark.parametrize(('days', 'last', 'gone'), [
    (0, 1, set()), (100, 1, set()), (30, 1, {1, 2, 3, 4, 5, 8}),
    (30, 2, {1, 2, 3, 5, 8}), (30, 3, {1, 3, 5}), (30, 4, {3, 5}),
    (65, 1, {1, 2, 3, 4}), (78, 1, {1, 2}), (55, 10, {3, 5})])
def test_old_revisions_are_removed_except_the_last_ones(
        world, days, last, gone):
    """The newest revision of an existing record always stays. All revisions
    of a deleted record are removed once its deletion is old enough."""
    insert(world, *HISTORY)
    assert purged(world, days, last, dry_run=True) == len(gone)
    assert len(left(world)) == len(HISTORY)
    assert purged(world, days, last) == len(gone)
    assert left(world) == sorted(set(range(1, 11)) - gone)
    assert purged(world, days, last) == 0


def test_records_of_two_types_with_one_id_are_kept_apart(world):
    insert(world, ('a', 'create', 90), ('a', 'update', 80))
    revisions = world.tables.core.revisions
    with world.engine.begin() as connection:
        connection.execute(sa.update(revisions).where(
            revisions.c.number == 2).values(type='lamp'))
    assert purged(world, 30, 1) == 0


def test_a_purge_in_batches_removes_what_the_rule_says(world, monkeypatch):
    """A random history, compared with a plain implementation."""
    source = random.Random(5)
    revisions = sorted((
        (source.choice('abcdefgh'), source.choice(
            ('update', 'update', 'update', 'delete')), source.uniform(0, 99))
        for _ in range(300)), key=lambda revision: -revision[2])
    insert(world, *revisions)
    monkeypatch.setattr(purge, 'BATCH_ROWS', 7)
    expected = set(left(world)) - _removable(revisions, 40, 3)
    assert 0 < len(expected) < 300
    purged(world, 40, 3)
    assert set(left(world)) == expected


@pytest.mark.parametrize('ahead', [1, 3, 20, 41])
def test_old_revisions_after_ones_with_a_future_time_are_removed(
        world, monkeypatch, ahead):
    """A clock that ran ahead for a while wrote the future times."""
    monkeypatch.setattr(purge, 'BATCH_ROWS', 3)
    monkeypatch.setattr(purge, 'STRIDE_ROWS', 4)
    insert(world, ('a', 'create', 90),
           *(('a', 'update', -300) for _ in range(ahead)),
           *(('a', 'update', 80) for _ in range(7)),
           *(('a', 'update', 2) for _ in range(30)))
    assert purged(world, 30, 1) == 8
    assert left(world) == [*range(2, 2 + ahead),
                           *range(ahead + 9, ahead + 39)]


def _removable(revisions: list[tuple[str, str, float]], days: int,
               last: int) -> set[int]:
    by_record: dict[str, list[tuple[int, str, float]]] = defaultdict(list)
    for number, (name, action, age) in enumerate(revisions, 1):
        by_record[name].append((number, action, age))
    removable = set()
    for history in by_record.values():
        _, action, age = history[-1]
        ended = action == 'delete' and age > days
        candidates = history if ended else history[:-last]
        removable |= {number for number, _, age in candidates if age > days}
    return removable


def test_concurrent_writes_succeed_and_their_revisions_stay(
        world, monkeypatch):
    insert(world, *(('a', 'update', 90) for _ in range(150)))
    with world.engine.begin() as connection:
        connection.execute(sa.update(world.tables.core.counter).values(n=150))
    monkeypatch.setattr(purge, 'BATCH_ROWS', 5)
    with ThreadPoolExecutor(9) as threads:
        removed = threads.submit(purged, world, 30, 1)
        writers = [threads.submit(_write, world) for _ in range(8)]
        written = sum(writer.result() for writer in writers)
        assert removed.result() == 149
    assert left(world) == [150, *range(151, 151 + written)]


def _write(world: World) -> int:
    id = world.make('desk', place='here')
    for place in 'abcd':
        world.change('desk', id, place=place)
    return 5


# Unused rows

def insert_unused(world: World) -> None:
    """Insert locks and counts; only one project has records."""
    core = world.tables.core
    with world.engine.begin() as connection:
        connection.execute(sa.insert(core.locks), [
            {'name': f'{number:064}'} for number in range(30)])
        connection.execute(sa.insert(core.usage), [
            {'project_id': f'p{number}', 'type': type,
             'used': int(number == 7)}
            for number in range(10) for type in ('desk', 'lamp')])


def number(world: World, table: sa.Table) -> int:
    ((rows,),) = world.rows(sa.select(sa.func.count()).select_from(table))
    return rows


def test_free_locks_and_counts_of_zero_are_removed(world, monkeypatch):
    monkeypatch.setattr(purge, 'BATCH_ROWS', 4)
    insert_unused(world)
    core = world.tables.core
    locks = 0 if world.engine.dialect.name == 'sqlite' else 30
    for dry_run in (True, False):
        assert max((progress.removed for progress in purge.locks(
            world.engine, dry_run=dry_run)), default=0) == locks
        assert [progress.removed for progress in purge.zero_counts(
            world.engine, dry_run=dry_run)][-1] == 18
    assert number(world, core.locks) == 30 - locks
    assert world.rows(sa.select(core.usage.c.project_id)) == [('p7',)] * 2


def test_a_lock_that_is_held_is_skipped_without_waiting(world):
    if world.engine.dialect.name == 'sqlite':
        return
    insert_unused(world)
    table = world.tables.core.locks
    with world.engine.begin() as connection:
        connection.execute(sa.select(table).where(
            table.c.name == f'{11:064}').with_for_update()).all()
        assert [progress.removed
                for progress in purge.locks(world.engine)] == [29]
    assert world.rows(sa.select(table.c.name)) == [(f'{11:064}',)]


# The commands

def run(world: World, capsys: pytest.CaptureFixture[str],
        *words: str) -> tuple[str, str]:
    """Run pileus-manage; return stdout and stderr."""
    assert manage.main(['--config-dir', str(world.directory), *words]) == 0
    return capsys.readouterr()


@pytest.fixture
def old(world: World) -> World:
    """Forty old revisions, seven keys of two days ago, and a key of now."""
    insert(world, *(('a', 'update', 9000) for _ in range(40)))
    with world.engine.begin() as connection:
        connection.execute(sa.insert(world.tables.core.keys), [{
            'scope': f'{number}', 'body_hash': '', 'status': 201,
            'headers': [], 'body': '', 'at': at} for number, at in enumerate(
            [ago(2, timestamps.now())] * 7 + [timestamps.now()])])
    return world


def configure(world: World, **options: int) -> None:
    daemon.configure(world.directory, {'history': options})


def test_revisions_stay_for_ever_by_default(old, capsys):
    output, _ = run(old, capsys, 'history', 'purge')
    assert output == ('0 revisions removed.\n[history] keep_days is 0: '
                    'revisions are kept for ever.\n')
    assert len(left(old)) == 40


def test_a_dry_run_prints_the_numbers_and_removes_nothing(old, capsys):
    configure(old, keep_days=30)
    output, progress = run(old, capsys, 'history', 'purge', '--dry-run')
    assert output == '30 revisions would be removed.\n'
    assert progress == ('pileus-manage: revisions: 40 checked, 30 to '
                        'remove\n')
    output, _ = run(old, capsys, 'purge', '--dry-run')
    assert output == ('30 revisions, 7 idempotency keys, 0 locks and 0 counts '
                    'of zero would be removed.\n')
    assert len(left(old)) == 40


def test_purge_removes_revisions_and_keys_that_are_old_enough(old, capsys):
    configure(old, keep_days=30, keep_last=1)
    output, _ = run(old, capsys, 'purge', '--format', 'json')
    assert json.loads(output) == {'dry_run': False, 'revisions': 39,
                                'idempotency_keys': 7, 'locks': 0,
                                'counts_of_zero': 0}
    assert left(old) == [40]
    output, _ = run(old, capsys, 'purge')
    assert output == ('0 revisions, 0 idempotency keys, 0 locks and 0 counts '
                    'of zero removed.\n')


def test_a_missing_or_empty_database_is_an_error_with_its_name(
        tmp_path, capsys):
    directory = daemon.config_dir(tmp_path, conf={'database': {
        'connection': f'sqlite:///{tmp_path}/none.sqlite'}})
    assert manage.main(['--config-dir', str(directory), 'purge']) == 2
    assert 'none.sqlite: the file does not exist' in capsys.readouterr().err
    assert not (tmp_path / 'none.sqlite').exists()
    (tmp_path / 'none.sqlite').touch()
    daemon.configure(directory, {'history': {'keep_days': 1}})
    assert manage.main(['--config-dir', str(directory), 'purge']) == 2
    assert 'cannot be used' in capsys.readouterr().err
