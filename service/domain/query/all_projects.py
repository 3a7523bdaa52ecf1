# SPDX-License-Identifier: Apache-2.0
"""Lists over the records of all projects, and what may be asked of them.

Most indexes begin with the project: a filter or an order that is read off
one within a project would have every record of every project looked at, and
is refused. Narrowed to one project such a list is asked as any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from service.domain.catalogue import indexes
from service.domain.catalogue.types import Property, Shape
from service.domain.query import filters, sorts
from service.domain.query.filters import Filter
from service.domain.query.sorts import SortKey


def requested(parameters: Iterable[tuple[str, str]]) -> bool:
    """Whether such a list is asked for, however wrong the rest of it is: who
    may not have one need not know what would be right."""
    return any(name == 'all_projects' and filters.BOOLEANS.get(text.lower())
               for name, text in parameters)


def split_project(asked: Sequence[Filter]
             ) -> tuple[str | None, tuple[Filter, ...]]:
    """The project that the filters pick, if they do, and the others."""
    for one in asked:
        if (one.column, one.operator) == ('project_id', 'eq'):
            return one.values[0], tuple(
                other for other in asked if other != one)
    return None, tuple(asked)


def refusals(shape: Shape, asked: Sequence[Filter], sort: Sequence[SortKey],
             hidden: Sequence[str]) -> Iterator[tuple[str, str]]:
    """(parameter, why) of what is served within one project only."""
    served = filterable(shape, hidden)
    known = {one.name for one in served.values()}
    for column in dict.fromkeys(one.column for one in asked):
        if column not in known:
            yield shape.name_of(column) or column, _reason(
                f'filter by {", ".join(served)}')
    if sort[0].column not in sorts.COMMON_KEYS:
        yield 'sort', _reason(f'sort by one of {", ".join(sorts.COMMON_KEYS)}')


def filterable(shape: Shape, hidden: Sequence[str]) -> Mapping[str, Property]:
    """The properties to filter by, by name: common ones and references."""
    referring = indexes.reference_columns(shape.declared)
    return {name: one for name,
            one in filters.filterable(shape, hidden).items()
            if name in filters.COMMON or one.name in referring}


def _reason(what: str) -> str:
    return (f'is served within one project only; over all of them one may '
            f'{what}, or pick one with project_id')
