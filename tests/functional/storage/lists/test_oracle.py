# SPDX-License-Identifier: Apache-2.0
"""A list is what a slow and plain reading of the same request would give.

Random requests, written as a client writes them, over random records, on
each database, against lists of Python.
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


# What the oracle knows

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


def compared(keys: list[tuple[str, bool]], one: dict, other: dict) -> int:
    for name, descending in keys:
        mine, its = ((row[name] is not None, row[name])
                     for row in (one, other))
        if mine[1] != its[1]:
            return -1 if (mine[0] < its[0] or mine[0] == its[0]
                          and mine[1] < its[1]) != descending else 1
    return 0


def oracle(asked: dict) -> list[dict]:
    found = [row for row in ROWS
             if asked['project'] in (None, row['project_id'])
             and all(matches(row, *one) for one in asked['filters'])
             and all(tagged(row, *one) for one in asked['tags'])]
    keys = asked['sort']
    return sorted(found, key=cmp_to_key(
        lambda one, other: compared(keys, one, other)))


# How a client writes it

def written(value: Any) -> str:
    if value is None:
        return 'null'
    if not isinstance(value, str):
        return str(value)
    for plain, escaped in (('\\', '\\\\'), ('"', '\\"'), ('\n', '\\n')):
        value = value.replace(plain, escaped)
    return f'"{value}"'


def parameters(asked: dict) -> list[tuple[str, str]]:
    prefix = {'eq': ''}
    found = [(name, prefix.get(verb, f'{verb}:')
              + ','.join(map(written, values)))
             for name, verb, values in asked['filters']]
    found += [(name, ','.join(group)) for name, group in asked['tags']]
    found += [('sort', ','.join(
        f'{name}:{"desc" if descending else "asc"}'
        for name, descending in asked['sort']))]
    return [*found, ('limit', str(asked['limit']))]


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
    usable = [one for one in VALUES[name]
              if one is not None or verb not in COMPARE]
    most = 4 if verb in ('in', 'nin') else 1
    return name, verb, draw(st.lists(
        st.sampled_from(usable or ['x']), min_size=1, max_size=most))


tags = st.tuples(
    st.sampled_from(('tags', 'tags-any', 'not-tags', 'not-tags-any')),
    st.lists(st.sampled_from((*things.TAGS, 'none')), min_size=1,
             max_size=3))


@st.composite
def sorts(draw: st.DrawFn) -> list[tuple[str, bool]]:
    """A whole declared order and ``id``: what the oracle need not guess."""
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


#: The statements made so far, which later lists of their form are read by.
FORMS: dict[sa.Engine, statement_cache.Statements] = {}


def page(world: SimpleNamespace, asked: dict, marker: Any,
         backwards: bool = False) -> list[dict[str, Any]]:
    query = queries.parse(things.SHAPE, parameters(asked), 1000)
    statement, values = statement_cache.select(
        FORMS.setdefault(world.engine, {}), world.source, query,
        asked['project'], marker, backwards)
    with world.engine.connect() as connection:
        return [dict(row._mapping)
                for row in connection.execute(statement, values)]


def walk(world: SimpleNamespace, asked: dict) -> list[list[dict[str, Any]]]:
    limit, pages, marker = asked['limit'], [], None
    while True:
        found = page(world, asked, marker)
        pages.append(found[:limit])
        if len(found) <= limit:
            return pages
        marker = pages[-1][-1]


@many
@given(asked=requests)
def test_all_pages_together_are_the_whole_list_in_order(
        world: SimpleNamespace, asked: dict) -> None:
    found = [row for one in walk(world, asked) for row in one]
    assert found == oracle(asked)


@many
@given(asked=requests)
def test_the_count_is_that_of_the_whole_list(
        world: SimpleNamespace, asked: dict) -> None:
    query = queries.parse(things.SHAPE, parameters(asked), 1000)
    with world.engine.connect() as connection:
        found = connection.scalar(statements.count(
            world.source, query, asked['project']))
    assert found == len(oracle(asked))


@many
@given(asked=requests, seed=st.randoms(use_true_random=False))
def test_a_page_begins_after_a_record_that_is_not_there(
        world: SimpleNamespace, asked: dict, seed: Any) -> None:
    gone = things.record(seed, 1000)
    whole = oracle(asked)
    left = [row for row in whole if compared(asked['sort'], gone, row) < 0]
    before = [row['id'] for row in whole
              if compared(asked['sort'], gone, row) > 0]
    most = asked['limit'] + 1
    assert page(world, asked, gone) == left[:most]
    assert [row['id'] for row in page(world, asked, gone, True)
            ] == before[::-1][most - 1:most]


@many
@given(asked=requests)
def test_each_page_finds_the_marker_of_the_one_before_it(
        world: SimpleNamespace, asked: dict) -> None:
    markers: list[str | None] = [None]
    for number, found in enumerate(walk(world, asked)):
        if not found:
            continue
        before = page(world, asked, found[0], backwards=True)
        told = before[0]['id'] if before else None
        assert told == markers[max(0, number - 1)]
        markers.append(found[-1]['id'])


def test_who_stays_is_told_once_while_others_come_and_go(
        database: sa.Engine) -> None:
    """C11: the marker is deleted and others are made on every page."""
    rows = things.records(40, seed=3)
    world = things.world(database, rows)
    asked = {'project': None, 'filters': [], 'tags': [], 'limit': 3,
             'sort': [('label', True), ('size', False), ('id', False)]}
    told, gone, marker = [], set(), None
    for number in range(100, 140):
        found = page(world, asked, marker)[:3]
        if not found:
            break
        told += [row['id'] for row in found]
        marker = found[-1]
        gone.add(marker['id'])
        new = things.record(things.random.Random(number), number)
        with database.begin() as connection:
            connection.execute(sa.delete(world.table).where(
                world.table.c.id == marker['id']))
            connection.execute(sa.insert(world.table), [new])
    stayed = {row['id'] for row in rows} - gone
    assert not found
    assert sorted(one for one in told if one in stayed) == sorted(stayed)
