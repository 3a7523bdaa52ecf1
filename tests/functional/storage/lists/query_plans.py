# SPDX-License-Identifier: Apache-2.0
"""What each database says of how it would read a list, and what it read."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

ANALYZE = {'sqlite': 'ANALYZE', 'postgresql': 'VACUUM ANALYZE r_things',
           'mysql': 'ANALYZE TABLE r_things'}


def analyzed(database: sa.Engine) -> None:
    """Let a database look at its rows, to know how many have what."""
    with database.connect() as connection:
        alone = connection.execution_options(isolation_level='AUTOCOMMIT')
        alone.execute(sa.text(ANALYZE[database.dialect.name]))


# What a plan says, as (does it read the whole table, does it sort)

Row = dict[str, Any]


def sqlite(rows: list[Row]) -> tuple[bool, bool]:
    steps = [row['detail'] for row in rows]
    return (any(re.match('SCAN r_things(?! USING)', one) for one in steps),
            any('TEMP B-TREE' in one for one in steps))


def postgresql(rows: list[Row]) -> tuple[bool, bool]:
    text = '\n'.join(row['QUERY PLAN'] for row in rows)
    return 'Seq Scan on r_things' in text, 'Sort Key' in text


def mysql(rows: list[Row]) -> tuple[bool, bool]:
    return (any(row['type'] == 'ALL' and row['table'] == 'r_things'
                for row in rows),
            any('filesort' in (row['Extra'] or '') for row in rows))


PLAN: dict[str, tuple[str, Callable[[list[Row]], tuple[bool, bool]]]] = {
    'sqlite': ('EXPLAIN QUERY PLAN ', sqlite),
    'postgresql': ('EXPLAIN ', postgresql),
    'mysql': ('EXPLAIN ', mysql),
}


def ran(connection: Connection, select: sa.Select[Any],
        word: str = '') -> list[Row]:
    """What the database itself says to ``select`` with a word before it."""
    def prefixed(conn: Any, cursor: Any, text: str, values: Any,
                 context: Any, many: bool) -> tuple[str, Any]:
        return word + text, values

    sa.event.listen(connection, 'before_cursor_execute', prefixed,
                    retval=True)
    try:
        cursor = connection.execute(select).cursor
        assert cursor is not None
        names = [one[0] for one in cursor.description]
        return [dict(zip(names, row, strict=True))
                for row in cursor.fetchall()]
    finally:
        sa.event.remove(connection, 'before_cursor_execute', prefixed)


def plan(world: SimpleNamespace,
         select: sa.Select[Any]) -> tuple[bool, bool]:
    word, read = PLAN[world.engine.dialect.name]
    with world.engine.connect() as connection:
        return read(ran(connection, select, word))


# By which indexes

def _told_by_sqlite(row: Row) -> list[str]:
    return re.findall(r'r_things USING (?:COVERING )?INDEX (\w+)',
                      row['detail'])


def _told_by_postgresql(row: Row) -> list[str]:
    return re.findall(r'(?:Scan(?: Backward)? using|Index Scan on) (\w+)',
                      row['QUERY PLAN'])


def _told_by_mysql(row: Row) -> list[str]:
    """``index`` is a whole one, from end to end."""
    if row['table'] != 'r_things' or row['type'] == 'index':
        return []
    return re.findall(r'\w+', row['key'] or '')


INDEXES: dict[str, Callable[[Row], list[str]]] = {
    'sqlite': _told_by_sqlite, 'postgresql': _told_by_postgresql,
    'mysql': _told_by_mysql}


def leading(world: SimpleNamespace,
            select: sa.Select[Any]) -> list[list[str]]:
    """The columns of each index of the table that a list is read by."""
    table, dialect = world.table, world.engine.dialect.name
    columns = {str(one.name): list(one.columns.keys())
               for one in (*table.indexes, *table.constraints) if one.name}
    primary = dict.fromkeys(('PRIMARY', 'r_things_pkey',
                             'sqlite_autoindex_r_things_1'), ['id'])
    uniques = _automatic(world) if dialect == 'sqlite' else {}
    known = {**columns, **primary, **uniques}
    with world.engine.connect() as connection:
        rows = ran(connection, select, PLAN[dialect][0])
    return [known[name] for row in rows for name in INDEXES[dialect](row)
            if name in known]


def _automatic(world: SimpleNamespace) -> dict[str, list[str]]:
    """SQLite numbers the indexes of its uniques."""
    with world.engine.connect() as connection:
        names = connection.exec_driver_sql(
            "SELECT name FROM pragma_index_list('r_things') "
            "WHERE origin = 'u'").scalars().all()
        return {name: list(connection.exec_driver_sql(
            f"SELECT name FROM pragma_index_info('{name}')").scalars())
            for name in names}


# What was really read

def read_by_postgresql(connection: Connection,
                       select: sa.Select[Any]) -> int:
    lines = ran(connection, select, 'EXPLAIN (ANALYZE, TIMING OFF) ')
    scans = [row['QUERY PLAN'] for row in lines
             if 'Scan' in row['QUERY PLAN']
             or 'Removed by' in row['QUERY PLAN']]
    return sum(int(found) for line in scans for found in re.findall(
        r'actual rows=(\d+)|Filter: (\d+)', line)[0] if found)


def read_by_mysql(connection: Connection, select: sa.Select[Any]) -> int:
    """Rows, and the entries of an index that were looked at and left."""
    connection.exec_driver_sql('FLUSH STATUS')
    ran(connection, select)
    found = connection.exec_driver_sql(
        "SHOW SESSION STATUS LIKE 'Handler_%%'").all()
    return sum(int(count) for name, count in found
               if '_read' in name or name == 'Handler_icp_attempts')


def read_by_sqlite(connection: Connection, select: sa.Select[Any]) -> int:
    """SQLite counts steps of its machine, of which a row costs about 20."""
    steps = []
    native = connection.connection.driver_connection
    native.set_progress_handler(lambda: steps.append(1), 20)
    try:
        ran(connection, select)
    finally:
        native.set_progress_handler(None, 0)
    return len(steps)


COUNT = {'sqlite': read_by_sqlite, 'postgresql': read_by_postgresql,
         'mysql': read_by_mysql}
