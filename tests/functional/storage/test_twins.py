# SPDX-License-Identifier: Apache-2.0
"""C04 on every database: of twins that run at once, one is carried out."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.config import files as config_files
from service.domain.catalogue.types import Catalogue
from service.domain.documents import timestamps
from service.domain.records import idempotency
from service.domain.records.idempotency import IdempotentRequest
from service.domain.records.store import StoredReply
from service.storage import migrations
from service.storage.database import engine
from service.storage.rows.record_rows import Rows
from service.storage.schema import applied_types
from service.storage.store import SQLStore
from service.storage.tables import declared as declared_tables
from tests.functional.harness.daemon import config_dir

TWINS = 20
LONG_AGO = '2020-01-01T00:00:00.000000Z'


@pytest.fixture
def store(database: sa.Engine, tmp_path: Path) -> Iterator[SQLStore]:
    url = database.url.render_as_string(hide_password=False)
    directory = config_dir(tmp_path, conf={'database': {'connection': url}})
    connected = engine.connect(
        config_files.load(['--config-dir', str(directory)]))
    migrations.upgrade(connected)
    with connected.connect() as connection:
        number = applied_types.announced_number(connection)
    opened = SQLStore(connected, declared_tables.build(Catalogue({})), number)
    yield opened
    opened.close()


def kept(scope: str, body: str, at: str) -> StoredReply:
    return StoredReply(scope, 'hash', 201, [], body, at)


def claims(store: SQLStore,
           scopes: list[str]) -> list[tuple[StoredReply, bool]]:
    """What the requests of these scopes are told, all sent at once."""
    now = timestamps.now()

    def claim(number: int) -> tuple[StoredReply, bool]:
        asked = IdempotentRequest(scopes[number], now,
                     lambda made: kept(scopes[number], f'{number}', now))
        return store.write(lambda rows: asked.claim(rows, []))
    with ThreadPoolExecutor(TWINS) as threads:
        return list(threads.map(claim, range(len(scopes))))


def test_one_of_twenty_twins_is_first_and_all_get_its_reply(store):
    told = claims(store, [secrets.token_hex(16)] * TWINS)
    assert [first for _, first in told].count(True) == 1
    assert len({reply.body for reply, _ in told}) == 1


def test_also_where_an_old_reply_is_in_the_way(store):
    scope = secrets.token_hex(16)
    store.write(lambda rows: rows.keep(kept(scope, 'old', LONG_AGO)))
    told = claims(store, [scope] * TWINS)
    assert [first for _, first in told].count(True) == 1
    assert len({reply.body for reply, _ in told}) == 1
    assert told[0][0].body != 'old'


def test_twenty_requests_that_sweep_the_same_old_replies_all_succeed(store):
    def fill(rows: Rows) -> None:
        for _ in range(idempotency.MAX_PURGED_REPLIES + 50):
            rows.keep(kept(secrets.token_hex(16), '', LONG_AGO))
    store.write(fill)
    told = claims(store, [secrets.token_hex(16) for _ in range(TWINS)])
    assert all(first for _, first in told)
    claims(store, [secrets.token_hex(16)])
    assert store.read(lambda rows: rows.outlived(LONG_AGO, 1)) == []


def test_a_reply_comes_back_letter_by_letter(store):
    told = StoredReply(secrets.token_hex(16), 'hash', 201,
                       [['ETag', '"1-a-b"']],
                '{"name": "\U0001f600 \U00020000 \xe9  "}', LONG_AGO)
    store.write(lambda rows: rows.keep(told))
    assert store.read(lambda rows: rows.kept(told.scope)) == told
