# SPDX-License-Identifier: Apache-2.0
"""The indexes a type needs, so that what lists may be asked for is served.

A filter is looked up where its column leads an index, an order is read off
one that has all its columns in turn. Within a project an index begins with
the project; ``across`` are those that do not.
"""

from __future__ import annotations

from collections.abc import Iterable

from service.domain.catalogue.types import ResourceType

ColumnTuples = tuple[tuple[str, ...], ...]

#: The common columns that lists are sorted by, beside ``id``.
SORTABLE_TIMES = ('created_at', 'updated_at')


def filterable_columns(declared: ResourceType) -> tuple[str, ...]:
    """The declared columns that lists may be filtered by."""
    return tuple(dict.fromkeys(
        name for names in (*declared.unique, *declared.indexes)
        for name in names))


def list_indexes(declared: ResourceType) -> ColumnTuples:
    """The tuples that need an index (owner, tuple, id).

    Those to sort by, or to find periods that overlap, and each column to
    filter by that leads none of them: behind another column it would be
    looked for in every row of the project.
    """
    found = _ordered(declared)
    led = {names[0] for names in (*found, *declared.unique)}
    if not declared.owned:
        led |= reference_columns(declared)
    return (*found, *((one,) for one in filterable_columns(declared)
                      if one not in led))


def all_projects_indexes(declared: ResourceType) -> ColumnTuples:
    """The tuples that have an index (tuple, id), whoever's the records are.

    Only the common ones: each more would be written with every record, and a
    list of all projects is asked for by few. References have one anyway, to
    find who refers.
    """
    return tuple((one,) for one in SORTABLE_TIMES) if declared.owned else ()


def reference_columns(declared: ResourceType) -> set[str]:
    """The columns that refer, each of which has an index of its own."""
    return {one.name for one in declared.live if one.references is not None}


def key_count(declared: ResourceType) -> int:
    """How many keys a table has besides those that every table has."""
    return (len(declared.unique) + len(list_indexes(declared))
            - len(SORTABLE_TIMES) + len(reference_columns(declared)))


def needs_list_index(declared: ResourceType, names: Iterable[str]) -> bool:
    """A unique tuple that may hold nulls has an index as well: its
    constraint orders neither ties nor, on PostgreSQL, nulls as a list does.
    """
    return not nullable_columns(declared).isdisjoint(names)


def nullable_columns(declared: ResourceType) -> set[str]:
    return {one.name for one in declared.live if one.nullable}


def _ordered(declared: ResourceType) -> ColumnTuples:
    loose = (one for one in declared.unique if needs_list_index(declared, one))
    periods = ((*one.over, one.period[0]) for one in declared.exclusive)
    return tuple(dict.fromkeys((*((one,) for one in SORTABLE_TIMES),
                                *declared.indexes, *loose, *periods)))
