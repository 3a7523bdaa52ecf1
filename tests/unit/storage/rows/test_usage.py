# SPDX-License-Identifier: Apache-2.0
"""How many records there are, counted with them and not after them."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from service.domain.errors import QuotaExceeded
from service.domain.records.limits import UNLIMITED
from service.domain.records.store import UsageCount
from tests.unit import stored

DESK = ('{name: desk, plural: desks, quota: 2, '
        'properties: {place: {type: string}}}')


@pytest.fixture
def world(tmp_path):
    return stored.world(tmp_path, desk=DESK)


def counted(world) -> list[tuple[str, str, int]]:
    with world.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(
            sa.select(world.tables.core.usage))]


def test_a_count_goes_up_and_down_with_the_records(world):
    desk = world.make('desk', place='a')
    world.make('desk', place='b')
    assert counted(world) == [('demo', 'desk', 2)]
    world.delete('desk', desk['id'])
    assert counted(world) == [('demo', 'desk', 1)]


def test_a_refused_record_leaves_no_count(world):
    world.make('desk')
    world.make('desk')
    with pytest.raises(QuotaExceeded) as caught:
        world.make('desk')
    assert caught.value.facts['used'] == caught.value.facts['limit'] == 2
    assert counted(world) == [('demo', 'desk', 2)]


def test_what_was_there_before_anybody_counted_is_counted_then(world):
    """A database of a release without counts, or a table filled by hand."""
    for _ in range(2):
        world.make('desk')
    with world.engine.begin() as connection:
        connection.execute(sa.delete(world.tables.core.usage))
    desk = world.type('desk')
    assert world.store.read(lambda rows: rows.used(desk, 'demo')) == 2
    with pytest.raises(QuotaExceeded):
        world.make('desk')
    world.store.write(lambda rows: rows.free(desk, 'demo', 1))
    assert counted(world) == [('demo', 'desk', 1)]


def test_a_limit_that_was_set_comes_with_the_count(world):
    desk = world.type('desk')

    def set_to(quota):
        world.store.write(lambda rows: rows.limit('demo', {'desk': quota}))
    for quota in (5, UNLIMITED, None):
        set_to(quota)
        assert world.store.write(
            lambda rows: rows.use(desk, 'demo', 1)).limit == quota
    assert world.store.write(
        lambda rows: rows.use(desk, 'other', 1)) == UsageCount(1, None)
