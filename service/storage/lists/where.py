# SPDX-License-Identifier: Apache-2.0
"""What the rows of a list are looked for by: whose they are, the filters of
its Query, and its tags."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from service.domain.query.list_query import Filter, Query, TagFilter
from service.storage.lists import order_by
from service.storage.lists.order_by import Column, Condition
from service.storage.tables.declared import TYPE


def of(table: sa.Table, tags: sa.Table, query: Query,
       project_id: str | None) -> Iterator[Condition]:
    """What each row of a list fulfils."""
    for column in owner(table, project_id):
        yield order_by.same(column, project_id)
    for one in query.filters:
        yield OPERATOR[one.operator](table.c[one.column], one)
    yield from _tagged(table, tags, query.tags)


def owner(table: sa.Table, project_id: str | None) -> list[Column]:
    """The column that says whose records are listed, if they are one's."""
    if project_id is None or 'project_id' not in table.c:
        return []
    return [table.c.project_id]


def _value(column: Column, one: Filter) -> sa.ColumnElement[Any]:
    return order_by.bound(column, one.values[0])


def _unequal(column: Column, one: Filter) -> Condition:
    if column.nullable:
        return column.is_distinct_from(_value(column, one))
    return column != _value(column, one)


def _among(column: Column, one: Filter) -> Condition:
    found = column.in_([value for value in one.values if value is not None])
    return sa.or_(found, column.is_(None)) if None in one.values else found


def _not_among(column: Column, one: Filter) -> Condition:
    """SQL's NOT IN never finds a null; asked for or not, it is told."""
    found = column.not_in(
        [value for value in one.values if value is not None])
    if None in one.values or not column.nullable:
        return found
    return sa.or_(found, column.is_(None))


OPERATOR: Mapping[str, Callable[[Column, Filter], Condition]] = {
    'eq': lambda column, one: column == _value(column, one),
    'neq': _unequal,
    'in': _among,
    'nin': _not_among,
    'gt': lambda column, one: column > _value(column, one),
    'gte': lambda column, one: column >= _value(column, one),
    'lt': lambda column, one: column < _value(column, one),
    'lte': lambda column, one: column <= _value(column, one),
    'null': lambda column, one: column.is_(None),
    'notnull': lambda column, one: column.is_not(None),
}


def _tagged(table: sa.Table, tags: sa.Table,
            asked: TagFilter) -> Iterator[Condition]:
    """What must be found is looked up by tag, what must not be by record.

    The first is the faster, the rarer the tag; the second has to look at
    every record of the page anyway.
    """
    id = table.c.id
    if asked.all:
        yield id.in_(_having_all(table, tags, asked.all))
    for group in asked.any:
        yield id.in_(_with_one(table, tags, group))
    for group in asked.not_all:
        yield _held(table, tags, group) < len(group)
    if asked.not_any:
        yield ~sa.exists().where(*_on(table, tags, asked.not_any),
                                 tags.c.record_id == id)


def _on(table: sa.Table, tags: sa.Table,
        group: Sequence[str]) -> tuple[Condition, ...]:
    """The tags of a group, on records of the table."""
    return tags.c.type == table.info[TYPE], tags.c.tag.in_(group)


def _with_one(table: sa.Table, tags: sa.Table,
              group: Sequence[str]) -> sa.Select[Any]:
    return sa.select(tags.c.record_id).where(*_on(table, tags, group))


def _having_all(table: sa.Table, tags: sa.Table,
                group: Sequence[str]) -> sa.Select[Any]:
    found = _with_one(table, tags, group)
    if len(group) == 1:
        return found
    return found.group_by(tags.c.record_id).having(
        sa.func.count() == len(group))


def _held(table: sa.Table, tags: sa.Table,
          group: Sequence[str]) -> sa.ScalarSelect[Any]:
    """How many tags of a group a record has."""
    return sa.select(sa.func.count()).select_from(tags).where(
        *_on(table, tags, group),
        tags.c.record_id == table.c.id).scalar_subquery()
