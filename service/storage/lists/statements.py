# SPDX-License-Identifier: Apache-2.0
"""The SELECT statement of a list, from its Query.

Pages are found by key: a page starts after the last row of the page before.
A late page therefore takes as long as the first, and no row is repeated or
skipped when other rows are created or deleted. Queries that differ only in
values have the same SQL text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from service.domain.query.list_query import Query
from service.storage.lists import order_by
from service.storage.lists import where as where_clause
from service.storage.lists.order_by import Arm, Column, Condition, Key
from service.storage.tables.columns import MYSQL


class Source(NamedTuple):
    """The tables that lists of a type read, and how.

    ``ids_first``: a page of several arms selects ids, then looks up their
    rows. PERF: MariaDB and MySQL write the union of the arms to a temporary
    table, with all long texts. On PostgreSQL and SQLite the lookup takes
    longer than the union. ``hinted``: MariaDB and MySQL get an index hint.
    """

    table: sa.Table
    tags: sa.Table
    ids_first: bool = False
    hinted: bool = True


def source(table: sa.Table, tags: sa.Table, dialect: str) -> Source:
    """Return the source of lists of ``table`` for a kind of database."""
    return Source(table, tags, ids_first=dialect in MYSQL)


def select(source: Source, query: Query, project_id: str | None,
           marker: Mapping[str, Any] | None,
           backwards: bool = False) -> sa.Select[Any]:
    """Return the SELECT of the page after ``marker``, plus one row, which
    shows whether more rows follow.

    Read the columns by name: their order varies. The list has the records of
    ``project_id``, or of all projects if it is None. ``marker`` has the sort
    columns and ``id`` of a record, which may have been deleted since.

    ``backwards``, with the first row of a page as the marker: select only the
    id of the row that the previous page starts after; no row if the previous
    page is the first.
    """
    table = source.table
    all_projects = project_id is None and 'project_id' in table.c
    keys = order_by.keys(table, query.sort, not all_projects)
    columns: tuple[Column, ...] = tuple(table.c)
    if backwards:
        keys, columns = tuple(key.reversed() for key in keys), (table.c.id,)
    arms = [Arm(())] if marker is None else order_by.after(keys, marker)
    merge = len(arms) > 1
    ids_first = merge and source.ids_first and not backwards
    selected = (table.c.id,) if ids_first else columns
    reads = [_hinted(_read(
        _with_keys(selected, keys) if merge else selected,
        where_clause.of(*source[:2], query, project_id), arm,
        _ordered(table, query, project_id, keys, arm),
        ).limit(query.limit + 1), source, query, project_id, keys, arm)
        for arm in arms]
    page = (_look_up(reads, table, keys) if ids_first
            else _merge(reads, columns, keys) if merge else reads[0])
    if backwards:
        return page.limit(1).offset(query.limit)
    return page.limit(query.limit + 1)


def count(source: Source, query: Query,
          project_id: str | None) -> sa.Select[Any]:
    """Return the SELECT of the number of records on all pages."""
    return sa.select(sa.func.count()).select_from(source.table).where(
        *where_clause.of(*source[:2], query, project_id))


def _with_keys(columns: Sequence[Column],
               keys: Sequence[Key]) -> list[Column]:
    """Add the sort columns, by which merged rows are sorted again."""
    return list(dict.fromkeys((*columns, *(key.column for key in keys))))


def _read(columns: Sequence[Column], where: Iterable[Condition], arm: Arm,
          order: Sequence[sa.ColumnElement[Any]]) -> sa.Select[Any]:
    return sa.select(*columns).where(
        *where, *arm.conditions).order_by(*order)


def _hinted(read: sa.Select[Any], source: Source, query: Query,
            project_id: str | None, keys: Sequence[Key],
            arm: Arm) -> sa.Select[Any]:
    """Add a hint that names the index with the rows in order.

    PERF: without the hint MariaDB weighs each index that begins with the
    project, which takes 0.3 ms a page. For an arm of nulls MariaDB chooses a
    wrong index, by the sort columns after the null, and reads all its rows:
    half a second for a page where one host in a hundred had no rack. An arm
    of nulls gets the hint with any directions, other arms only if all
    directions are the same: no index has an order of mixed directions.
    """
    table = source.table
    names = [*(column.name
               for column in where_clause.owner(table, project_id)),
             *(key.column.name for key in keys)]
    index = next((index for index in _indexes(table)
                  if index.columns.keys()[:len(names)] == names), None)
    mixed = len({key.descending for key in keys}) > 1
    if (not source.hinted or query.filters or query.tags.count
            or mixed and not arm.null_columns or index is None):
        return read
    for dialect in MYSQL:
        read = read.with_hint(table, f'FORCE INDEX ({index.name})', dialect)
    return read


def _indexes(table: sa.Table) -> Iterator[sa.Index | sa.UniqueConstraint]:
    """Yield the indexes and the unique constraints; the index of a constraint
    has the constraint's name."""
    yield from table.indexes
    yield from (constraint for constraint in table.constraints
                if isinstance(constraint, sa.UniqueConstraint))


def _ordered(table: sa.Table, query: Query, project_id: str | None,
             keys: Sequence[Key], arm: Arm) -> list[sa.ColumnElement[Any]]:
    """Return the ORDER BY as the index has it, with the project first."""
    null_columns = arm.null_columns.union(
        condition.column for condition in query.filters
        if condition.operator == 'null')
    project = [Key(column, keys[0].descending)
               for column in where_clause.owner(table, project_id)]
    without_index = _lacks_index(
        table, query, [key.column.name for key in project], keys)
    return order_by.clause([*project, *keys], null_columns, without_index)


#: Operators whose matching rows are adjacent in an index on the column.
_ADJACENT = ('eq', 'in', 'null')


def _lacks_index(table: sa.Table, query: Query, owner: Sequence[str],
                 keys: Sequence[Key]) -> bool:
    """Whether no index both finds the rows by a filter and has the order."""
    filters = [condition for condition in query.filters
               if condition.operator in _ADJACENT]
    constant = {condition.column for condition in filters
                if condition.operator != 'in'}
    order = [key.column.name for key in keys
             if key.column.name not in constant]

    def serves_both(index: sa.Index) -> bool:
        names = index.columns.keys()
        own = names[len(owner):]
        varying = [name for name in own if name not in constant]
        return (names[:len(owner)] == owner
                and varying[:len(order)] == order
                and not constant.isdisjoint(own[:1]))
    return bool(filters) and not any(map(serves_both, table.indexes))


def _merge(reads: Sequence[sa.Select[Any]], columns: Sequence[Column],
           keys: Sequence[Key]) -> sa.Select[Any]:
    """Return the first rows of several sorted reads.

    PERF: each read is one index range; for an OR of their conditions,
    databases read every row. The columns are named by hand: SQLAlchemy takes
    longer to derive the columns of a subquery than a database takes to read
    the page.
    """
    named = (sa.column(column.name, column.type) for column in columns)
    return sa.select(*named).select_from(_union(reads, [sa.text('*')])
                                         ).order_by(*order_by.clause_by(keys))


def _look_up(reads: Sequence[sa.Select[Any]], table: sa.Table,
             keys: Sequence[Key]) -> sa.Select[Any]:
    """Return the first rows of several sorted reads of ids."""
    page = _union(reads, [sa.column(column.name) for column in _with_keys(
        (table.c.id,), keys)])
    return sa.select(table).select_from(
        page.join(table, page.c.id == table.c.id)).order_by(
        *order_by.clause_by(keys, page.c.__getitem__))


def _union(reads: Sequence[sa.Select[Any]],
           columns: Sequence[sa.ColumnElement[Any] | sa.TextClause]
           ) -> sa.Subquery:
    return sa.union_all(*(
        sa.select(*columns).select_from(read.subquery())
        for read in reads)).subquery('page')
