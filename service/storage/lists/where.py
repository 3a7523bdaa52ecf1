# SPDX-License-Identifier: Apache-2.0
"""The WHERE clause of a list: its project, its filters and its tags."""

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
    """Yield the conditions that each row of a list meets."""
    for column in owner(table, project_id):
        yield order_by.same(column, project_id)
    for condition in query.filters:
        yield OPERATOR[condition.operator](table.c[condition.column],
                                           condition)
    yield from _tagged(table, tags, query.tags)


def owner(table: sa.Table, project_id: str | None) -> list[Column]:
    """Return the project column if the list is one project's."""
    if project_id is None or 'project_id' not in table.c:
        return []
    return [table.c.project_id]


def _value(column: Column, condition: Filter) -> sa.ColumnElement[Any]:
    return order_by.bound(column, condition.values[0])


def _unequal(column: Column, condition: Filter) -> Condition:
    if column.nullable:
        return column.is_distinct_from(_value(column, condition))
    return column != _value(column, condition)


def _among(column: Column, condition: Filter) -> Condition:
    values = [value for value in condition.values if value is not None]
    among = column.in_(values)
    if None in condition.values:
        return sa.or_(among, column.is_(None))
    return among


def _not_among(column: Column, condition: Filter) -> Condition:
    """A null is not among the values, unless null is one of them; SQL's NOT
    IN alone never matches a null."""
    values = [value for value in condition.values if value is not None]
    not_among = column.not_in(values)
    if None in condition.values or not column.nullable:
        return not_among
    return sa.or_(not_among, column.is_(None))


OPERATOR: Mapping[str, Callable[[Column, Filter], Condition]] = {
    'eq': lambda column, condition: column == _value(column, condition),
    'neq': _unequal,
    'in': _among,
    'nin': _not_among,
    'gt': lambda column, condition: column > _value(column, condition),
    'gte': lambda column, condition: column >= _value(column, condition),
    'lt': lambda column, condition: column < _value(column, condition),
    'lte': lambda column, condition: column <= _value(column, condition),
    'null': lambda column, condition: column.is_(None),
    'notnull': lambda column, condition: column.is_not(None),
}


def _tagged(table: sa.Table, tags: sa.Table,
            wanted: TagFilter) -> Iterator[Condition]:
    """Yield the conditions on tags.

    PERF: required tags are looked up by tag, which is faster the rarer the
    tag is. Excluded tags are looked up by record: each record of the page is
    read anyway.
    """
    id = table.c.id
    if wanted.all:
        yield id.in_(_having_all(table, tags, wanted.all))
    for group in wanted.any:
        yield id.in_(_having_any(table, tags, group))
    for group in wanted.not_all:
        yield _tag_count(table, tags, group) < len(group)
    if wanted.not_any:
        yield ~sa.exists().where(*_in_group(table, tags, wanted.not_any),
                                 tags.c.record_id == id)


def _in_group(table: sa.Table, tags: sa.Table,
              group: Sequence[str]) -> tuple[Condition, ...]:
    """Rows of ``tags`` with a tag of the group on a record of the table."""
    return tags.c.type == table.info[TYPE], tags.c.tag.in_(group)


def _having_any(table: sa.Table, tags: sa.Table,
                group: Sequence[str]) -> sa.Select[Any]:
    return sa.select(tags.c.record_id).where(*_in_group(table, tags, group))


def _having_all(table: sa.Table, tags: sa.Table,
                group: Sequence[str]) -> sa.Select[Any]:
    having_any = _having_any(table, tags, group)
    if len(group) == 1:
        return having_any
    return having_any.group_by(tags.c.record_id).having(
        sa.func.count() == len(group))


def _tag_count(table: sa.Table, tags: sa.Table,
               group: Sequence[str]) -> sa.ScalarSelect[Any]:
    """Count the tags of a group that a record has."""
    return sa.select(sa.func.count()).select_from(tags).where(
        *_in_group(table, tags, group),
        tags.c.record_id == table.c.id).scalar_subquery()
