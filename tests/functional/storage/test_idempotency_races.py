# SPDX-License-Identifier: Apache-2.0
"""C04: of concurrent requests with one idempotency key, one is carried out.
"""

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

REQUESTS = 20
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
    store = SQLStore(connected, declared_tables.build(Catalogue({})), number)
    yield store
    store.close()


def reply(scope: str, body: str, at: str) -> StoredReply:
    return StoredReply(scope, 'hash', 201, [], body, at)


def claims(store: SQLStore,
           scopes: list[str]) -> list[tuple[StoredReply, bool]]:
    """Claim these scopes concurrently; return the replies and whether each
    request was the first."""
    now = timestamps.now()

    def claim(number: int) -> tuple[StoredReply, bool]:
        request = IdempotentRequest(
            scopes[number], now,
            lambda records: reply(scopes[number], f'{number}', now))
        return store.write(lambda rows: request.claim(rows, []))
    with ThreadPoolExecutor(REQUESTS) as threads:
        return list(threads.map(claim, range(len(scopes))))


def test_one_of_twenty_requests_is_first_and_all_get_its_reply(store):
    claimed = claims(store, [secrets.token_hex(16)] * REQUESTS)
    assert [first for _, first in claimed].count(True) == 1
    assert len({stored.body for stored, _ in claimed}) == 1


def test_an_expired_reply_is_replaced_by_one_of_twenty_requests(store):
    scope = secrets.token_hex(16)
    store.write(lambda rows: rows.keep(reply(scope, 'old', LONG_AGO)))
    claimed = claims(store, [scope] * REQUESTS)
    assert [first for _, first in claimed].count(True) == 1
    assert len({stored.body for stored, _ in claimed}) == 1
    assert claimed[0][0].body != 'old'


def test_twenty_requests_that_purge_the_same_old_replies_all_succeed(store):
    def fill(rows: Rows) -> None:
        for _ in range(idempotency.MAX_PURGED_REPLIES + 50):
            rows.keep(reply(secrets.token_hex(16), '', LONG_AGO))
    store.write(fill)
    claimed = claims(store, [secrets.token_hex(16)
                             for _ in range(REQUESTS)])
    assert all(first for _, first in claimed)
    claims(store, [secrets.token_hex(16)])
    assert store.read(lambda rows: rows.outlived(LONG_AGO, 1)) == []


def test_a_reply_is_read_back_unchanged(store):
    stored = StoredReply(
        secrets.token_hex(16), 'hash', 201, [['ETag', '"1-a-b"']],
        '{"name": "\U0001f600 \U00020000 \xe9  "}', LONG_AGO)
    store.write(lambda rows: rows.keep(stored))
    assert store.read(lambda rows: rows.kept(stored.scope)) == stored
