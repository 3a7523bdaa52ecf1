# SPDX-License-Identifier: Apache-2.0
"""What few records have is found without a look at the many that have not.

A filter by any column on offer is read off an index that the column leads,
behind the project where one project is asked for: any other index of the
project would hold all its rows as well.
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

#: By column: what many records have, a few, and others.
HELD = {
    'label': ('a', 'rare', 'rarer'), 'status': ('active', 'retired',
                                                'provisioning'),
    'size': (1, 7, 8), 'ratio': (0.5, 7.5, 8.5),
    'enabled': (False, True, True),
    'finished_at': (things.INSTANTS[2], things.INSTANTS[0],
                    things.INSTANTS[1]),
    'rack_id': (things.RACKS[0], things.RACKS[1], things.RACKS[2])}
#: Columns in which each record has something else.
OWN = ('name', 'serial', 'slot', 'id', 'created_at', 'updated_at')
NULLABLE = ('label', 'size', 'ratio', 'enabled', 'finished_at', 'rack_id',
            'serial')


def record(number: int) -> dict[str, Any]:
    """Of every thousand the first is rare, and the next two."""
    kind = {0: 1, 1: 2, 2: None}.get(number % 1000, 0)
    held = {name: None if kind is None else values[kind]
            for name, values in HELD.items()}
    at = f'2026-01-01T{number // 3600:02}:{number // 60 % 60:02}:' \
         f'{number % 60:02}.000000Z'
    return {**held, 'status': held['status'] or 'provisioning',
            'id': f'{(number * 7919) % 10 ** 8:08}-0000-4000-8000-'
                  f'{number:012}',
            'generation': 1, 'metadata': {}, 'tags': ['red'],
            'project_id': 'rare' if number % 1000 == 3 else (
                things.PROJECTS[number // 1000 % 3]),
            'created_at': at, 'updated_at': at, 'name': f'n{number}',
            'slot': number, 'serial': kind and f's{number}' or (
                None if kind is None else f'c{number}')}


ROWS = [record(number) for number in range(MANY)]
RARE = next(one for one in ROWS[1:]
            if one['project_id'] == PROJECT and one['label'] == 'rare')


@pytest.fixture(scope='module')
def world(database: sa.Engine) -> SimpleNamespace:
    """SQLite is never told to count its rows, and reads without."""
    found = things.world(database, ROWS)
    if database.dialect.name != 'sqlite':
        query_plans.analyzed(database)
    return found


def texts(name: str) -> tuple[str, ...]:
    """As a client asks for what few have."""
    value = str(RARE[name]).lower() if name == 'enabled' else RARE[name]
    other = HELD[name][2] if name in HELD and name != 'enabled' else value
    null = ('null',) if name in NULLABLE else ()
    return f'{value}', f'in:"{value}","{other}"', *null


def statement(world: SimpleNamespace, name: str, text: str,
              project: str | None, sort: str = 'id') -> sa.Select[Any]:
    everybody = [('all_projects', 'true')] if project is None else []
    query = queries.parse(things.SHAPE, [
        (name, text), ('sort', sort), *everybody,
        ('limit', str(LIMIT))], 1000)
    return statements.select(world.source, query, project, None)


def read(world: SimpleNamespace, select: sa.Select[Any]) -> int:
    with world.engine.connect() as connection:
        return COUNT[world.engine.dialect.name](connection, select)


COLUMNS = [one for one in queries.list_options(things.SHAPE).filters
           if one != 'project_id']


@pytest.mark.parametrize('sort', ['id', 'created_at:desc', 'label'])
@pytest.mark.parametrize(('name', 'text'), [
    (name, text) for name in COLUMNS for text in texts(name)])
def test_what_few_have_is_found_by_an_index_that_its_column_leads(
        world: SimpleNamespace, name: str, text: str, sort: str) -> None:
    """In whatever order they are asked for."""
    select = statement(world, name, text, PROJECT, sort)
    led = query_plans.leading(world, select)
    assert any(name in (one[0], *one[one[0] == 'project_id':][:1])
               for one in led), led
    assert read(world, select) < 10 * FEW


@pytest.mark.parametrize(('name', 'text'), [
    (name, text) for name in all_projects.filterable(things.SHAPE, ())
    for text in (('rare', 'in:rare,rarer') if name == 'project_id'
                 else texts(name))])
def test_over_all_projects_it_is_one_that_the_column_leads_alone(
        world: SimpleNamespace, name: str, text: str) -> None:
    project = text if text == 'rare' else None
    select = statement(world, name, text, project)
    led = query_plans.leading(world, select)
    assert any(one[:1] == [name] for one in led), led
    assert read(world, select) < 10 * FEW
