# SPDX-License-Identifier: Apache-2.0
"""Lists have the rows and the order of a plain implementation in Python.

Random requests over random records, on each database.
"""

from __future__ import annotations

import operator
from functools import cmp_to_key
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain.query import list_query as queries
from service.storage.lists import statement_cache, statements
from tests.functional.storage import things

ROWS = things.records(90)


@pytest.fixture(scope='module')
def world(database: sa.Engine) -> SimpleNamespace:
    return things.world(database, ROWS)


# The plain implementation

COMPARE = {'gt': operator.gt, 'gte': operator.ge, 'lt': operator.lt,
           'lte': operator.le}


def matches(row: dict[str, Any], name: str, verb: str, values: list) -> bool:
    value = row[name]
    if verb in COMPARE:
        return value is not None and COMPARE[verb](value, values[0])
    return (value in values) == (verb in ('eq', 'in'))


def tagged(row: dict[str, Any], name: str, group: list[str]) -> bool:
    has = [tag in row['tags'] for tag in group]
    return {'tags': all(has), 'tags-any': any(has), 'not-tags': not all(has),
            'not-tags-any': not any(has)}[name]


def compared(keys: list[tuple[str, bool]], first_row: dict,
             second_row: dict) -> int:
    for name, descending in keys:
        mine, its = ((row[name] is not None, row[name])
                     for row in (first_row, second_row))
        if mine[1] != its[1]:
            return -1 if (mine[0] < its[0] or mine[0] == its[0]
                          and mine[1] < its[1]) != descending else 1
    return 0


def oracle(wanted: dict) -> list[dict]:
    rows = [row for row in ROWS
            if wanted['project'] in (None, row['project_id'])
            and all(matches(row, *words) for words in wanted['filters'])
            and all(tagged(row, *words) for words in wanted['tags'])]
    keys = wanted['sort']
    return sorted(rows, key=cmp_to_key(
        lambda first_row, second_row: compared(keys, first_row, second_row)))


# The query string of a request

def written(value: Any) -> str:
    if value is None:
        return 'null'
    if not isinstance(value, str):
        return str(value)
    for plain, escaped in (('\\', '\\\\'), ('"', '\\"'), ('\n', '\\n')):
        value = value.replace(plain, escaped)
    return f'"{value}"'


def parameters(wanted: dict) -> list[tuple[str, str]]:
    prefix = {'eq': ''}
    pairs = [(name, prefix.get(verb, f'{verb}:')
              + ','.join(map(written, values)))
             for name, verb, values in wanted['filters']]
    pairs += [(name, ','.join(group)) for name, group in wanted['tags']]
    pairs += [('sort', ','.join(
        f'{name}:{"desc" if descending else "asc"}'
        for name, descending in wanted['sort']))]
    return [*pairs, ('limit', str(wanted['limit']))]


# Requests

NAMES = ('name', 'serial', 'slot', 'id', *things.DOMAIN)
VALUES = {name: list({row[name]: None for row in ROWS}
                     | dict.fromkeys(things.DOMAIN.get(name, ())))
          for name in NAMES}


@st.composite
def filters(draw: st.DrawFn) -> tuple[str, str, list]:
    name = draw(st.sampled_from(NAMES))
    verb = draw(st.sampled_from(('eq', 'neq', 'in', 'nin', *COMPARE)))
    if name == 'enabled' and verb in COMPARE:
        verb = 'eq'
    usable = [value for value in VALUES[name]
              if value is not None or verb not in COMPARE]
    max_size = 4 if verb in ('in', 'nin') else 1
    return name, verb, draw(st.lists(
        st.sampled_from(usable or ['x']), min_size=1, max_size=max_size))


tags = st.tuples(
    st.sampled_from(('tags', 'tags-any', 'not-tags', 'not-tags-any')),
    st.lists(st.sampled_from((*things.TAGS, 'none')), min_size=1,
             max_size=3))


@st.composite
def sorts(draw: st.DrawFn) -> list[tuple[str, bool]]:
    """A complete declared order with ``id``, which is total."""
    order = draw(st.sampled_from(queries.list_options(things.SHAPE).sorts))
    names = (*order, 'id') if order != ('id',) else order
    if draw(st.booleans()):
        descending = draw(st.booleans())
        return [(name, descending) for name in names]
    return [(name, draw(st.booleans())) for name in names]


requests = st.fixed_dictionaries({
    'project': st.sampled_from((*things.PROJECTS, None)),
    'filters': st.lists(filters(), max_size=2),
    'tags': st.lists(tags, max_size=2),
    'sort': sorts(),
    'limit': st.integers(1, 40),
})

many = settings(max_examples=80, deadline=None, suppress_health_check=[
    HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


#: The cached statements of each database.
CACHES: dict[sa.Engine, statement_cache.Statements] = {}


def page(world: SimpleNamespace, wanted: dict, marker: Any,
         backwards: bool = False) -> list[dict[str, Any]]:
    query = queries.parse(things.SHAPE, parameters(wanted), 1000)
    statement, values = statement_cache.select(
        CACHES.setdefault(world.engine, {}), world.source, query,
        wanted['project'], marker, backwards)
    with world.engine.connect() as connection:
        return [dict(row._mapping)
                for row in connection.execute(statement, values)]


def walk(world: SimpleNamespace,
         wanted: dict) -> list[list[dict[str, Any]]]:
    limit, pages, marker = wanted['limit'], [], None
    while True:
        rows = page(world, wanted, marker)
        pages.append(rows[:limit])
        if len(rows) <= limit:
            return pages
        marker = pages[-1][-1]


@many
@given(wanted=requests)
def test_all_pages_together_are_the_whole_list_in_order(
        world: SimpleNamespace, wanted: dict) -> None:
    rows = [row for rows in walk(world, wanted) for row in rows]
    assert rows == oracle(wanted)


@many
@given(wanted=requests)
def test_the_count_is_that_of_the_whole_list(
        world: SimpleNamespace, wanted: dict) -> None:
    query = queries.parse(things.SHAPE, parameters(wanted), 1000)
    with world.engine.connect() as connection:
        count = connection.scalar(statements.count(
            world.source, query, wanted['project']))
    assert count == len(oracle(wanted))


@many
@given(wanted=requests, seed=st.randoms(use_true_random=False))
def test_a_page_may_start_after_a_record_that_does_not_exist(
        world: SimpleNamespace, wanted: dict, seed: Any) -> None:
    marker = things.record(seed, 1000)
    whole = oracle(wanted)
    after = [row for row in whole
             if compared(wanted['sort'], marker, row) < 0]
    before = [row['id'] for row in whole
              if compared(wanted['sort'], marker, row) > 0]
    size = wanted['limit'] + 1
    assert page(world, wanted, marker) == after[:size]
    assert [row['id'] for row in page(world, wanted, marker, True)
            ] == before[::-1][size - 1:size]


@many
@given(wanted=requests)
def test_each_page_finds_the_marker_of_the_previous_page(
        world: SimpleNamespace, wanted: dict) -> None:
    markers: list[str | None] = [None]
    for number, rows in enumerate(walk(world, wanted)):
        if not rows:
            continue
        before = page(world, wanted, rows[0], backwards=True)
        marker = before[0]['id'] if before else None
        assert marker == markers[max(0, number - 1)]
        markers.append(rows[-1]['id'])


def test_a_record_is_listed_once_while_others_are_created_and_deleted(
        database: sa.Engine) -> None:
    """C11: after each page its last record is deleted and one is created."""
    rows = things.records(40, seed=3)
    world = things.world(database, rows)
    wanted = {'project': None, 'filters': [], 'tags': [], 'limit': 3,
             'sort': [('label', True), ('size', False), ('id', False)]}
    listed, deleted, marker = [], set(), None
    for number in range(100, 140):
        rows_of_page = page(world, wanted, marker)[:3]
        if not rows_of_page:
            break
        listed += [row['id'] for row in rows_of_page]
        marker = rows_of_page[-1]
        deleted.add(marker['id'])
        new = things.record(things.random.Random(number), number)
        with database.begin() as connection:
            connection.execute(sa.delete(world.table).where(
                world.table.c.id == marker['id']))
            connection.execute(sa.insert(world.table), [new])
    stayed = {row['id'] for row in rows} - deleted
    assert not rows_of_page
    assert sorted(id for id in listed if id in stayed) == sorted(stayed)
