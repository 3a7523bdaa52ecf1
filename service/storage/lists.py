# SPDX-License-Identifier: Apache-2.0
"""A list as SQL: from a Query to the SELECT that answers it.

Pages are cut by key: each begins after the last row of the one before it, so
a late page costs what the first one does and no row is told twice or missed
when others come and go. Lists of one form are one text of SQL, whatever
their values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from service.domain.query import Filter, Query, Tags
from service.storage import orders
from service.storage.columns import MYSQL
from service.storage.orders import Arm, Column, Condition, Key
from service.storage.tables import TYPE


def select(table: sa.Table, tags: sa.Table, query: Query,
           project_id: str | None, marker: Mapping[str, Any] | None,
           backwards: bool = False) -> sa.Select[Any]:
    """The page after ``marker``, and one row more that tells if more follow.

    Columns are to be read by name. ``project_id`` is whose records are
    listed, None for everybody's; a type of cloud scope has no such thing.
    ``marker`` holds the columns sorted by and ``id``, of a record that need
    not be there any more.

    ``backwards`` gives only the ids of what comes before ``marker``, the
    nearest first. With the first row of a page as the marker they tell its
    previous one: no id, there is none; up to ``limit``, it is the first
    page; one more, that last id is the previous page's own marker.
    """
    everybody = project_id is None and 'project_id' in table.c
    keys = orders.keys(table, query.sort, not everybody)
    wanted = tuple(table.c)
    if backwards:
        keys, wanted = tuple(key.turned() for key in keys), (table.c.id,)
    arms = [Arm(())] if marker is None else orders.after(keys, marker)
    merging = len(arms) > 1
    reads = [_hinted(_read(
        _with(wanted, keys) if merging else wanted,
        _conditions(table, tags, query, project_id), arm,
        _ordered(table, query, project_id, keys, arm),
        ).limit(query.limit + 1), table, query, project_id, keys, arm)
        for arm in arms]
    if not merging:
        return reads[0]
    return _merged(reads, wanted, keys).limit(query.limit + 1)


def count(table: sa.Table, tags: sa.Table, query: Query,
          project_id: str | None) -> sa.Select[Any]:
    """How many records all pages of a list have together."""
    return sa.select(sa.func.count()).select_from(table).where(
        *_conditions(table, tags, query, project_id))


def _with(wanted: Sequence[Column], keys: Sequence[Key]) -> list[Column]:
    """Also what the rows are ordered by, where they are ordered again."""
    return list(dict.fromkeys((*wanted, *(key.column for key in keys))))


def _read(wanted: Sequence[Column], where: Iterable[Condition], arm: Arm,
          order: Sequence[sa.ColumnElement[Any]]) -> sa.Select[Any]:
    return sa.select(*wanted).where(
        *where, *arm.conditions).order_by(*order)


def _hinted(read: sa.Select[Any], table: sa.Table, query: Query,
            project_id: str | None, keys: Sequence[Key],
            arm: Arm) -> sa.Select[Any]:
    """PERF: among nulls MariaDB forgets the index that has them in order.

    It takes one by what is sorted by after them and looks at every row of it:
    half a second for a page where one host in a hundred had no rack.
    """
    names = [*(one.name for one in _owner(table, project_id)),
             *(key.column.name for key in keys)]
    index = next((one for one in table.indexes
                  if one.columns.keys()[:len(names)] == names), None)
    if not arm.settled or query.filters or query.tags.count or index is None:
        return read
    for dialect in MYSQL:
        read = read.with_hint(table, f'FORCE INDEX ({index.name})', dialect)
    return read


def _ordered(table: sa.Table, query: Query, project_id: str | None,
             keys: Sequence[Key], arm: Arm) -> list[sa.ColumnElement[Any]]:
    """ORDER BY as the columns of the index stand, the project first."""
    settled = arm.settled.union(one.column for one in query.filters
                                if one.operator == 'null')
    project = [Key(column, keys[0].descending)
               for column in _owner(table, project_id)]
    apart = _apart(table, query, [one.column.name for one in project], keys)
    return orders.clause([*project, *keys], settled, apart)


#: What a filter by these finds stands together in an index.
_FOUND = ('eq', 'in', 'null')


def _apart(table: sa.Table, query: Query, owner: Sequence[str],
           keys: Sequence[Key]) -> bool:
    """No index has what is looked for in the order that is asked for."""
    found = [one for one in query.filters if one.operator in _FOUND]
    alike = {one.column for one in found if one.operator != 'in'}
    order = [key.column.name for key in keys if key.column.name not in alike]

    def both(index: sa.Index) -> bool:
        names = index.columns.keys()
        behind = names[len(owner):]
        left = [one for one in behind if one not in alike]
        return (names[:len(owner)] == owner and left[:len(order)] == order
                and not alike.isdisjoint(behind[:1]))
    return bool(found) and not any(map(both, table.indexes))


def _owner(table: sa.Table, project_id: str | None) -> list[Column]:
    """The column that says whose records are listed, if they are one's."""
    if project_id is None or 'project_id' not in table.c:
        return []
    return [table.c.project_id]


def _merged(reads: Sequence[sa.Select[Any]], wanted: Sequence[Column],
            keys: Sequence[Key]) -> sa.Select[Any]:
    """The first rows of several reads, each of which is in order.

    PERF: one index range each, against an OR of all, for which databases
    read every row that there is. Columns go by name: SQLAlchemy takes longer
    to derive those of a subquery than a database to read the page.
    """
    page = sa.union_all(*(
        sa.select(sa.text('*')).select_from(one.subquery())
        for one in reads)).subquery('page')
    named = (sa.column(one.name, one.type) for one in wanted)
    return sa.select(*named).select_from(page).order_by(
        *orders.clause_by_name(keys))


def _conditions(table: sa.Table, tags: sa.Table, query: Query,
                project_id: str | None) -> Iterator[Condition]:
    for column in _owner(table, project_id):
        yield orders.same(column, project_id)
    for one in query.filters:
        yield OPERATOR[one.operator](table.c[one.column], one)
    yield from _tagged(table, tags, query.tags)


def _value(column: Column, one: Filter) -> sa.ColumnElement[Any]:
    return orders.bound(column, one.values[0])


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
            asked: Tags) -> Iterator[Condition]:
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
        yield ~sa.exists().where(*_of(table, tags, asked.not_any),
                                 tags.c.record_id == id)


def _of(table: sa.Table, tags: sa.Table,
        group: Sequence[str]) -> tuple[Condition, ...]:
    """The tags of a group, on records of the table."""
    return tags.c.type == table.info[TYPE], tags.c.tag.in_(group)


def _with_one(table: sa.Table, tags: sa.Table,
              group: Sequence[str]) -> sa.Select[Any]:
    return sa.select(tags.c.record_id).where(*_of(table, tags, group))


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
        *_of(table, tags, group),
        tags.c.record_id == table.c.id).scalar_subquery()
