# SPDX-License-Identifier: Apache-2.0
"""A filter by a rare value reads few rows.

A filter uses an index that begins with its column, or with the project and
then the column: any other index of the project contains all its rows.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from service.domain.query import all_projects
from service.domain.query import list_query as queries
from service.storage.lists import statements
from tests.functional.storage import things
from tests.functional.storage.lists import query_plans
from tests.functional.storage.lists.query_plans import COUNT

PROJECT = 'beta'
MANY, FEW = 6000, 9
LIMIT = 10

#: By column: a frequent value, a rare one, and another rare one.
VALUES = {
    'label': ('a', 'rare', 'rarer'), 'status': ('active', 'retired',
                                                'provisioning'),
    'size': (1, 7, 8), 'ratio': (0.5, 7.5, 8.5),
    'enabled': (False, True, True),
    'finished_at': (things.INSTANTS[2], things.INSTANTS[0],
                    things.INSTANTS[1]),
    'rack_id': (things.RACKS[0], things.RACKS[1], things.RACKS[2])}
#: Columns with a different value in each record.
OWN = ('name', 'serial', 'slot', 'id', 'created_at', 'updated_at')
NULLABLE = ('label', 'size', 'ratio', 'enabled', 'finished_at', 'rack_id',
            'serial')


def record(number: int) -> dict[str, Any]:
    """Return a record; three of every thousand have rare values or nulls."""
    kind = {0: 1, 1: 2, 2: None}.get(number % 1000, 0)
    row = {name: None if kind is None else values[kind]
           for name, values in VALUES.items()}
    at = f'2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:' \
         f'{number % 60:02}.000000Z'
    return {**row, 'status': row['status'] or 'provisioning',
            'id': f'{(number * 7919) % 10 ** 8:08}-0000-4000-8000-'
                  f'{number:012}',
            'generation': 1, 'metadata': {}, 'tags': ['red'],
            'project_id': 'rare' if number % 1000 == 3 else (
                things.PROJECTS[number // 1000 % 3]),
            'created_at': at, 'updated_at': at, 'name': f'n{number}',
            'slot': number, 'serial': kind and f's{number}' or (
                None if kind is None else f'c{number}')}


ROWS = [record(number) for number in range(MANY)]
RARE = next(row for row in ROWS[1:]
            if row['project_id'] == PROJECT and row['label'] == 'rare')


@pytest.fixture(scope='module')
def world(database: sa.Engine) -> SimpleNamespace:
    """SQLite works without statistics: the service never runs ANALYZE."""
    world = things.world(database, ROWS)
    if database.dialect.name != 'sqlite':
        query_plans.analyze(database)
    return world


def texts(name: str) -> tuple[str, ...]:
    """Return filters for rare values, as a client writes them."""
    value = str(RARE[name]).lower() if name == 'enabled' else RARE[name]
    other = VALUES[name][2] if name in VALUES and name != 'enabled' else value
    null = ('null',) if name in NULLABLE else ()
    return f'{value}', f'in:"{value}","{other}"', *null


def statement(world: SimpleNamespace, name: str, text: str,
              project: str | None, sort: str = 'id') -> sa.Select[Any]:
    everywhere = [('all_projects', 'true')] if project is None else []
    query = queries.parse(things.SHAPE, [
        (name, text), ('sort', sort), *everywhere,
        ('limit', str(LIMIT))], 1000)
    return statements.select(world.source, query, project, None)


def read(world: SimpleNamespace, select: sa.Select[Any]) -> int:
    with world.engine.connect() as connection:
        return COUNT[world.engine.dialect.name](connection, select)


COLUMNS = [column for column in queries.list_options(things.SHAPE).filters
           if column != 'project_id']


@pytest.mark.parametrize('sort', ['id', 'created_at:desc', 'label'])
@pytest.mark.parametrize(('name', 'text'), [
    (name, text) for name in COLUMNS for text in texts(name)])
def test_a_rare_value_is_found_by_an_index_that_begins_with_its_column(
        world: SimpleNamespace, name: str, text: str, sort: str) -> None:
    """The sort order does not matter."""
    select = statement(world, name, text, PROJECT, sort)
    indexes = query_plans.leading(world, select)
    assert any(name in (index[0], *index[index[0] == 'project_id':][:1])
               for index in indexes), indexes
    assert read(world, select) < 10 * FEW


@pytest.mark.parametrize(('name', 'text'), [
    (name, text) for name in all_projects.filterable(things.SHAPE, ())
    for text in (('rare', 'in:rare,rarer') if name == 'project_id'
                 else texts(name))])
def test_across_all_projects_the_index_begins_with_the_column_alone(
        world: SimpleNamespace, name: str, text: str) -> None:
    project = text if text == 'rare' else None
    select = statement(world, name, text, project)
    indexes = query_plans.leading(world, select)
    assert any(index[:1] == [name] for index in indexes), indexes
    assert read(world, select) < 10 * FEW
