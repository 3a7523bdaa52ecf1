# SPDX-License-Identifier: Apache-2.0
"""What a request of at most a megabyte may cost a worker, and what the reply
to it may weigh. The bounds are several times what an idle machine needs.
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
def served(tmp_path_factory: pytest.TempPathFactory) -> Application:
    return Application(config_dir(tmp_path_factory.mktemp('costs'), THING))


def compact(document: Any) -> bytes:
    return json.dumps(document, separators=(',', ':')).encode()


def thing(**members: Any) -> bytes:
    return compact({'thing': {'name': 'a', **members}})


def spent(ask: Callable[[], Reply]) -> tuple[Reply, float]:
    begun = time.process_time()
    return ask(), time.process_time() - begun


MANY = {
    'items of no object': {'parts': [1] * 400_000},
    'items without a member': {'parts': [{}] * 300_000},
    'items with a wrong member': {'parts': [{'b': 1}] * 100_000},
    'members of a wrong type': {'sizes': {str(n): '' for n in range(90_000)}},
    'metadata': {'metadata': {str(n): 1 for n in range(90_000)}},
    'tags': {'tags': list(range(130_000))},
    'unknown names': {str(n): 1 for n in range(90_000)},
}


@pytest.mark.parametrize('what', MANY)
def test_a_hundred_thousand_mistakes_cost_no_more_than_a_few(served, what):
    """R10: an error made for each of them took up to five seconds."""
    body = thing(**MANY[what])
    assert len(body) < 2 ** 20
    reply, seconds = spent(lambda: served.request('PUT', PATH, body, {
        'Content-Type': 'application/json'}))
    assert reply.status == 400
    assert reply.json['errors']
    assert len(reply.body) < 50_000
    assert seconds < 1.2


LONG = 'x' * 1_000_000


@pytest.mark.parametrize(('method', 'body', 'headers'), [
    ('PUT', thing(sizes={LONG: ''}), {}),
    ('PUT', thing(**{LONG: 1}), {}),
    ('PUT', compact({'thing': {'name': 'a'}, LONG: 1}), {}),
    ('PUT', thing(metadata={LONG: ''}), {}),
    ('PUT', thing(name=LONG), {}),
    ('PATCH', compact([{'op': 'add', 'path': f'/{LONG}', 'value': 1}]),
     PATCH),
    ('PATCH', compact([{'op': 'test', 'path': LONG, 'value': 1}]), PATCH),
    ('PATCH', compact([{'op': 'test', 'path': 'x' * 900}] * 1000), PATCH),
    ('PATCH', compact([1] * 1000), PATCH)])
def test_an_error_does_not_say_a_megabyte_back(served, method, body,
                                               headers):
    """L02: nor a thousand times the same."""
    served.request('PUT', PATH, thing(), {'Content-Type': 'application/json'})
    reply = served.request(method, PATH, body, {
        'Content-Type': 'application/json', **headers})
    assert reply.status == 400
    assert len(reply.body) < 50_000


def test_a_version_is_not_said_back_at_length(served):
    reply = served.request('GET', '/v1/things', None, {
        'OpenStack-API-Version': 'pileus ' + '1' * 8000})
    assert reply.status == 400
    assert len(reply.body) < 2000


def test_a_bulk_stops_looking_once_enough_is_wrong(served):
    """R10: and tells the first mistakes with their items."""
    items = [{'name': 'a', 'sizes': {str(n): '' for n in range(90)}}] * 1000
    reply, seconds = spent(lambda: served.request('POST', '/v1/things', {
        'things': items}))
    assert reply.status == 400
    assert len(reply.json['errors']) == 50
    assert reply.json['errors'][0]['source']['pointer'].startswith(
        '/things/0/sizes/')
    assert seconds < 1


def test_a_record_does_not_grow_beyond_one_body(served):
    """J08: patch by patch; what makes it smaller is taken."""
    served.request('PUT', PATH, thing(), {'Content-Type': 'application/json'})

    def add(name: str) -> int:
        return served.request('PATCH', PATH, compact({'thing': {
            'notes': {name: 'x' * 400_000}}}), {
                'Content-Type': 'application/json'}).status
    assert [add(name) for name in 'abc'] == [200, 200, 400]
    notes = served.request('GET', PATH).json['thing']['notes']
    assert sorted(notes) == ['a', 'b']
    assert served.request('PATCH', PATH, {'thing': {
        'notes': {'a': None}}}).status == 200


def test_a_page_of_large_records_is_a_short_page(served):
    """R10: a thousand of a megabyte each were ten gigabytes at once. Who
    follows the links still meets each record once."""
    large = {'Content-Type': 'application/json', 'X-Project-Id': 'large'}
    made = []
    for number in range(12):
        reply = served.request('POST', '/v1/things', thing(
            notes={'x': 'y' * 1_000_000, 'n': number}), large)
        made.append(reply.json['thing']['id'])
    query, met, lengths = 'sort=created_at', [], []
    while query:
        page = served.request('GET', f'/v1/things?{query}', None, large)
        assert len(page.body) < bounded_fetch.MAX_PAGE_BYTES + 2 ** 21
        lengths.append(len(page.json['things']))
        met += [one['id'] for one in page.json['things']]
        query = ''.join(one['href'].partition('?')[2] for one in
                        page.json.get('things_links', []))
    assert met == made
    assert len(lengths) == 2 and max(lengths) < 10
