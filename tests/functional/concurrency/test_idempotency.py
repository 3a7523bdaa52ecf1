# SPDX-License-Identifier: Apache-2.0
"""C04: a create that is repeated or sent twenty times at once runs once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from service.storage.tables import columns
from tests.functional.harness.daemon import Daemon, Reply, config_dir, database
from tests.functional.harness.in_process import Application

REPEATS = 20
BODY = {'hosts': [{'name': f'node-{number}', 'serial': f'AAA-000{number}'}
                  for number in range(3)]}
Ask = Callable[..., Reply]

KEYS = sa.table('pileus_keys', sa.column('at', columns.Timestamp()))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return config_dir(tmp_path, conf={'api': {'workers': 2}})


@pytest.fixture(params=['in process', 'two workers'])
def ask(request: pytest.FixtureRequest, directory: Path) -> Iterator[Ask]:
    if request.param == 'in process':
        yield Application(directory).request
        return
    with Daemon(directory) as daemon:
        yield daemon.request


def sent(key: str = 'k1') -> dict[str, str]:
    return {'Idempotency-Key': key, 'Content-Type': 'application/json'}


def count(ask: Ask) -> int:
    return ask('GET', '/v1/hosts?limit=1&with_count=true').json['count']


def run_concurrently(work: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(REPEATS) as threads:
        return list(threads.map(work, range(REPEATS)))


def test_twenty_identical_requests_create_once_and_get_the_same_body(ask):
    replies = run_concurrently(
        lambda _: ask('POST', '/v1/hosts', BODY, sent()))
    assert [reply.status for reply in replies] == [201] * REPEATS
    assert len({reply.body for reply in replies}) == 1
    assert len({reply.headers['x-openstack-request-id']
                for reply in replies}) == REPEATS
    assert count(ask) == 3


def test_one_of_twenty_different_bodies_with_the_same_key_is_accepted(ask):
    def post(number: int) -> Reply:
        return ask('POST', '/v1/hosts', {'host': {
            'name': f'node-{number}', 'serial': f'AAA-{number:04}'}}, sent())
    replies = run_concurrently(post)
    assert sorted(reply.status for reply in replies) == (
        [201] + [422] * (REPEATS - 1))
    assert count(ask) == 1


def test_twenty_keys_create_twenty_records(ask):
    def post(number: int) -> Reply:
        return ask('POST', '/v1/hosts', {'host': {
            'name': f'node-{number}', 'serial': f'AAA-{number:04}'}},
            sent(f'k{number}'))
    assert {reply.status for reply in run_concurrently(post)} == {201}
    assert count(ask) == REPEATS


def test_a_client_that_was_disconnected_repeats_without_duplicates(directory):
    body = json.dumps(BODY).encode()
    head = (f'POST /v1/hosts HTTP/1.1\r\nHost: 127.0.0.1\r\n'
            f'Content-Type: application/json\r\nIdempotency-Key: k1\r\n'
            f'Content-Length: {len(body)}\r\n\r\n').encode()
    with Daemon(directory) as daemon:
        for _ in range(5):
            with daemon.connect() as connection:
                connection.sendall(head + body)
        reply = daemon.request('POST', '/v1/hosts', BODY, sent())
        assert reply.status == 201
        assert count(daemon.request) == 3
        shown = daemon.request('GET', '/v1/hosts?sort=created_at').json
    assert {host['id'] for host in reply.json['hosts']} == {
        host['id'] for host in shown['hosts']}


def test_a_key_can_be_reused_after_a_day(directory):
    ask = Application(directory).request
    assert ask('POST', '/v1/hosts', BODY, sent()).status == 201
    other = {'host': {'name': 'node-9', 'serial': 'AAA-0009'}}
    assert ask('POST', '/v1/hosts', other, sent()).status == 422
    with database(directory).begin() as connection:
        connection.execute(sa.update(KEYS).values(
            at='2020-01-01T00:00:00.000000Z'))
    assert ask('POST', '/v1/hosts', other, sent()).status == 201
    assert count(ask) == 4


def test_a_key_is_valid_after_a_restart(directory):
    first = Application(directory).request('POST', '/v1/hosts', BODY, sent())
    again = Application(directory).request('POST', '/v1/hosts', BODY, sent())
    assert first.status == again.status == 201
    assert first.body == again.body
