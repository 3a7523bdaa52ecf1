# SPDX-License-Identifier: Apache-2.0
"""On every database: one name is given once, and nobody is orphaned."""

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
    with racing.world(url, tmp_path, TYPES) as made:
        yield made


def name(world: World, source: random.Random, number: int) -> None:
    world.make('box', name='the one')


def rename(world: World, source: random.Random, number: int) -> None:
    """Everybody wants the name for a box of their own."""
    id = world.make('box', name=f'{number}')
    world.change('box', id, name='the other')


def test_of_twenty_that_want_one_name_one_gets_it(world):
    """C05: 1 x 201 and 19 x 409, of makers as of changers."""
    for deed in (name, rename):
        assert racing.race(world, deed, 20) == {'': 1, 'not-unique': 19}
    kept = world.rows(sa.select(world.table('box').c.name))
    assert sorted(one for one, in kept if one.startswith('the')) == [
        'the one', 'the other']
    assert unlike_their_history(world) == []


def fill(world: World, source: random.Random, number: int) -> None:
    """Put things into boxes, while others throw boxes away."""
    box = source.choice(BOXES)
    if number % 4 == 0:
        world.put('box', box, name=box)
        world.delete('box', box)
        return
    kind = source.choice(['ball', 'coin', 'coin', 'note'])
    made = world.make(kind, box_id=box)
    if kind == 'ball':
        world.delete('ball', made)
    elif kind == 'coin':
        world.make('stamp', coin_id=made)


fill.times = 6


def test_nobody_is_left_pointing_at_what_is_gone(world):
    """C05: and what went or changed with something says so in its history.
    """
    told = racing.race(world, fill, 20)
    assert set(told) <= {'', 'missing-reference', 'still-referred',
                         'not-found', 'not-unique'}
    assert min(told[''], told['missing-reference']) > 5, told
    for child in ('ball', 'coin', 'note', 'stamp'):
        assert orphans(world, child) == 0
    assert unlike_their_history(world) == []


def orphans(world: World, child: str) -> int:
    """How many records refer to one that is not there."""
    found = 0
    for prop in world.shapes[child].properties.values():
        column = world.table(child).c[prop.name]
        there = sa.select(world.table(prop.references).c.id)
        found += len(world.rows(sa.select(column).where(
            column.is_not(None), column.not_in(there))))
    return found


def unlike_their_history(world: World) -> list[str]:
    """What is not as its last revision says, or is there though it says that
    it was deleted: also what went or changed with something else."""
    table = world.tables.core.revisions
    last: dict[tuple[str, str], sa.Row] = {}
    count: dict[tuple[str, str], int] = {}
    for row in world.rows(sa.select(table).order_by(table.c.number)):
        key = row.type, row.record_id
        made = key not in last or last[key].action == 'delete'
        count[key] = 1 if made else count[key] + (row.action != 'delete')
        last[key] = row
    wrong = []
    for kind in world.shapes:
        rows = {one.id: dict(one._mapping)
                for one in world.rows(sa.select(world.table(kind)))}
        for (type, id), row in last.items():
            if type != kind:
                continue
            there = rows.pop(id, None)
            wanted = None if row.action == 'delete' else row.document
            if there != wanted or row.record_generation != count[type, id]:
                wrong.append(f'{kind} {id}: {row.action} {there}')
        wrong += [f'{kind} {id}: never made' for id in rows]
    return wrong
