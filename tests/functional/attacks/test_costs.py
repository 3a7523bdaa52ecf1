# SPDX-License-Identifier: Apache-2.0
"""Bounds on the CPU time and the reply size of requests up to a megabyte.

The time limits are several times what an idle machine needs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from service.storage.lists import bounded_fetch
from tests.functional.harness.daemon import Reply, config_dir
from tests.functional.harness.in_process import Application

THING = {'thing': '''
name: thing
plural: things
properties:
  name: {type: string}
  notes: {type: object}
  sizes: {type: object, additionalProperties: {type: integer}}
  parts: {type: array, items: {type: object, required: [a],
          properties: {a: {type: integer}}, additionalProperties: false}}
required: [name]
'''}
PATH = '/v1/things/7bd6bd13-2c4b-4d6a-9b27-0123456789ab'
PATCH = {'Content-Type': 'application/json-patch+json'}


@pytest.fixture(scope='module')
def application(tmp_path_factory: pytest.TempPathFactory) -> Application:
    return Application(config_dir(tmp_path_factory.mktemp('costs'), THING))


def compact(document: Any) -> bytes:
    return json.dumps(document, separators=(',', ':')).encode()


def thing(**members: Any) -> bytes:
    return compact({'thing': {'name': 'a', **members}})


def cpu_seconds(send: Callable[[], Reply]) -> tuple[Reply, float]:
    started = time.process_time()
    return send(), time.process_time() - started


MISTAKES = {
    'items of no object': {'parts': [1] * 400_000},
    'items without a member': {'parts': [{}] * 300_000},
    'items with a wrong member': {'parts': [{'b': 1}] * 100_000},
    'members of a wrong type': {'sizes': {str(n): '' for n in range(90_000)}},
    'metadata': {'metadata': {str(n): 1 for n in range(90_000)}},
    'tags': {'tags': list(range(130_000))},
    'unknown names': {str(n): 1 for n in range(90_000)},
}


@pytest.mark.parametrize('mistake', MISTAKES)
def test_a_body_with_a_hundred_thousand_mistakes_is_rejected_quickly(
        application, mistake):
    """R10: creating an error for each mistake took up to five seconds."""
    body = thing(**MISTAKES[mistake])
    assert len(body) < 2 ** 20
    reply, seconds = cpu_seconds(lambda: application.request(
        'PUT', PATH, body, {'Content-Type': 'application/json'}))
    assert reply.status == 400
    assert reply.json['errors']
    assert len(reply.body) < 50_000
    assert seconds < 1.2


MEGABYTE = 'x' * 1_000_000


@pytest.mark.parametrize(('method', 'body', 'headers'), [
    ('PUT', thing(sizes={MEGABYTE: ''}), {}),
    ('PUT', thing(**{MEGABYTE: 1}), {}),
    ('PUT', compact({'thing': {'name': 'a'}, MEGABYTE: 1}), {}),
    ('PUT', thing(metadata={MEGABYTE: ''}), {}),
    ('PUT', thing(name=MEGABYTE), {}),
    ('PATCH', compact([{'op': 'add', 'path': f'/{MEGABYTE}', 'value': 1}]),
     PATCH),
    ('PATCH', compact([{'op': 'test', 'path': MEGABYTE, 'value': 1}]), PATCH),
    ('PATCH', compact([{'op': 'test', 'path': 'x' * 900}] * 1000), PATCH),
    ('PATCH', compact([1] * 1000), PATCH)])
def test_an_error_does_not_repeat_a_megabyte_of_input(application, method,
                                                      body, headers):
    """L02: the reply is also short after a thousand equal mistakes."""
    application.request('PUT', PATH, thing(),
                        {'Content-Type': 'application/json'})
    reply = application.request(method, PATH, body, {
        'Content-Type': 'application/json', **headers})
    assert reply.status == 400
    assert len(reply.body) < 50_000


def test_an_error_does_not_repeat_a_long_version(application):
    reply = application.request('GET', '/v1/things', None, {
        'OpenStack-API-Version': 'pileus ' + '1' * 8000})
    assert reply.status == 400
    assert len(reply.body) < 2000


def test_the_checks_of_a_bulk_body_stop_after_fifty_mistakes(application):
    """R10: the error reports the first mistakes with their items."""
    items = [{'name': 'a', 'sizes': {str(n): '' for n in range(90)}}] * 1000
    reply, seconds = cpu_seconds(lambda: application.request(
        'POST', '/v1/things', {'things': items}))
    assert reply.status == 400
    assert len(reply.json['errors']) == 50
    assert reply.json['errors'][0]['source']['pointer'].startswith(
        '/things/0/sizes/')
    assert seconds < 1


def test_patches_cannot_grow_a_record_beyond_the_body_limit(application):
    """J08: a patch that makes the record smaller succeeds."""
    application.request('PUT', PATH, thing(),
                        {'Content-Type': 'application/json'})

    def add(name: str) -> int:
        return application.request('PATCH', PATH, compact({'thing': {
            'notes': {name: 'x' * 400_000}}}), {
                'Content-Type': 'application/json'}).status
    assert [add(name) for name in 'abc'] == [200, 200, 400]
    notes = application.request('GET', PATH).json['thing']['notes']
    assert sorted(notes) == ['a', 'b']
    assert application.request('PATCH', PATH, {'thing': {
        'notes': {'a': None}}}).status == 200


def test_a_page_of_large_records_has_fewer_records(application):
    """R10: a page of a thousand records of a megabyte each took ten
    gigabytes. A client that follows the links gets each record once."""
    large = {'Content-Type': 'application/json', 'X-Project-Id': 'large'}
    created = []
    for number in range(12):
        reply = application.request('POST', '/v1/things', thing(
            notes={'x': 'y' * 1_000_000, 'n': number}), large)
        created.append(reply.json['thing']['id'])
    query, listed, lengths = 'sort=created_at', [], []
    while query:
        page = application.request('GET', f'/v1/things?{query}', None, large)
        assert len(page.body) < bounded_fetch.MAX_PAGE_BYTES + 2 ** 21
        lengths.append(len(page.json['things']))
        listed += [thing['id'] for thing in page.json['things']]
        query = ''.join(link['href'].partition('?')[2] for link in
                        page.json.get('things_links', []))
    assert listed == created
    assert len(lengths) == 2 and max(lengths) < 10
