# SPDX-License-Identifier: Apache-2.0
"""A cache of the SELECT statements of lists.

PERF: building the SELECT of a page takes longer than running it. Lists that
differ only in values, project and marker have the same SQL text: it is built
once, with a parameter in place of each value.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from service.domain.query.list_query import Filter, Query
from service.storage.lists import statements
from service.storage.lists.statements import Source

#: Statements by source and by everything in a query except its values.
Statements = dict[Any, sa.Select[Any]]

#: Clients choose the queries; a cache of this size is emptied.
MAX_STATEMENTS = 1000

#: Filters with one parameter for each of their values. Such queries, and
#: those by tag, are not cached.
_MANY = ('in', 'nin')

_OWNER = 'pileus_owner'


def select(cache: Statements, source: Source, query: Query,
           owner: str | None, marker: Mapping[str, Any] | None,
           backwards: bool = False
           ) -> tuple[sa.Select[Any], Mapping[str, Any]]:
    """Return the statement of ``statements.select`` and its parameters."""
    if query.tags.count or any(condition.operator in _MANY
                               for condition in query.filters):
        return statements.select(source, query, owner, marker, backwards), {}
    form = replace(
        query, marker=None, fields=None, with_count=False, project=None,
        filters=tuple(Filter(condition.column, condition.operator)
                      for condition in query.filters))
    columns = [sort_key.column for sort_key in query.sort]
    nulls = marker and tuple(marker[column] is None for column in columns)
    key = source, form, owner is None, nulls, backwards
    if key not in cache:
        if len(cache) >= MAX_STATEMENTS:
            cache.clear()
        cache[key] = _build(source, query, owner, marker, backwards)
    return cache[key], dict(_parameters(query, owner, marker))


def _build(source: Source, query: Query, owner: str | None,
           marker: Mapping[str, Any] | None, backwards: bool
           ) -> sa.Select[Any]:
    """Build the statement with a parameter in place of each value."""
    columns = source.table.c

    def parameter(name: str, column: str, value: Any) -> Any:
        return None if value is None else sa.bindparam(
            name, type_=columns[column].type)
    filters = tuple(replace(condition, values=tuple(
        parameter(_filter(number), condition.column, value)
        for value in condition.values))
        for number, condition in enumerate(query.filters))
    owner_parameter = parameter(_OWNER, 'project_id', owner) if (
        'project_id' in columns) else owner
    marker_parameters = marker and {sort_key.column: parameter(
        _marker(sort_key.column), sort_key.column, marker[sort_key.column])
        for sort_key in query.sort}
    return statements.select(source, replace(query, filters=filters),
                             owner_parameter, marker_parameters, backwards)


def _parameters(query: Query, owner: str | None,
                marker: Mapping[str, Any] | None
                ) -> Iterator[tuple[str, Any]]:
    yield _OWNER, owner
    for number, condition in enumerate(query.filters):
        yield from ((_filter(number), value) for value in condition.values)
    if marker is not None:
        for sort_key in query.sort:
            yield _marker(sort_key.column), marker[sort_key.column]


def _filter(number: int) -> str:
    return f'pileus_filter_{number}'


def _marker(column: str) -> str:
    return f'pileus_marker_{column}'
