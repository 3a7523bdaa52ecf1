# SPDX-License-Identifier: Apache-2.0
"""Every order a type offers and every single filter is read off an index.

Each database is asked for its plan, over enough rows and with its own
statistics, and two of them for the rows they really went through.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from service.domain import query as queries
from service.storage import lists
from tests.functional.storage import things

ALLOWED = queries.allowed(things.SHAPE)
SORTS = list(dict.fromkeys(itertools.chain.from_iterable(
    itertools.accumulate((name,) for name in order)
    for order in ALLOWED.sorts)))
LIMIT = 10
PROJECT = 'beta'
ANALYZE = {'sqlite': 'ANALYZE', 'postgresql': 'VACUUM ANALYZE r_things',
           'mysql': 'ANALYZE TABLE r_things'}
VALUES = {'name': 'x', 'serial': 'x', 'label': 'a', 'size': '2',
          'ratio': '0.1', 'enabled': 'true', 'slot': '5',
          'status': 'retired', 'rack_id': things.RACKS[0],
          'id': things.RACKS[0], 'project_id': PROJECT,
          'finished_at': '2026-01-01T00:00:00Z',
          'created_at': '2026-01-01T00:00:00Z',
          'updated_at': '2026-01-01T00:00:00Z'}


@pytest.fixture(scope='module')
def world(database: sa.Engine) -> SimpleNamespace:
    found = things.world(database, things.records(6000, seed=5))
    with database.connect() as connection:
        alone = connection.execution_options(isolation_level='AUTOCOMMIT')
        alone.execute(sa.text(ANALYZE[database.dialect.name]))
    return found


def statement(world: SimpleNamespace, parameters: dict[str, str],
              marker: Any = None) -> sa.Select[Any]:
    query = queries.parse(things.SHAPE, [
        *parameters.items(), ('limit', str(LIMIT))], 1000)
    return lists.select(world.table, world.tags, query, PROJECT, marker)


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


def sorted_by(names: tuple[str, ...], direction: str) -> dict[str, str]:
    return {'sort': ','.join(f'{name}:{direction}' for name in names)}


@pytest.mark.parametrize('direction', ['asc', 'desc'])
@pytest.mark.parametrize('names', SORTS, ids=','.join)
def test_no_order_on_offer_needs_a_sort(
        world: SimpleNamespace, names: tuple[str, ...],
        direction: str) -> None:
    select = statement(world, sorted_by(names, direction))
    assert plan(world, select) == (False, False)


ORDERED = ('gt', 'gte', 'lt', 'lte')
FILTERS = [(name, text) for name in ALLOWED.filters for text in (
    VALUES[name], 'null', 'neq:null', f'in:{VALUES[name]},{VALUES[name]}',
    *(f'{operator}:{VALUES[name]}' for operator in (
        'neq', 'nin', *(ORDERED if name != 'enabled' else ()))))]


@pytest.mark.parametrize(('name', 'text'), FILTERS)
def test_no_filter_on_offer_reads_the_whole_table(
        world: SimpleNamespace, name: str, text: str) -> None:
    whole, _ = plan(world, statement(world, {name: text}))
    assert not whole


@pytest.mark.parametrize('text', ['red', 'red,blue', 'none'])
@pytest.mark.parametrize('name', ['tags', 'tags-any', 'not-tags',
                                  'not-tags-any'])
def test_no_filter_by_tags_reads_a_whole_table(
        world: SimpleNamespace, name: str, text: str) -> None:
    whole, _ = plan(world, statement(world, {name: text}))
    assert not whole


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


@pytest.mark.parametrize('direction', ['asc', 'desc'])
@pytest.mark.parametrize('names', SORTS, ids=','.join)
@pytest.mark.parametrize('place', [0.5, 0.98])
def test_a_page_in_the_middle_reads_a_few_rows_only(
        world: SimpleNamespace, names: tuple[str, ...], direction: str,
        place: float) -> None:
    """2000 rows are the project's; a page of 10 has at most 4 arms."""
    asked = sorted_by(names, direction)
    count = COUNT[world.engine.dialect.name]
    mine = statement(world, asked).limit(None)
    with world.engine.connect() as connection:
        rows = connection.execute(mine).all()
        marker = rows[int(len(rows) * place)]._mapping
        select = statement(world, asked, marker)
        assert len(rows) > 1900
        assert count(connection, select) < 20 * LIMIT
