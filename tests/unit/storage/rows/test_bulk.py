# SPDX-License-Identifier: Apache-2.0
"""A list of records costs as many statements as one record does, made as
read."""

import contextlib

import pytest
import sqlalchemy as sa

from service.domain.query import list_query
from service.storage.rows import related
from tests.unit import stored

ROOM = '''
name: room
plural: rooms
scope: cloud
properties: {name: {type: string}}
'''
STAY = '''
name: stay
plural: stays
properties:
  name: {type: string}
  zone: {type: string}
  number: {type: integer}
  room_id: {references: room}
  other_id: {references: room}
  starts_at: {type: string, format: date-time}
  ends_at: {type: string, format: date-time}
unique: [[name], [zone, number]]
exclusive: {over: [room_id], period: [starts_at, ends_at]}
'''


@pytest.fixture
def world(tmp_path):
    made = stored.world(tmp_path, room=ROOM, stay=STAY)
    yield made
    made.engine.dispose()


@contextlib.contextmanager
def heard(engine):
    """The statements that the database is told in here."""
    said = []

    def told(connection, cursor, statement, *given):
        said.append(statement)
    sa.event.listen(engine, 'before_cursor_execute', told)
    yield said
    sa.event.remove(engine, 'before_cursor_execute', told)


def made_at_once(world, name, numbers):
    """How many statements it takes to make these stays in one list."""
    room = world.make('room', name=name)['id']
    with heard(world.engine) as said:
        world.records.create(world.shape('stay'), stored.ADMIN, [
            world.new('stay', name=f'{name}{number}', zone=name,
                      number=number, room_id=room, other_id=room,
                      tags=['a', 'b'], metadata={'k': 'v'},
                      starts_at=f'2026-01-01T00:00:00.{number:06}Z',
                      ends_at=f'2026-01-01T00:00:00.{number + 1:06}Z')
            for number in numbers])
    return len(said)


def test_a_list_costs_what_one_record_does(world):
    made_at_once(world, 'first', [0])
    alone = made_at_once(world, 'a', [0])
    assert made_at_once(world, 'b', range(related.AT_ONCE)) == alone


def test_a_long_list_is_looked_at_in_parts(world):
    """Two statements more for each unique and each period, not one a record.
    """
    made_at_once(world, 'first', [0])
    alone = made_at_once(world, 'a', [0])
    most = made_at_once(world, 'b', range(3 * related.AT_ONCE))
    assert most == alone + 2 * 3


@pytest.mark.parametrize('asked', [
    {}, {'with_count': True},
    {'tags': list_query.TagFilter(all=('a',), not_any=('c',))}])
def test_a_page_costs_the_same_however_long_it_is(world, asked):
    made_at_once(world, 'a', range(1000))
    with heard(world.engine) as said:
        lengths = [len(world.records.list(
            world.type('stay'), stored.MEMBER,
            list_query.Query(limit=limit, **asked)).records)
            for limit in (1, 1000)]
    assert lengths == [1, 1000]
    assert len(said) == 2 * (1 + ('with_count' in asked))
