# SPDX-License-Identifier: Apache-2.0
"""Backfills in batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from service.storage.schema import backfill
from service.storage.schema.backfill import Fill

BOXES = sa.Table('r_boxes', sa.MetaData(),
                 sa.Column('id', sa.String(36), primary_key=True),
                 sa.Column('text', sa.String(9)))
FILL = Fill(BOXES.c.text, 'x')


@pytest.fixture
def connection():
    engine = sa.create_engine('sqlite://')
    with engine.connect() as connection:
        BOXES.create(connection)
        yield connection
    engine.dispose()


def insert(connection: sa.Connection, count: int) -> None:
    connection.execute(sa.delete(BOXES))
    connection.execute(sa.insert(BOXES), [
        {'id': f'{n * 7919 % 10 ** 6:036}', 'text': None}
        for n in range(count)])


def filled(connection: sa.Connection) -> list[str]:
    """Fill all rows; return the reported progress."""
    def transact(work: Callable[..., Sequence[str]]) -> Any:
        return work(connection)
    lines: list[str] = []
    FILL.run(transact, 0, lines.append)
    return lines


def left(connection: sa.Connection) -> int:
    return connection.scalar(sa.select(sa.func.count()).where(
        BOXES.c.text.is_(None))) or 0


def steps(connection: sa.Connection, count: int) -> int:
    """Return how many steps of SQLite's VM it takes to fill ``count`` rows."""
    insert(connection, count)
    ticks: list[int] = []
    native = connection.connection.driver_connection
    native.set_progress_handler(lambda: ticks.append(1), 10)
    filled(connection)
    native.set_progress_handler(None, 0)
    assert left(connection) == 0
    return len(ticks)


def test_twice_as_many_records_take_twice_as_long(connection, monkeypatch):
    """DB09: writes are refused meanwhile."""
    monkeypatch.setattr(backfill, 'BATCH_ROWS', 10)
    assert steps(connection, 4000) < 2.5 * steps(connection, 2000)


def test_a_fill_after_an_interrupted_one_fills_the_rest(connection,
                                                        monkeypatch):
    """Wherever the rows that have a value are."""
    monkeypatch.setattr(backfill, 'BATCH_ROWS', 10)
    insert(connection, 35)
    middle = connection.scalars(sa.select(BOXES.c.id).order_by(
        BOXES.c.id).offset(12).limit(15)).all()
    connection.execute(sa.update(BOXES).where(BOXES.c.id.in_(middle)).values(
        text='x'))
    assert filled(connection) == ['10 of 10 records', '20 of 20 records']
    assert left(connection) == 0
