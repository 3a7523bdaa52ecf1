# SPDX-License-Identifier: Apache-2.0
"""Lists over HTTP, followed by their links, equal the lists of an oracle.

The oracle filters and sorts all records in Python, in a slow and simple way.
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
    source = random.Random(4)
    return [{'name': ODD[number] if number < len(ODD) else f'n{number}',
             **{name: source.choice(values)
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


# The oracle

COMPARE = {'gt': operator.gt, 'gte': operator.ge, 'lt': operator.lt,
           'lte': operator.le}


def matches(row: dict[str, Any], name: str, verb: str, values: list) -> bool:
    value = comparable(row[name])
    wanted = [comparable(each) for each in values]
    if verb in COMPARE:
        return value is not None and COMPARE[verb](value, wanted[0])
    return (value in wanted) == (verb in ('eq', 'in'))


def comparable(value: Any) -> Any:
    """Return times with a full fraction, so that they compare as texts."""
    if isinstance(value, str) and value.startswith('2026-'):
        return value.rstrip('Z').ljust(26, '0') if '.' in value else (
            f'{value.rstrip("Z")}.000000')
    return value


def compared(keys: list[tuple[str, bool]], first_row: dict,
             second_row: dict) -> int:
    """Compare two rows: null is smallest, texts compare by code points."""
    for name, descending in keys:
        left, right = comparable(first_row[name]), comparable(second_row[name])
        if left != right:
            smaller = left is None or right is not None and left < right
            return -1 if smaller != descending else 1
    return 0


# Requests

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


def query(request: dict[str, Any]) -> str:
    pairs = [(name, ('' if verb == 'eq' else f'{verb}:')
              + ','.join(map(written, values)))
             for name, verb, values in request['filters']]
    pairs.append(('sort', ','.join(
        f'{name}:{"desc" if descending else "asc"}'
        for name, descending in request['sort'])))
    return urlencode([*pairs, ('limit', request['limit']),
                      ('with_count', 'true')])


@st.composite
def filters(draw: st.DrawFn) -> tuple[str, str, list]:
    name = draw(st.sampled_from(['name', *DOMAIN]))
    verbs = ['eq', 'neq', 'in', 'nin']
    verb = draw(st.sampled_from(verbs if name == 'live'
                                else [*verbs, *COMPARE]))
    usable = [value for value in DOMAIN.get(name, ODD)
              if value is not None or verb not in COMPARE]
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
        links = {link['rel']: link['href'] for link in reply.json['links']}
        parts = urlsplit(links.get('next', ''))
        target = parts.query and f'{parts.path}?{parts.query}'
    return pages


@settings(max_examples=80, deadline=None, suppress_health_check=[
    HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(request=requests)
def test_the_pages_of_a_list_equal_the_list_of_the_oracle(served, rows,
                                                          request):
    """FILT-1, FILT-2, FILT-3, FILT-5, FILT-7, FILT-8, SORT-1, PAGE-1, PAGE-2,
    PAGE-5, PAGE-7, CNT-1, J06, J11: also with names that contain quotes,
    blanks and code points beyond the basic multilingual plane."""
    wanted = sorted((row for row in rows if all(
        matches(row, *each) for each in request['filters'])),
        key=cmp_to_key(lambda first_row, second_row: compared(
            request['sort'], first_row, second_row)))
    target = f'/v1/specimens?{query(request)}'
    pages = walk(served, target)
    assert [row for page in pages for row in page] == wanted
    assert all(len(page) == request['limit'] for page in pages[:-1])
    assert served.request('GET', target).json['count'] == len(wanted)


def test_every_record_is_on_one_page_during_concurrent_changes(served, rows):
    """C11: markers are deleted and records are created between pages."""
    def ask(method: str, path: str, body: object = None) -> Any:
        reply = served.request(method, path, body,
                               {'X-Project-Id': 'moving'})
        assert reply.status < 300, reply.body
        return reply.json if reply.body else None
    ask('POST', '/v1/specimens', {'specimens': [
        {'name': f'm{number}', 'size': number % 3} for number in range(30)]})
    names: list[str] = []
    deleted = {'m15'}
    target, number = '/v1/specimens?limit=4&sort=size,id', 0
    while target:
        page = ask('GET', target)
        names += [record['name'] for record in page['specimens']]
        last = page['specimens'][-1]
        deleted.add(last['name'])
        ask('DELETE', f'/v1/specimens/{last["id"]}')
        ask('POST', '/v1/specimens', {'specimen': {
            'name': f'new{number}', 'size': number % 3}})
        links = {link['rel']: urlsplit(link['href'])
                 for link in page['links']}
        target = 'next' in links and '?'.join(links['next'][2:4])
        number += 1
        assert number < 40, 'the walk has no end'
    remaining = {f'm{number}' for number in range(30)} - deleted
    assert sorted(name for name in names
                  if name in remaining) == sorted(remaining)


def test_a_marker_of_another_project_answers_as_an_unknown_one(served, rows):
    """C11, A04: different replies would reveal which ids exist."""
    def refusal(marker: str) -> Any:
        reply = served.request('GET', f'/v1/specimens?marker={marker}',
                               None, {'X-Project-Id': 'stranger'})
        assert reply.status == 400
        return [{name: error[name] for name in ('code', 'detail', 'source')}
                for error in reply.json['errors']]
    assert refusal(rows[0]['id']) == refusal(
        '7bd6bd13-2c4b-4d6a-9b27-0123456789ab')
