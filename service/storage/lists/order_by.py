# SPDX-License-Identifier: Apache-2.0
"""Orders of rows, and what comes after a row in one.

What comes after a row is a handful of index ranges, at most two for a column
sorted by and mostly one in all. ``spelling`` has the words that differ from
database to database.
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

#: How a nullable column is sorted: by (descending, known to be null).
_TURN: Mapping[tuple[bool, bool], Callable[..., sa.ColumnElement[Any]]] = {
    (False, False): dialects.Ascending,
    (True, False): dialects.Descending,
    (False, True): dialects.AscendingNulls,
    (True, True): dialects.DescendingNulls,
}

#: The comparison that finds what is past a row: by descending.
_PAST = {False: dialects.After, True: dialects.Before}


class Key(NamedTuple):
    """One column of an order."""

    column: Column
    descending: bool

    def turned(self) -> Key:
        return self._replace(descending=not self.descending)


class Arm(NamedTuple):
    """One stretch of what comes after a row: one range of one index.

    ``settled`` columns are null in all of its rows. The arms of a row have
    no row in common.
    """

    conditions: tuple[Condition, ...]
    settled: frozenset[str] = frozenset()


def keys(table: sa.Table, sort: Iterable[SortKey],
         within: bool) -> tuple[Key, ...]:
    """The columns to order by. ``within``: all rows are of one project.

    Where a unique tuple has made the order total, ``id`` behind it is left
    out: PostgreSQL and MariaDB do not see that it adds nothing, and sort.
    """
    found = tuple(Key(table.c[one.column], one.descending) for one in sort)
    before = {one.column.name for one in found[:-1]}
    if any(one <= before for one in _distinct(table, within)):
        return found[:-1]
    return found


def clause(found: Iterable[Key], settled: Iterable[str] = (),
           apart: bool = False) -> list[sa.ColumnElement[Any]]:
    """ORDER BY; ``settled`` columns are null in all rows. ``apart``: no
    index that finds the rows has them in this order."""
    return [_turned(key, dialects.Sorted(key.column) if apart
                    else key.column, key.column.name in settled)
            for key in found]


def clause_by(found: Iterable[Key],
              named: Callable[[str], sa.ColumnElement[Any]] = sa.column
              ) -> list[sa.ColumnElement[Any]]:
    """ORDER BY of what has these columns and is not the table."""
    return [_turned(key, named(key.column.name), False) for key in found]


def _turned(key: Key, column: sa.ColumnElement[Any],
            null: bool) -> sa.ColumnElement[Any]:
    if key.column.nullable:
        return _TURN[key.descending, null](column)
    return column.desc() if key.descending else column.asc()


def after(found: Sequence[Key], row: Mapping[str, Any]) -> list[Arm]:
    """Where the rows that come after ``row`` in this order are.

    A row comes after if it agrees up to some column and goes on in that one.
    Columns of one direction go into one comparison of rows; a null in
    ``row``, and the nulls that a descending column has at its end, make an
    arm each, because no comparison finds them.
    """
    arms: list[Arm] = []
    passed: list[Key] = []
    for whole, stretch in groupby(found, lambda one: _stretch(one, row)):
        some = list(stretch)
        if whole is not None:
            arms.append(_arm(passed, row, _beyond(some, row)))
        for key in some:
            arms += _nulls(key, passed, row)
            passed.append(key)
    return arms


def _stretch(key: Key, row: Mapping[str, Any]) -> bool | None:
    """The direction, or None where a null can be compared with nothing."""
    return None if row[key.column.name] is None else key.descending


def _beyond(some: Sequence[Key], row: Mapping[str, Any]) -> Condition:
    columns = [key.column for key in some]
    values = [bound(one, row[one.name]) for one in columns]
    return _PAST[some[0].descending](*columns, *values)


def _nulls(key: Key, passed: Sequence[Key],
           row: Mapping[str, Any]) -> list[Arm]:
    """The arm that begins or ends at the nulls of one column, if any."""
    if not key.column.nullable:
        return []
    null = row[key.column.name] is None
    if null == key.descending:
        return []
    if null:
        return [_arm(passed, row, key.column.is_not(None))]
    arm = _arm(passed, row, key.column.is_(None))
    return [arm._replace(settled=arm.settled | {key.column.name})]


def _arm(passed: Sequence[Key], row: Mapping[str, Any],
         condition: Condition) -> Arm:
    """The rows that agree with ``row`` in ``passed``, and ``condition``."""
    columns = [key.column for key in passed]
    agree = (one.is_(None) if row[one.name] is None
             else same(one, row[one.name]) for one in columns)
    return Arm((*agree, condition), frozenset(
        one.name for one in columns if row[one.name] is None))


def same(column: Column, value: Any) -> Condition:
    """The column has this value, in all rows that an index range holds."""
    return dialects.Same(column, bound(column, value))


def bound(column: Column, value: Any) -> sa.ColumnElement[Any]:
    """A value of a column; a parameter that stands for one stays itself."""
    if isinstance(value, sa.BindParameter):
        return value
    return sa.literal(value, column.type)


def _distinct(table: sa.Table, within: bool) -> list[set[str]]:
    """The sets of columns of which no two rows of a list hold the same."""
    held = {'project_id'} if within else set()
    uniques = (one for one in table.constraints
               if isinstance(one, sa.UniqueConstraint))
    return [{column.name for column in one.columns} - held
            for one in uniques
            if not any(column.nullable for column in one.columns)]
