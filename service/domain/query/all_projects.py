# SPDX-License-Identifier: Apache-2.0
"""Lists over the records of all projects, and their filters and sorts.

Most indexes begin with the project. A filter or sort that uses such an index
within one project would scan the records of every project, so a list over
all projects refuses it. With a ``project_id`` filter, such a list is treated
like a list of that project.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from service.domain.catalogue import indexes
from service.domain.catalogue.types import Property, Shape
from service.domain.query import filters, sorts
from service.domain.query.filters import Filter
from service.domain.query.sorts import SortKey


def requested(parameters: Iterable[tuple[str, str]]) -> bool:
    """Whether the parameters ask for a list over all projects.

    The other parameters are not validated: a caller who may not have such a
    list gets Forbidden before any complaint about the rest of the query.
    """
    return any(name == 'all_projects' and filters.BOOLEANS.get(text.lower())
               for name, text in parameters)


def split_project(filters_: Sequence[Filter]
                  ) -> tuple[str | None, tuple[Filter, ...]]:
    """Return the project of a ``project_id`` filter, and the other filters.

    The project is None if no filter selects a single project.
    """
    for candidate in filters_:
        if (candidate.column, candidate.operator) == ('project_id', 'eq'):
            return candidate.values[0], tuple(
                other for other in filters_ if other != candidate)
    return None, tuple(filters_)


def refusals(shape: Shape, filters_: Sequence[Filter],
             sort: Sequence[SortKey],
             hidden: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield (parameter, reason) of filters and sorts refused here."""
    offered = filterable(shape, hidden)
    columns = {prop.name for prop in offered.values()}
    for column in dict.fromkeys(each.column for each in filters_):
        if column not in columns:
            yield shape.name_of(column) or column, _reason(
                f'filter by {", ".join(offered)}')
    if sort[0].column not in sorts.COMMON_KEYS:
        yield 'sort', _reason(f'sort by one of {", ".join(sorts.COMMON_KEYS)}')


def filterable(shape: Shape, hidden: Sequence[str]) -> Mapping[str, Property]:
    """Return the properties to filter by: common ones and references."""
    references = indexes.reference_columns(shape.declared)
    return {name: prop
            for name, prop in filters.filterable(shape, hidden).items()
            if name in filters.COMMON or prop.name in references}


def _reason(alternative: str) -> str:
    return (f'is available within one project only; over all projects you '
            f'can {alternative}, or select one project with project_id')
