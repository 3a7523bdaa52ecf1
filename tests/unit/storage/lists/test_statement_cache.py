# SPDX-License-Identifier: Apache-2.0
"""A list's SQL is made once for all lists of its form; that it finds what it
should is tests/functional/storage's."""

from __future__ import annotations

from typing import Any

import pytest

from service.domain.query import list_query
from service.storage.lists import statement_cache
from tests.unit.storage.lists.test_statements import MARKER, SHAPE, SOURCE


@pytest.fixture
def forms() -> statement_cache.Statements:
    return {}


def asked(forms: statement_cache.Statements, *parameters: tuple[str, str],
          owner: str | None = 'p', marker: Any = None,
          backwards: bool = False) -> tuple[Any, Any]:
    return statement_cache.select(
        forms, SOURCE,
        list_query.parse(SHAPE, parameters, 1000), owner, marker, backwards)


def test_other_values_are_the_same_statement(forms):
    size = ('sort', 'size,label')
    one, values = asked(forms, size, ('name', 'a'), marker=MARKER)
    two, others = asked(forms, size, ('name', 'b'), owner='q',
                        marker={**MARKER, 'size': 4})
    assert one is two
    assert values != others
    assert {'a', 'p', 3}.isdisjoint(one.compile().params.values())


@pytest.mark.parametrize('other', [
    {'owner': None}, {'marker': None}, {'backwards': True},
    {'marker': {**MARKER, 'size': None}}])
def test_what_changes_the_text_is_another_statement(forms, other):
    same = {'owner': 'p', 'marker': MARKER, 'backwards': False}
    parameters = ('sort', 'size,label')
    one, _ = asked(forms, parameters, **same)
    assert asked(forms, parameters, **{**same, **other})[0] is not one
    assert asked(forms, ('sort', 'size:desc,label'), **same)[0] is not one
    assert asked(forms, parameters, ('limit', '5'), **same)[0] is not one


def test_null_is_no_value(forms):
    one, _ = asked(forms, ('serial', 'a'))
    assert asked(forms, ('serial', 'null'))[0] is not one
    assert asked(forms, ('serial', 'neq:a'))[0] is not one


@pytest.mark.parametrize('parameter', [
    ('name', 'in:a,b'), ('serial', 'nin:a,null'), ('tags', 'a')])
def test_forms_of_which_there_is_no_end_are_not_kept(forms, parameter):
    asked(forms, parameter)
    assert forms == {}


def test_no_client_can_fill_the_memory_with_forms(forms, monkeypatch):
    monkeypatch.setattr(statement_cache, 'MAX_STATEMENTS', 10)
    for limit in range(1, 100):
        asked(forms, ('limit', str(limit)))
        assert len(forms) <= 10
