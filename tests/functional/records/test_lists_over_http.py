# SPDX-License-Identifier: Apache-2.0
"""A list asked for over HTTP and walked by its own links is what a slow and
plain reading of the same request gives.
"""

from __future__ import annotations

import operator
import random
from functools import cmp_to_key
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.functional.harness.daemon import config_dir
from tests.functional.harness.in_process import Application

TYPE = Path(__file__).parents[1] / 'types' / 'specimen.yaml'
TIMES = ['2026-01-01T00:00:00Z', '2026-01-01T00:00:00.5Z',
         '2026-06-01T12:00:00Z', None]
DOMAIN = {
    'kind': ['plain', 'rare', 'lost'],
    'size': [-3, 0, 2, 9, 10, 11, 2 ** 53 + 1, None],
    'ratio': [-0.5, 0.1, 2.0, 1e300, None],
    'live': [True, False],
    'seen_at': TIMES,
}
ODD = ['a', 'B', 'a,b', 'in:a', '"', '\\', 'two\nlines', 'null', 'ä',
       '\U0001f344', ' ', 'a ', '%', '_', 'gte:', "'", ';', 'x&y=z', '+', '#']


def specimens() -> list[dict[str, Any]]:
    dice = random.Random(4)
    return [{'name': ODD[number] if number < len(ODD) else f'n{number}',
             **{name: dice.choice(values)
                for name, values in DOMAIN.items()}}
            for number in range(60)]


@pytest.fixture(scope='module')
def served(tmp_path_factory: pytest.TempPathFactory) -> Application:
    return Application(config_dir(tmp_path_factory.mktemp('lists'),
                                  {'specimen': TYPE.read_text()}))


@pytest.fixture(scope='module')
def rows(served: Application) -> list[dict[str, Any]]:
    reply = served.request('POST', '/v1/specimens',
                           {'specimens': specimens()})
    assert reply.status == 201, reply.body
    return reply.json['specimens']


# What the oracle knows

COMPARE = {'gt': operator.gt, 'gte': operator.ge, 'lt': operator.lt,
           'lte': operator.le}


def matches(row: dict[str, Any], name: str, verb: str, values: list) -> bool:
    value = comparable(row[name])
    wanted = [comparable(one) for one in values]
    if verb in COMPARE:
        return value is not None and COMPARE[verb](value, wanted[0])
    return (value in wanted) == (verb in ('eq', 'in'))


def comparable(value: Any) -> Any:
    """Times of one width compare as text: with their fraction, in full."""
    if isinstance(value, str) and value.startswith('2026-'):
        return value.rstrip('Z').ljust(26, '0') if '.' in value else (
            f'{value.rstrip("Z")}.000000')
    return value


def compared(keys: list[tuple[str, bool]], one: dict, other: dict) -> int:
    """Nulls first ascending; text by its code points."""
    for name, descending in keys:
        mine, its = comparable(one[name]), comparable(other[name])
        if mine != its:
            first = mine is None or its is not None and mine < its
            return -1 if first != descending else 1
    return 0


# How a client writes it

def written(value: Any) -> str:
    if value is None:
        return 'null'
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value)
    for plain, escaped in (('\\', '\\\\'), ('"', '\\"'), ('\n', '\\n')):
        value = value.replace(plain, escaped)
    return f'"{value}"'


def query(asked: dict[str, Any]) -> str:
    pairs = [(name, ('' if verb == 'eq' else f'{verb}:')
              + ','.join(map(written, values)))
             for name, verb, values in asked['filters']]
    pairs.append(('sort', ','.join(
        f'{name}:{"desc" if descending else "asc"}'
        for name, descending in asked['sort'])))
    return urlencode([*pairs, ('limit', asked['limit']),
                      ('with_count', 'true')])


@st.composite
def filters(draw: st.DrawFn) -> tuple[str, str, list]:
    name = draw(st.sampled_from(['name', *DOMAIN]))
    verbs = ['eq', 'neq', 'in', 'nin']
    verb = draw(st.sampled_from(verbs if name == 'live'
                                else [*verbs, *COMPARE]))
    usable = [one for one in DOMAIN.get(name, ODD)
              if one is not None or verb not in COMPARE]
    return name, verb, draw(st.lists(
        st.sampled_from(usable), min_size=1, unique=True,
        max_size=3 if verb in ('in', 'nin') else 1))


ORDERS = (('size',), ('kind', 'size'), ('live', 'name'), ('ratio',),
          ('seen_at',), ('name',), ('created_at',))
sorts = st.sampled_from(ORDERS).flatmap(lambda names: st.tuples(*(
    st.tuples(st.just(name), st.booleans()) for name in (*names, 'id'))))
requests = st.fixed_dictionaries({
    'filters': st.lists(filters(), max_size=2), 'sort': sorts,
    'limit': st.integers(3, 70)})


def walk(served: Application, target: str) -> list[list[dict[str, Any]]]:
    pages = []
    while target:
        reply = served.request('GET', target)
        assert reply.status == 200, (target, reply.body)
        pages.append(reply.json['specimens'])
        links = {one['rel']: one['href'] for one in reply.json['links']}
        parts = urlsplit(links.get('next', ''))
        target = parts.query and f'{parts.path}?{parts.query}'
    return pages


@settings(max_examples=80, deadline=None, suppress_health_check=[
    HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(asked=requests)
def test_a_walk_over_the_pages_is_the_oracles_list(served, rows, asked):
    """FILT-1, FILT-2, FILT-3, FILT-5, FILT-7, FILT-8, SORT-1, PAGE-1, PAGE-2,
    PAGE-5, PAGE-7, CNT-1, J06, J11: also by names with quotes, blanks and
    code points beyond the first plane, each its own."""
    wanted = sorted((row for row in rows if all(
        matches(row, *one) for one in asked['filters'])),
        key=cmp_to_key(lambda one, other: compared(asked['sort'], one,
                                                   other)))
    target = f'/v1/specimens?{query(asked)}'
    pages = walk(served, target)
    assert [row for page in pages for row in page] == wanted
    assert all(len(page) == asked['limit'] for page in pages[:-1])
    assert served.request('GET', target).json['count'] == len(wanted)


def test_every_record_is_on_one_page_while_others_come_and_go(served, rows):
    """C11: the marker is deleted, another sorts elsewhere, new ones come."""
    def ask(method: str, path: str, body: object = None) -> Any:
        reply = served.request(method, path, body,
                               {'X-Project-Id': 'moving'})
        assert reply.status < 300, reply.body
        return reply.json if reply.body else None
    ask('POST', '/v1/specimens', {'specimens': [
        {'name': f'm{number}', 'size': number % 3} for number in range(30)]})
    told: list[str] = []
    touched = {'m15'}
    target, number = '/v1/specimens?limit=4&sort=size,id', 0
    while target:
        page = ask('GET', target)
        told += [one['name'] for one in page['specimens']]
        last = page['specimens'][-1]
        touched.add(last['name'])
        ask('DELETE', f'/v1/specimens/{last["id"]}')
        ask('POST', '/v1/specimens', {'specimen': {
            'name': f'new{number}', 'size': number % 3}})
        links = {one['rel']: urlsplit(one['href'])
                 for one in page['links']}
        target = 'next' in links and '?'.join(links['next'][2:4])
        number += 1
        assert number < 40, 'the walk has no end'
    stayed = {f'm{one}' for one in range(30)} - touched
    assert sorted(one for one in told if one in stayed) == sorted(stayed)


def test_a_marker_of_another_project_is_as_one_that_never_was(served, rows):
    """C11, A04: one body for both, or ids would be told."""
    def told(marker: str) -> Any:
        reply = served.request('GET', f'/v1/specimens?marker={marker}',
                               None, {'X-Project-Id': 'stranger'})
        assert reply.status == 400
        return [{name: one[name] for name in ('code', 'detail', 'source')}
                for one in reply.json['errors']]
    assert told(rows[0]['id']) == told('7bd6bd13-2c4b-4d6a-9b27-0123456789ab')
