# SPDX-License-Identifier: Apache-2.0
"""The statement cache of lists. tests/functional/storage tests the results.
"""

from __future__ import annotations

from typing import Any

import pytest

from service.domain.query import list_query
from service.storage.lists import statement_cache
from tests.unit.storage.lists.test_statements import MARKER, SHAPE, SOURCE


@pytest.fixture
def cache() -> statement_cache.Statements:
    return {}


def select(cache: statement_cache.Statements, *parameters: tuple[str, str],
           owner: str | None = 'p', marker: Any = None,
           backwards: bool = False) -> tuple[Any, Any]:
    return statement_cache.select(
        cache, SOURCE,
        list_query.parse(SHAPE, parameters, 1000), owner, marker, backwards)


def test_queries_that_differ_in_values_share_a_statement(cache):
    size = ('sort', 'size,label')
    statement, values = select(cache, size, ('name', 'a'), marker=MARKER)
    other, other_values = select(cache, size, ('name', 'b'), owner='q',
                                 marker={**MARKER, 'size': 4})
    assert statement is other
    assert values != other_values
    assert {'a', 'p', 3}.isdisjoint(statement.compile().params.values())


@pytest.mark.parametrize('other', [
    {'owner': None}, {'marker': None}, {'backwards': True},
    {'marker': {**MARKER, 'size': None}}])
def test_queries_with_different_sql_have_different_statements(cache, other):
    same = {'owner': 'p', 'marker': MARKER, 'backwards': False}
    parameters = ('sort', 'size,label')
    statement, _ = select(cache, parameters, **same)
    assert select(cache, parameters, **{**same, **other})[0] is not statement
    assert select(cache, ('sort', 'size:desc,label'),
                  **same)[0] is not statement
    assert select(cache, parameters, ('limit', '5'),
                  **same)[0] is not statement


def test_a_filter_for_null_has_a_statement_of_its_own(cache):
    statement, _ = select(cache, ('serial', 'a'))
    assert select(cache, ('serial', 'null'))[0] is not statement
    assert select(cache, ('serial', 'neq:a'))[0] is not statement


@pytest.mark.parametrize('parameter', [
    ('name', 'in:a,b'), ('serial', 'nin:a,null'), ('tags', 'a')])
def test_queries_with_any_number_of_values_are_not_cached(cache, parameter):
    select(cache, parameter)
    assert cache == {}


def test_the_size_of_the_cache_is_limited(cache, monkeypatch):
    monkeypatch.setattr(statement_cache, 'MAX_STATEMENTS', 10)
    for limit in range(1, 100):
        select(cache, ('limit', str(limit)))
        assert len(cache) <= 10
