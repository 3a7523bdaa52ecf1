# SPDX-License-Identifier: Apache-2.0
"""Races on each database: names stay unique, references stay valid."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.functional.harness import databases
from tests.functional.storage import racing
from tests.functional.storage.racing import World

TYPES = {
    'box': '''
name: box
plural: boxes
properties: {name: {type: string}}
unique: [[name]]
''',
    'ball': '''
name: ball
plural: balls
properties: {box_id: {references: box, on_delete: restrict}}
''',
    'coin': '''
name: coin
plural: coins
properties: {box_id: {references: box, on_delete: cascade}}
''',
    'note': '''
name: note
plural: notes
properties: {box_id: {references: box, on_delete: set_null}}
''',
    'stamp': '''
name: stamp
plural: stamps
properties: {note_id: {references: note}, coin_id: {references: coin,
             on_delete: cascade}}
''',
}
BOXES = [f'7bd6bd13-2c4b-4d6a-9b27-00000000000{number}' for number in range(3)]


@pytest.fixture(params=['sqlite', *databases.SERVERS])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    url = (sa.make_url(f'sqlite:///{tmp_path}/races.sqlite')
           if request.param == 'sqlite' else databases.create(request.param))
    with racing.world(url, tmp_path, TYPES) as world:
        yield world


def name(world: World, source: random.Random, number: int) -> None:
    world.make('box', name='the one')


def rename(world: World, source: random.Random, number: int) -> None:
    """Create a box, then rename it to the name that all clients want."""
    id = world.make('box', name=f'{number}')
    world.change('box', id, name='the other')


def test_one_of_twenty_clients_gets_a_unique_name(world):
    """C05: 1 x 201 and 19 x 409, for creates and for changes."""
    for action in (name, rename):
        assert racing.race(world, action, 20) == {'': 1, 'not-unique': 19}
    rows = world.rows(sa.select(world.table('box').c.name))
    assert sorted(name for name, in rows if name.startswith('the')) == [
        'the one', 'the other']
    assert history_mismatches(world) == []


def fill(world: World, source: random.Random, number: int) -> None:
    """Create records that refer to boxes, while others delete the boxes."""
    box = source.choice(BOXES)
    if number % 4 == 0:
        world.put('box', box, name=box)
        world.delete('box', box)
        return
    kind = source.choice(['ball', 'coin', 'coin', 'note'])
    id = world.make(kind, box_id=box)
    if kind == 'ball':
        world.delete('ball', id)
    elif kind == 'coin':
        world.make('stamp', coin_id=id)


fill.times = 6


def test_no_record_refers_to_a_deleted_one(world):
    """C05: and cascaded changes have revisions."""
    outcomes = racing.race(world, fill, 20)
    assert set(outcomes) <= {'', 'missing-reference', 'still-referred',
                             'not-found', 'not-unique'}
    assert min(outcomes[''], outcomes['missing-reference']) > 5, outcomes
    for child in ('ball', 'coin', 'note', 'stamp'):
        assert orphans(world, child) == 0
    assert history_mismatches(world) == []


def orphans(world: World, child: str) -> int:
    """Count the records that refer to no record."""
    count = 0
    for prop in world.shapes[child].properties.values():
        column = world.table(child).c[prop.name]
        targets = sa.select(world.table(prop.references).c.id)
        count += len(world.rows(sa.select(column).where(
            column.is_not(None), column.not_in(targets))))
    return count


def history_mismatches(world: World) -> list[str]:
    """Return the records that differ from their last revision."""
    table = world.tables.core.revisions
    last: dict[tuple[str, str], sa.Row] = {}
    count: dict[tuple[str, str], int] = {}
    for row in world.rows(sa.select(table).order_by(table.c.number)):
        key = row.type, row.record_id
        created = key not in last or last[key].action == 'delete'
        count[key] = 1 if created else count[key] + (row.action != 'delete')
        last[key] = row
    wrong = []
    for kind in world.shapes:
        rows = {row.id: dict(row._mapping)
                for row in world.rows(sa.select(world.table(kind)))}
        for (type, id), row in last.items():
            if type != kind:
                continue
            stored = rows.pop(id, None)
            expected = None if row.action == 'delete' else row.document
            if (stored != expected
                    or row.record_generation != count[type, id]):
                wrong.append(f'{kind} {id}: {row.action} {stored}')
        wrong += [f'{kind} {id}: never created' for id in rows]
    return wrong
