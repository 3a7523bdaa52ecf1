# SPDX-License-Identifier: Apache-2.0
"""Thirty-two clients increment one record, and no increment is lost."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.functional.harness.daemon import WAIT_SECONDS, Daemon, config_dir

COUNTER = '/v1/counters/7bd6bd13-2c4b-4d6a-9b27-0123456789ab'
TYPE = '''
name: counter
plural: counters
properties:
  value: {type: integer, default: 0}
'''
CLIENTS, COUNTS = 32, 4


@pytest.fixture(scope='module')
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    directory = config_dir(tmp_path_factory.mktemp('counting'),
                           {'counter': TYPE},
                           {'api': {'workers': 2, 'require_if_match': True}})
    with Daemon(directory) as running:
        reply = running.request('PUT', COUNTER, {'counter': {}},
                                {'If-None-Match': '*'})
        assert reply.status == 201
        yield running


class Client:
    """A client with one persistent connection."""

    def __init__(self, daemon: Daemon) -> None:
        self._wire = http.client.HTTPConnection(daemon.host, daemon.port,
                                                timeout=WAIT_SECONDS)

    def ask(self, method: str, body: object = None, **headers: str) -> Any:
        sent = {name.replace('_', '-'): value
                for name, value in headers.items()}
        self._wire.request(method, COUNTER, body and json.dumps(body), {
            'Content-Type': 'application/json', **sent} if body else sent)
        reply = self._wire.getresponse()
        document = json.loads(reply.read())
        return reply.status, reply.headers['ETag'], document

    def count(self) -> int:
        """Increment the value; return the number of retries."""
        lost = 0
        while True:
            _, etag, document = self.ask('GET')
            value = document['counter']['value'] + 1
            status, _, reply = self.ask(
                'PATCH', {'counter': {'value': value}}, If_Match=etag)
            if status == 200:
                return lost
            assert status == 412, reply
            lost += 1

    def close(self) -> None:
        self._wire.close()


def test_no_increment_is_lost(counting):
    """C01: each acknowledged write is stored; the others get 412."""
    def client(number: int) -> int:
        counter_client = Client(counting)
        try:
            return sum(counter_client.count() for _ in range(COUNTS))
        finally:
            counter_client.close()
    with ThreadPoolExecutor(CLIENTS) as clients:
        lost = sum(clients.map(client, range(CLIENTS)))
    record = counting.request('GET', COUNTER).json['counter']
    assert record['value'] == CLIENTS * COUNTS
    assert record['generation'] == CLIENTS * COUNTS + 1
    assert lost > 0, 'no write ever conflicted: the test proves nothing'


@pytest.mark.parametrize(('method', 'body'), [
    ('PUT', {'counter': {'value': 1}}), ('PATCH', {'counter': {'value': 1}}),
    ('DELETE', None)])
def test_a_write_without_if_match_is_428_if_it_is_required(counting, method,
                                                           body):
    """C01, ETAG-4: with ``require_if_match`` nothing is written."""
    before = counting.request('GET', COUNTER).body
    assert counting.request(method, COUNTER, body).status == 428
    assert counting.request('GET', COUNTER).body == before
