# SPDX-License-Identifier: Apache-2.0
"""The query plan of a list on each kind of database, and the rows it reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

ANALYZE = {'sqlite': 'ANALYZE', 'postgresql': 'VACUUM ANALYZE r_things',
           'mysql': 'ANALYZE TABLE r_things'}


def analyze(database: sa.Engine) -> None:
    """Let a database collect statistics."""
    with database.connect() as connection:
        autocommit = connection.execution_options(
            isolation_level='AUTOCOMMIT')
        autocommit.execute(sa.text(ANALYZE[database.dialect.name]))


# Plans, as (the whole table is read, the rows are sorted)

Row = dict[str, Any]


def sqlite(rows: list[Row]) -> tuple[bool, bool]:
    steps = [row['detail'] for row in rows]
    return (any(re.match('SCAN r_things(?! USING)', step) for step in steps),
            any('TEMP B-TREE' in step for step in steps))


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


def run(connection: Connection, select: sa.Select[Any],
        prefix: str = '') -> list[Row]:
    """Return the rows of ``select`` with a prefix such as EXPLAIN."""
    def add_prefix(conn: Any, cursor: Any, text: str, values: Any,
                   context: Any, many: bool) -> tuple[str, Any]:
        return prefix + text, values

    sa.event.listen(connection, 'before_cursor_execute', add_prefix,
                    retval=True)
    try:
        cursor = connection.execute(select).cursor
        assert cursor is not None
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True))
                for row in cursor.fetchall()]
    finally:
        sa.event.remove(connection, 'before_cursor_execute', add_prefix)


def plan(world: SimpleNamespace,
         select: sa.Select[Any]) -> tuple[bool, bool]:
    prefix, read = PLAN[world.engine.dialect.name]
    with world.engine.connect() as connection:
        return read(run(connection, select, prefix))


# Indexes of a plan

def _of_sqlite(row: Row) -> list[str]:
    return re.findall(r'r_things USING (?:COVERING )?INDEX (\w+)',
                      row['detail'])


def _of_postgresql(row: Row) -> list[str]:
    return re.findall(r'(?:Scan(?: Backward)? using|Index Scan on) (\w+)',
                      row['QUERY PLAN'])


def _of_mysql(row: Row) -> list[str]:
    """Type ``index`` is a scan of the whole index, which does not count."""
    if row['table'] != 'r_things' or row['type'] == 'index':
        return []
    return re.findall(r'\w+', row['key'] or '')


INDEXES: dict[str, Callable[[Row], list[str]]] = {
    'sqlite': _of_sqlite, 'postgresql': _of_postgresql, 'mysql': _of_mysql}


def leading(world: SimpleNamespace,
            select: sa.Select[Any]) -> list[list[str]]:
    """Return the columns of each index that the plan of a list uses."""
    table, dialect = world.table, world.engine.dialect.name
    columns = {str(key.name): list(key.columns.keys())
               for key in (*table.indexes, *table.constraints) if key.name}
    primary = dict.fromkeys(('PRIMARY', 'r_things_pkey',
                             'sqlite_autoindex_r_things_1'), ['id'])
    uniques = _automatic(world) if dialect == 'sqlite' else {}
    known = {**columns, **primary, **uniques}
    with world.engine.connect() as connection:
        rows = run(connection, select, PLAN[dialect][0])
    return [known[name] for row in rows for name in INDEXES[dialect](row)
            if name in known]


def _automatic(world: SimpleNamespace) -> dict[str, list[str]]:
    """Return the indexes of SQLite's unique constraints, which are numbered.
    """
    with world.engine.connect() as connection:
        names = connection.exec_driver_sql(
            "SELECT name FROM pragma_index_list('r_things') "
            "WHERE origin = 'u'").scalars().all()
        return {name: list(connection.exec_driver_sql(
            f"SELECT name FROM pragma_index_info('{name}')").scalars())
            for name in names}


# Rows that were read

def read_by_postgresql(connection: Connection,
                       select: sa.Select[Any]) -> int:
    lines = run(connection, select, 'EXPLAIN (ANALYZE, TIMING OFF) ')
    scans = [row['QUERY PLAN'] for row in lines
             if 'Scan' in row['QUERY PLAN']
             or 'Removed by' in row['QUERY PLAN']]
    return sum(int(count) for line in scans for count in re.findall(
        r'actual rows=(\d+)|Filter: (\d+)', line)[0] if count)


def read_by_mysql(connection: Connection, select: sa.Select[Any]) -> int:
    """Count rows, and index entries that were read and skipped."""
    connection.exec_driver_sql('FLUSH STATUS')
    run(connection, select)
    status = connection.exec_driver_sql(
        "SHOW SESSION STATUS LIKE 'Handler_%%'").all()
    return sum(int(count) for name, count in status
               if '_read' in name or name == 'Handler_icp_attempts')


def read_by_sqlite(connection: Connection, select: sa.Select[Any]) -> int:
    """Estimate the rows: a row takes about 20 steps of SQLite's VM."""
    steps = []
    native = connection.connection.driver_connection
    native.set_progress_handler(lambda: steps.append(1), 20)
    try:
        run(connection, select)
    finally:
        native.set_progress_handler(None, 0)
    return len(steps)


COUNT = {'sqlite': read_by_sqlite, 'postgresql': read_by_postgresql,
         'mysql': read_by_mysql}
