# SPDX-License-Identifier: Apache-2.0
"""The database indexes of a type, so that every list is read from an index.

A filter needs an index that begins with its column; an order needs an index
with all its columns in that sequence. Indexes for lists of one project begin
with the project's id; those of ``all_projects_indexes`` do not.
"""

from __future__ import annotations

from collections.abc import Iterable

from service.domain.catalogue.types import ResourceType

ColumnTuples = tuple[tuple[str, ...], ...]

#: The common columns, besides ``id``, that lists can be sorted by.
SORTABLE_TIMES = ('created_at', 'updated_at')


def filterable_columns(declared: ResourceType) -> tuple[str, ...]:
    """The declared columns that lists can be filtered by."""
    return tuple(dict.fromkeys(
        name for names in (*declared.unique, *declared.indexes)
        for name in names))


def list_indexes(declared: ResourceType) -> ColumnTuples:
    """The column tuples that need an index (project_id, tuple, id).

    Sorting and the search for overlapping periods need one index for each
    tuple. A column to filter by needs an index of its own unless another one
    begins with it; otherwise the filter reads every row of the project.
    """
    sorted_by = _sort_tuples(declared)
    leading = {names[0] for names in (*sorted_by, *declared.unique)}
    if not declared.owned:
        leading |= reference_columns(declared)
    return (*sorted_by, *((name,) for name in filterable_columns(declared)
                          if name not in leading))


def all_projects_indexes(declared: ResourceType) -> ColumnTuples:
    """The column tuples that need an index (tuple, id) over all projects.

    Only the common columns get one. Every further index makes each write
    slower, and few callers may list all projects. References have their own
    index anyway, which finds the referring records.
    """
    return tuple((name,) for name in SORTABLE_TIMES) if declared.owned else ()


def reference_columns(declared: ResourceType) -> set[str]:
    """The columns that hold references; each has an index of its own."""
    return {prop.name for prop in declared.live if prop.references is not None}


def key_count(declared: ResourceType) -> int:
    """The number of indexes of a table beyond those of every table."""
    return (len(declared.unique) + len(list_indexes(declared))
            - len(SORTABLE_TIMES) + len(reference_columns(declared)))


def needs_list_index(declared: ResourceType, names: Iterable[str]) -> bool:
    """Whether a unique tuple needs an index besides its constraint.

    The constraint's index cannot sort a list by columns that may be null: it
    does not order ties by id and, on PostgreSQL, sorts nulls differently.
    """
    return not nullable_columns(declared).isdisjoint(names)


def nullable_columns(declared: ResourceType) -> set[str]:
    return {prop.name for prop in declared.live if prop.nullable}


def _sort_tuples(declared: ResourceType) -> ColumnTuples:
    unique = (names for names in declared.unique
              if needs_list_index(declared, names))
    periods = ((*rule.over, rule.period[0]) for rule in declared.exclusive)
    return tuple(dict.fromkeys((*((name,) for name in SORTABLE_TIMES),
                                *declared.indexes, *unique, *periods)))
