# SPDX-License-Identifier: Apache-2.0
"""ORDER BY of lists, and the rows after a given row in that order.

The rows after a given row are a few index ranges: at most two for each sort
column, usually one in total. ``dialects`` has the SQL that differs between
databases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import sqlalchemy as sa

from service.domain.query.list_query import SortKey
from service.storage.lists import dialects

Condition = sa.ColumnElement[bool]
Column = sa.Column[Any]

#: The sort element of a nullable column, by (descending, null in all rows).
_NULLABLE: Mapping[tuple[bool, bool], Callable[..., sa.ColumnElement[Any]]] = {
    (False, False): dialects.Ascending,
    (True, False): dialects.Descending,
    (False, True): dialects.AscendingNulls,
    (True, True): dialects.DescendingNulls,
}

#: The comparison that finds the rows after a row, by descending.
_BEYOND = {False: dialects.After, True: dialects.Before}


class Key(NamedTuple):
    """One column of a sort order."""

    column: Column
    descending: bool

    def reversed(self) -> Key:
        return self._replace(descending=not self.descending)


class Arm(NamedTuple):
    """Some of the rows after a given row: one range of one index.

    Columns in ``null_columns`` are null in all of its rows. Two arms have no
    row in common.
    """

    conditions: tuple[Condition, ...]
    null_columns: frozenset[str] = frozenset()


def keys(table: sa.Table, sort: Iterable[SortKey],
         one_project: bool) -> tuple[Key, ...]:
    """Return the columns to order by.

    ``one_project``: all rows belong to one project. ``id`` at the end is left
    out if the columns before it are unique together: PostgreSQL and MariaDB
    do not recognize that ``id`` is redundant, and sort instead of using the
    index.
    """
    sort_keys = tuple(Key(table.c[sort_key.column], sort_key.descending)
                      for sort_key in sort)
    leading = {key.column.name for key in sort_keys[:-1]}
    if any(unique <= leading for unique in _uniques(table, one_project)):
        return sort_keys[:-1]
    return sort_keys


def clause(sort_keys: Iterable[Key], null_columns: Iterable[str] = (),
           without_index: bool = False) -> list[sa.ColumnElement[Any]]:
    """Return the ORDER BY of a read of the table.

    Columns in ``null_columns`` are null in all rows. ``without_index``: no
    index both finds the rows and has this order.
    """
    return [_ordered(key, dialects.Sorted(key.column) if without_index
                     else key.column, key.column.name in null_columns)
            for key in sort_keys]


def clause_by(sort_keys: Iterable[Key],
              column: Callable[[str], sa.ColumnElement[Any]] = sa.column
              ) -> list[sa.ColumnElement[Any]]:
    """Return the ORDER BY of a subquery that has these columns."""
    return [_ordered(key, column(key.column.name), False)
            for key in sort_keys]


def _ordered(key: Key, column: sa.ColumnElement[Any],
             null: bool) -> sa.ColumnElement[Any]:
    if key.column.nullable:
        return _NULLABLE[key.descending, null](column)
    return column.desc() if key.descending else column.asc()


def after(sort_keys: Sequence[Key], row: Mapping[str, Any]) -> list[Arm]:
    """Return the arms with all rows after ``row`` in this order.

    A row comes after ``row`` if it has the same values in the leading columns
    and a later value in the next one. Adjacent columns of one direction are
    compared together, as one row comparison. No comparison matches nulls: a
    null in ``row``, and the nulls at the end of a descending column, get an
    arm of their own.
    """
    arms: list[Arm] = []
    equal: list[Key] = []
    for direction, group in groupby(sort_keys,
                                    lambda key: _direction(key, row)):
        adjacent = list(group)
        if direction is not None:
            arms.append(_arm(equal, row, _beyond(adjacent, row)))
        for key in adjacent:
            arms += _null_arms(key, equal, row)
            equal.append(key)
    return arms


def _direction(key: Key, row: Mapping[str, Any]) -> bool | None:
    """Whether the column is descending; None if its value in ``row`` is null,
    which cannot be compared."""
    return None if row[key.column.name] is None else key.descending


def _beyond(adjacent: Sequence[Key], row: Mapping[str, Any]) -> Condition:
    columns = [key.column for key in adjacent]
    values = [bound(column, row[column.name]) for column in columns]
    return _BEYOND[adjacent[0].descending](*columns, *values)


def _null_arms(key: Key, equal: Sequence[Key],
               row: Mapping[str, Any]) -> list[Arm]:
    """Return the arm before or after the nulls of one column, if any."""
    if not key.column.nullable:
        return []
    null = row[key.column.name] is None
    if null == key.descending:
        return []
    if null:
        return [_arm(equal, row, key.column.is_not(None))]
    arm = _arm(equal, row, key.column.is_(None))
    return [arm._replace(null_columns=arm.null_columns | {key.column.name})]


def _arm(equal: Sequence[Key], row: Mapping[str, Any],
         condition: Condition) -> Arm:
    """Return the rows with the values of ``row`` in the ``equal`` columns
    that meet ``condition``."""
    columns = [key.column for key in equal]
    equalities = (column.is_(None) if row[column.name] is None
                  else same(column, row[column.name]) for column in columns)
    return Arm((*equalities, condition), frozenset(
        column.name for column in columns if row[column.name] is None))


def same(column: Column, value: Any) -> Condition:
    """Return ``column = value``, as the beginning of an index range."""
    return dialects.Same(column, bound(column, value))


def bound(column: Column, value: Any) -> sa.ColumnElement[Any]:
    """Return a value as a parameter of the column's type, and a parameter
    unchanged."""
    if isinstance(value, sa.BindParameter):
        return value
    return sa.literal(value, column.type)


def _uniques(table: sa.Table, one_project: bool) -> list[set[str]]:
    """Return the sets of columns that are unique within a list."""
    constant = {'project_id'} if one_project else set()
    uniques = (constraint for constraint in table.constraints
               if isinstance(constraint, sa.UniqueConstraint))
    return [{column.name for column in unique.columns} - constant
            for unique in uniques
            if not any(column.nullable for column in unique.columns)]
