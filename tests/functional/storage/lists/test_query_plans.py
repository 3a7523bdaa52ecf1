# SPDX-License-Identifier: Apache-2.0
"""Every sort order and every filter of a type uses an index.

The tests examine the query plan of each database, over many rows and with
statistics, and the number of rows that were read.
"""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from service.domain.query import list_query as queries
from service.domain.query import sorts
from service.storage.lists import statements
from tests.functional.storage import things
from tests.functional.storage.lists import query_plans
from tests.functional.storage.lists.query_plans import COUNT, plan

ALLOWED = queries.list_options(things.SHAPE)
SORTS = list(dict.fromkeys(itertools.chain.from_iterable(
    itertools.accumulate((name,) for name in order)
    for order in ALLOWED.sorts)))
LIMIT = 10
PROJECT = 'beta'
VALUES = {'name': 'x', 'serial': 'x', 'label': 'a', 'size': '2',
          'ratio': '0.1', 'enabled': 'true', 'slot': '5',
          'status': 'retired', 'rack_id': things.RACKS[0],
          'id': things.RACKS[0], 'project_id': PROJECT,
          'finished_at': '2026-01-01T00:00:00Z',
          'created_at': '2026-01-01T00:00:00Z',
          'updated_at': '2026-01-01T00:00:00Z'}


@pytest.fixture(scope='module')
def world(database: sa.Engine) -> SimpleNamespace:
    world = things.world(database, things.records(6000, seed=5))
    query_plans.analyze(database)
    return world


def statement(world: SimpleNamespace, parameters: dict[str, str],
              marker: Any = None,
              project: str | None = PROJECT) -> sa.Select[Any]:
    all_projects = [('all_projects', 'true')] if project is None else []
    query = queries.parse(things.SHAPE, [
        *parameters.items(), *all_projects, ('limit', str(LIMIT))], 1000)
    return statements.select(world.source, query, project, marker)


def sorted_by(names: tuple[str, ...], direction: str) -> dict[str, str]:
    return {'sort': ','.join(f'{name}:{direction}' for name in names)}


@pytest.mark.parametrize('direction', ['asc', 'desc'])
@pytest.mark.parametrize('names', SORTS, ids=','.join)
def test_no_sort_order_needs_a_sort_step(
        world: SimpleNamespace, names: tuple[str, ...],
        direction: str) -> None:
    select = statement(world, sorted_by(names, direction))
    assert plan(world, select) == (False, False)


@pytest.mark.parametrize('direction', ['asc', 'desc'])
@pytest.mark.parametrize('name', sorts.COMMON_KEYS)
def test_no_sort_order_of_all_projects_needs_a_sort_step(
        world: SimpleNamespace, name: str, direction: str) -> None:
    """A page in the middle also reads few rows."""
    parameters, count = sorted_by((name,), direction), COUNT[
        world.engine.dialect.name]
    select = statement(world, parameters, project=None)
    assert plan(world, select)[1] is False
    with world.engine.connect() as connection:
        assert count(connection, select) < 20 * LIMIT
        rows = connection.execute(select.limit(None)).all()
        marker = rows[len(rows) // 2]._mapping
        assert count(connection, statement(
            world, parameters, marker, project=None)) < 20 * LIMIT


ORDERED = ('gt', 'gte', 'lt', 'lte')
FILTERS = [(name, text) for name in ALLOWED.filters for text in (
    VALUES[name], 'null', 'neq:null', f'in:{VALUES[name]},{VALUES[name]}',
    *(f'{operator}:{VALUES[name]}' for operator in (
        'neq', 'nin', *(ORDERED if name != 'enabled' else ()))))]


@pytest.mark.parametrize(('name', 'text'), FILTERS)
def test_no_filter_reads_the_whole_table(
        world: SimpleNamespace, name: str, text: str) -> None:
    whole, _ = plan(world, statement(world, {name: text}))
    assert not whole


@pytest.mark.parametrize('text', ['red', 'red,blue', 'none'])
@pytest.mark.parametrize('name', ['tags', 'tags-any', 'not-tags',
                                  'not-tags-any'])
def test_no_filter_by_tags_reads_a_whole_table(
        world: SimpleNamespace, name: str, text: str) -> None:
    whole, _ = plan(world, statement(world, {name: text}))
    assert not whole


@pytest.mark.parametrize('direction', ['asc', 'desc'])
@pytest.mark.parametrize('names', SORTS, ids=','.join)
@pytest.mark.parametrize('place', [0.5, 0.98])
def test_a_page_in_the_middle_reads_few_rows(
        world: SimpleNamespace, names: tuple[str, ...], direction: str,
        place: float) -> None:
    """The project has 2000 rows; a page of 10 has at most 4 arms."""
    parameters = sorted_by(names, direction)
    count = COUNT[world.engine.dialect.name]
    whole = statement(world, parameters).limit(None)
    with world.engine.connect() as connection:
        rows = connection.execute(whole).all()
        marker = rows[int(len(rows) * place)]._mapping
        select = statement(world, parameters, marker)
        assert len(rows) > 1900
        assert count(connection, select) < 20 * LIMIT
