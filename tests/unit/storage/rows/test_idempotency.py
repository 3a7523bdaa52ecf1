# SPDX-License-Identifier: Apache-2.0
"""Replies kept for requests that are carried out once, on real rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.domain.catalogue.types import Catalogue
from service.domain.documents import timestamps
from service.domain.records import idempotency
from service.domain.records.idempotency import IdempotentRequest
from service.domain.records.store import StoredReply
from service.storage.rows.record_rows import Rows
from service.storage.store import SQLStore
from service.storage.tables import declared as declared_tables

NOW = '2026-01-02T12:00:00.000000Z'


@pytest.fixture
def store(tmp_path: Path):
    engine = sa.create_engine(f'sqlite:///{tmp_path}/kept.sqlite')
    built = declared_tables.build(Catalogue({}))
    built.metadata.create_all(engine)
    opened = SQLStore(engine, built, 1)
    yield opened
    opened.close()


def before(**ago: float) -> str:
    return timestamps.canonical((datetime.fromisoformat(NOW)
                    - timedelta(**ago)).isoformat())


def kept(scope: str, at: str = NOW, status: int = 201) -> StoredReply:
    return StoredReply(scope, 'hash', status, [['ETag', '"1-é-x"']],
                       '{"a": "é"}', at)


def claim(scope: str, at: str = NOW, status: int = 201
          ) -> Callable[[Rows], tuple[StoredReply, bool]]:
    asked = IdempotentRequest(scope, at, lambda made: kept(scope, at, status))
    return lambda rows: asked.claim(rows, [])


def fill(store: SQLStore, *all_kept: StoredReply) -> None:
    def work(rows: Rows) -> None:
        for one in all_kept:
            rows.keep(one)
    store.write(work)


def scopes(store: SQLStore) -> set[str]:
    far = '9999-12-31T00:00:00.000000Z'
    return set(store.read(lambda rows: rows.outlived(far, 10_000)))


def test_the_first_request_keeps_its_own_reply(store):
    assert store.write(claim('s')) == (kept('s'), True)
    assert store.read(lambda rows: rows.kept('s')) == kept('s')


def test_the_second_finds_it_as_it_was(store):
    store.write(claim('s'))
    assert store.write(claim('s', status=200)) == (kept('s'), False)


def test_a_reply_is_kept_for_a_day_and_no_longer(store):
    young, old = before(hours=23, minutes=59, seconds=59), before(hours=24)
    fill(store, kept('young', young), kept('old', old))
    assert store.write(claim('young')) == (kept('young', young), False)
    assert store.write(claim('old')) == (kept('old'), True)


def test_what_is_forgotten_goes_with_the_next_request(store):
    fill(store, kept('old', before(hours=25)), kept('young', before(hours=1)))
    store.write(claim('new'))
    assert scopes(store) == {'young', 'new'}


def test_but_only_so_much_of_it_at_once_and_the_oldest_first(store):
    old = [kept(f'{age}', before(hours=24, seconds=age))
           for age in range(idempotency.MAX_PURGED_REPLIES + 50)]
    fill(store, *old)
    store.write(claim('new'))
    assert scopes(store) == {'new', *(f'{age}' for age in range(50))}


def test_nothing_is_kept_of_what_fails(store):
    def work(rows: Rows) -> None:
        claim('s')(rows)
        raise LookupError
    with pytest.raises(LookupError):
        store.write(work)
    assert scopes(store) == set()
