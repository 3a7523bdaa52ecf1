# SPDX-License-Identifier: Apache-2.0
"""A list as SQL: from a Query to the SELECT that answers it.

Pages are cut by key: each begins after the last row of the one before it, so
a late page costs what the first one does and no row is told twice or missed
when others come and go. Lists of one form are one text of SQL, whatever
their values.
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
    """Where the lists of a type are read.

    PERF: where the arms of a page come together MariaDB and MySQL write what
    they found into a table of its own and read it from there, whole rows with
    their long texts. ``thin``: they find ids, and the rows are looked up last.
    PostgreSQL and SQLite take longer to look them up. ``hinted``: MariaDB and
    MySQL are told by which index.
    """

    table: sa.Table
    tags: sa.Table
    thin: bool = False
    hinted: bool = True


def source(table: sa.Table, tags: sa.Table, dialect: str) -> Source:
    """Where lists of ``table`` are read on such a database."""
    return Source(table, tags, thin=dialect in MYSQL)


def select(source: Source, query: Query, project_id: str | None,
           marker: Mapping[str, Any] | None,
           backwards: bool = False) -> sa.Select[Any]:
    """The page after ``marker``, and one row more that tells if more follow.

    Columns are to be read by name. ``project_id`` is whose records are
    listed, None for everybody's; a type of cloud scope has no such thing.
    ``marker`` holds the columns sorted by and ``id``, of a record that need
    not be there any more.

    ``backwards``, with the first row of a page as the marker, gives no more
    than the id that the page before it begins after, and nothing where that
    is the first page.
    """
    table = source.table
    everybody = project_id is None and 'project_id' in table.c
    keys = order_by.keys(table, query.sort, not everybody)
    wanted: tuple[Column, ...] = tuple(table.c)
    if backwards:
        keys, wanted = tuple(key.turned() for key in keys), (table.c.id,)
    arms = [Arm(())] if marker is None else order_by.after(keys, marker)
    merging = len(arms) > 1
    thin = merging and source.thin and not backwards
    found = (table.c.id,) if thin else wanted
    reads = [_hinted(_read(
        _with(found, keys) if merging else found,
        where_clause.of(*source[:2], query, project_id), arm,
        _ordered(table, query, project_id, keys, arm),
        ).limit(query.limit + 1), source, query, project_id, keys, arm)
        for arm in arms]
    page = (_looked_up(reads, table, keys) if thin
            else _merged(reads, wanted, keys) if merging else reads[0])
    if backwards:
        return page.limit(1).offset(query.limit)
    return page.limit(query.limit + 1)


def count(source: Source, query: Query,
          project_id: str | None) -> sa.Select[Any]:
    """How many records all pages of a list have together."""
    return sa.select(sa.func.count()).select_from(source.table).where(
        *where_clause.of(*source[:2], query, project_id))


def _with(wanted: Sequence[Column], keys: Sequence[Key]) -> list[Column]:
    """Also what the rows are ordered by, where they are ordered again."""
    return list(dict.fromkeys((*wanted, *(key.column for key in keys))))


def _read(wanted: Sequence[Column], where: Iterable[Condition], arm: Arm,
          order: Sequence[sa.ColumnElement[Any]]) -> sa.Select[Any]:
    return sa.select(*wanted).where(
        *where, *arm.conditions).order_by(*order)


def _hinted(read: sa.Select[Any], source: Source, query: Query,
            project_id: str | None, keys: Sequence[Key],
            arm: Arm) -> sa.Select[Any]:
    """PERF: MariaDB is told the index that has the rows in order.

    It weighs each that begins with the project, 0.3 ms for a page. And among
    nulls it forgets the one: it takes another by what is sorted by after them
    and looks at every row of it, half a second for a page where one host in a
    hundred had no rack. That holds in whatever direction it is read; else none
    has an order of both.
    """
    table = source.table
    names = [*(one.name for one in where_clause.owner(table, project_id)),
             *(key.column.name for key in keys)]
    index = next((one for one in _in_order(table)
                  if one.columns.keys()[:len(names)] == names), None)
    both_ways = len({key.descending for key in keys}) > 1
    if (not source.hinted or query.filters or query.tags.count
            or both_ways and not arm.settled or index is None):
        return read
    for dialect in MYSQL:
        read = read.with_hint(table, f'FORCE INDEX ({index.name})', dialect)
    return read


def _in_order(table: sa.Table
              ) -> Iterator[sa.Index | sa.UniqueConstraint]:
    """What the table has an index of that is called as it is."""
    yield from table.indexes
    yield from (one for one in table.constraints
                if isinstance(one, sa.UniqueConstraint))


def _ordered(table: sa.Table, query: Query, project_id: str | None,
             keys: Sequence[Key], arm: Arm) -> list[sa.ColumnElement[Any]]:
    """ORDER BY as the columns of the index stand, the project first."""
    settled = arm.settled.union(one.column for one in query.filters
                                if one.operator == 'null')
    project = [Key(column, keys[0].descending)
               for column in where_clause.owner(table, project_id)]
    apart = _apart(table, query, [one.column.name for one in project], keys)
    return order_by.clause([*project, *keys], settled, apart)


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


def _merged(reads: Sequence[sa.Select[Any]], wanted: Sequence[Column],
            keys: Sequence[Key]) -> sa.Select[Any]:
    """The first rows of several reads, each of which is in order.

    PERF: one index range each, against an OR of all, for which databases
    read every row that there is. Columns go by name: SQLAlchemy takes longer
    to derive those of a subquery than a database to read the page.
    """
    named = (sa.column(one.name, one.type) for one in wanted)
    return sa.select(*named).select_from(_page(reads, [sa.text('*')])
                                         ).order_by(*order_by.clause_by(keys))


def _looked_up(reads: Sequence[sa.Select[Any]], table: sa.Table,
               keys: Sequence[Key]) -> sa.Select[Any]:
    """The same of reads that found no more than ids and what to order by."""
    page = _page(reads, [sa.column(one.name) for one in _with(
        (table.c.id,), keys)])
    return sa.select(table).select_from(
        page.join(table, page.c.id == table.c.id)).order_by(
        *order_by.clause_by(keys, page.c.__getitem__))


def _page(reads: Sequence[sa.Select[Any]],
          named: Sequence[sa.ColumnElement[Any] | sa.TextClause]
          ) -> sa.Subquery:
    """What several reads found, as one."""
    return sa.union_all(*(
        sa.select(*named).select_from(one.subquery())
        for one in reads)).subquery('page')
