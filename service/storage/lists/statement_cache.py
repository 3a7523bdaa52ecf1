# SPDX-License-Identifier: Apache-2.0
"""The SELECTs of lists, each made once for all lists of its form.

PERF: to build the SELECT of a page takes longer than to find the page. Lists
that differ only in their values, in whose they are and in where they begin
have one text of SQL: it is kept, and given the values as parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from service.domain.query.list_query import Filter, Query
from service.storage.lists import statements
from service.storage.lists.statements import Source

#: Forms by where they are read and all but the values.
Statements = dict[Any, sa.Select[Any]]

#: Clients choose what to ask for; when there are so many, it begins anew.
MAX_STATEMENTS = 1000

#: Filters with as many parameters as values are not kept, nor are tags.
_MANY = ('in', 'nin')

_OWNER = 'pileus_owner'


def select(forms: Statements, source: Source, query: Query, owner: str | None,
           marker: Mapping[str, Any] | None, backwards: bool = False
           ) -> tuple[sa.Select[Any], Mapping[str, Any]]:
    """The statement that ``lists.select`` makes, and its parameters."""
    if query.tags.count or any(one.operator in _MANY
                               for one in query.filters):
        return statements.select(source, query, owner, marker, backwards), {}
    formal = replace(
        query, marker=None, fields=None, with_count=False, project=None,
        filters=tuple(
            Filter(one.column, one.operator) for one in query.filters))
    columns = [one.column for one in query.sort]
    nulls = marker and tuple(marker[one] is None for one in columns)
    key = source, formal, owner is None, nulls, backwards
    if key not in forms:
        if len(forms) >= MAX_STATEMENTS:
            forms.clear()
        forms[key] = _made(source, query, owner, marker, backwards)
    return forms[key], dict(_given(query, owner, marker))


def _made(source: Source, query: Query, owner: str | None,
          marker: Mapping[str, Any] | None, backwards: bool
          ) -> sa.Select[Any]:
    """The statement with a parameter in the place of each value."""
    columns = source.table.c

    def parameter(name: str, column: str, value: Any) -> Any:
        return None if value is None else sa.bindparam(
            name, type_=columns[column].type)
    filters = tuple(replace(one, values=tuple(
        parameter(_filter(number), one.column, value)
        for value in one.values)) for number, one in enumerate(query.filters))
    owned = parameter(_OWNER, 'project_id', owner) if (
        'project_id' in columns) else owner
    begin = marker and {one.column: parameter(
        _marker(one.column), one.column, marker[one.column])
        for one in query.sort}
    return statements.select(source, replace(query, filters=filters), owned,
                        begin, backwards)


def _given(query: Query, owner: str | None,
           marker: Mapping[str, Any] | None) -> Iterator[tuple[str, Any]]:
    yield _OWNER, owner
    for number, one in enumerate(query.filters):
        yield from ((_filter(number), value) for value in one.values)
    if marker is not None:
        for key in query.sort:
            yield _marker(key.column), marker[key.column]


def _filter(number: int) -> str:
    return f'pileus_filter_{number}'


def _marker(column: str) -> str:
    return f'pileus_marker_{column}'
