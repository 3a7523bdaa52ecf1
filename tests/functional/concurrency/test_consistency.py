# SPDX-License-Identifier: Apache-2.0
"""Entity tags, concurrent creates and bulk requests (C03, C04, C12)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.functional.harness.daemon import Daemon, config_dir
from tests.functional.harness.in_process import Application

ID = '7bd6bd13-2c4b-4d6a-9b27-0123456789ab'
HOST = f'/v1/hosts/{ID}'
MADE = {'host': {'name': 'a', 'serial': 'CZ-1001'}}
NEWER = {'OpenStack-API-Version': 'pileus 1.1'}


# Entity tags

@pytest.fixture
def etag(application: Application) -> str:
    reply = application.request('PUT', HOST, MADE)
    assert reply.status == 201
    return reply.headers['ETag']


CONDITIONS = {
    'the tag': ('{etag}', 200), 'a list with it': ('"x", {etag}', 200),
    'a list that begins with it': ('{etag},"x"', 200),
    'a list with gaps': (' , {etag} ,', 200), 'any': ('*', 200),
    'its weak twin': ('W/{etag}', 412), 'another': ('"x"', 412),
    'another generation': ('"9{etag[1:]}', 412), 'none at all': ('""', 412),
    'the tag without quotes': ('{bare}', 400),
    'half a quote': ('"{bare}', 400), 'two asterisks': ('**', 400),
    'an asterisk among tags': ('*, {etag}', 400),
    'single quotes': ("'{bare}'", 400), 'nothing': ('', 400)}


@pytest.mark.parametrize('case', CONDITIONS)
@pytest.mark.parametrize('method', ['PUT', 'PATCH', 'DELETE'])
def test_a_conditional_write_happens_only_in_the_state_of_its_etag(
        application, etag, method, case):
    """C03, ETAG-3: strong comparison; a malformed header is 400."""
    condition, status = CONDITIONS[case]
    condition = condition.replace('{etag[1:]}', etag[2:]).replace(
        '{etag}', etag).replace('{bare}', etag.strip('"'))
    before = application.request('GET', HOST).body
    body = {'PUT': {'host': {**MADE['host'], 'status': 'active'}},
            'PATCH': {'host': {'status': 'active'}}}.get(method)
    reply = application.request(method, HOST, body, {'If-Match': condition})
    assert reply.status == (204 if (method, status) == ('DELETE', 200)
                            else status), reply.body
    if status != 200:
        assert application.request('GET', HOST).body == before


@pytest.mark.parametrize(('condition', 'status'), [
    ('{etag}', 304), ('W/{etag}', 304), ('"x", {etag}', 304), ('*', 304),
    ('"x"', 200), ('x', 400)])
def test_a_conditional_read_of_an_unchanged_record_is_304(
        application, etag, condition, status):
    """C03: weak comparison; a 304 has no body and the headers of the 200."""
    reply = application.request('GET', HOST, None, {
        'If-None-Match': condition.replace('{etag}', etag)})
    assert reply.status == status
    if status == 304:
        assert reply.body == b''
        assert reply.headers['ETag'] == etag
        assert 'Content-Type' not in reply.headers


def test_each_representation_has_its_own_etag(application, etag):
    """C03, ETAG-2: version, fields and readable properties change the ETag."""
    tags = [application.request('GET', HOST + query, None, headers
                                ).headers['ETag']
            for query, headers in (('', {}), ('', NEWER), ('?fields=id', {}),
                                   ('?fields=id,name', {}))]
    assert len(set(tags)) == len(tags)
    assert tags[0] == etag


def test_the_etag_of_any_representation_is_valid_for_a_write(application,
                                                             etag):
    """C03: a client that read version 1.1 can write version 1.0, once."""
    newer = application.request('GET', HOST, None, NEWER).headers['ETag']
    for status in (200, 412):
        reply = application.request('PATCH', HOST, {
            'host': {'status': 'active' if status == 200 else 'retired'}},
            {'If-Match': newer})
        assert reply.status == status


def test_a_record_recreated_under_the_same_id_has_another_etag(application,
                                                               etag):
    """C03: the generation starts again at 1, but old ETags do not match."""
    assert application.request('DELETE', HOST).status == 204
    reply = application.request('PUT', HOST, MADE)
    assert reply.json['host']['generation'] == 1
    assert reply.headers['ETag'] != etag
    assert application.request('DELETE', HOST, None,
                               {'If-Match': etag}).status == 412


@pytest.fixture
def two_workers(tmp_path: Path) -> Iterator[Daemon]:
    directory = config_dir(tmp_path, None, {'api': {'workers': 2}})
    with Daemon(directory) as running:
        yield running


def test_an_etag_is_the_same_in_every_worker_and_after_a_restart(two_workers):
    """C03, ETAG-1: an ETag depends only on stored data."""
    etag = two_workers.request('PUT', HOST, MADE).headers['ETag']
    def seen() -> set[str]:
        return {two_workers.request('GET', HOST).headers['ETag']
                for _ in range(20)}
    assert seen() == {etag}
    two_workers.stop()
    two_workers.start()
    assert seen() == {etag}


# Concurrent creates of one id

def test_one_of_twenty_concurrent_creates_of_one_id_succeeds(two_workers):
    """C04, METH-5: the others get 412."""
    def create(number: int) -> int:
        return two_workers.request('PUT', HOST, {'host': {
            'name': f'h{number}', 'serial': f'CZ-{1000 + number}'}},
            {'If-None-Match': '*'}).status
    with ThreadPoolExecutor(20) as clients:
        statuses = Counter(clients.map(create, range(20)))
    assert statuses == {201: 1, 412: 19}
    records = two_workers.request('GET', '/v1/hosts').json['hosts']
    assert [record['id'] for record in records] == [ID]
    assert records[0]['generation'] == 1


# All or nothing

def hosts(*odd: dict[str, Any]) -> dict[str, Any]:
    """A bulk request for forty hosts, with the odd ones in the middle."""
    items = [{'name': f'h{number}', 'serial': f'CZ-{1000 + number}'}
             for number in range(40)]
    return {'hosts': [*items[:20], *odd, *items[20:]]}


def host(**members: Any) -> dict[str, Any]:
    return {'name': 'odd', 'serial': 'CZ-0001', **members}


BULKS = {
    'a value': (hosts(host(memory_mb=0)), 400, ['/hosts/20/memory_mb']),
    'two values': (hosts(host(memory_mb=0), host(bogus=1)), 400,
                   ['/hosts/20/memory_mb', '/hosts/21/bogus']),
    'no record': (hosts(host(), [], host(name='x', serial='CZ-0002')),
                  400, ['/hosts/21']),
    'a reference': (hosts(host(rack_id=ID)), 400, ['/hosts/20/rack_id']),
    'one of its own': (hosts(host(serial='CZ-1003')), 409,
                       ['/hosts/20/serial']),
    'one that is there': (hosts(host(serial='CZ-9999')), 409,
                          ['/hosts/20/serial']),
}


@pytest.mark.parametrize('case', BULKS)
def test_a_bulk_with_an_invalid_item_creates_nothing(application, case):
    """C12: the reply names the item."""
    there = application.request('POST', '/v1/hosts', {'host': {
        'name': 'there', 'serial': 'CZ-9999'}})
    assert there.status == 201
    body, status, pointers = BULKS[case]
    reply = application.request('POST', '/v1/hosts', body)
    assert reply.status == status, reply.body
    assert [error.get('source', {}).get('pointer')
            for error in reply.json['errors']] == pointers
    left = application.request('GET', '/v1/hosts').json['hosts']
    assert [record['name'] for record in left] == ['there']


def test_a_bulk_over_the_quota_creates_nothing(tmp_path):
    """C12, CODE-7: the records within the quota are not created either."""
    served = Application(config_dir(tmp_path, {'desk': '''
name: desk
plural: desks
properties:
  name: {type: string}
quota: 3
'''}))
    sent = {'desks': [{'name': str(number)} for number in range(4)]}
    assert served.request('POST', '/v1/desks', sent).status == 403
    assert served.request('GET', '/v1/desks').json['desks'] == []
    assert served.request('POST', '/v1/desks',
                          {'desks': sent['desks'][:3]}).status == 201


def test_a_dry_run_creates_nothing_and_shows_the_result(application):
    """C12: the reply is that of the real request, except for its status."""
    reply = application.request('POST', '/v1/hosts?dry_run=true', hosts())
    assert (reply.status, len(reply.json['hosts'])) == (200, 40)
    assert application.request('GET', '/v1/hosts').json['hosts'] == []


@pytest.mark.parametrize(('version', 'name'), [('1.0', 'plate'),
                                               ('1.1', 'label')])
def test_a_conflict_names_properties_as_the_version_does(tmp_path, version,
                                                         name):
    """INT-2, C12: an older client never sees the newer name."""
    served = Application(config_dir(tmp_path, {'car': '''
name: car
plural: cars
properties:
  label: {type: string, since: "1.1", renamed_from: plate}
unique: [[label]]
'''}))
    for status in (201, 409):
        reply = served.request('POST', '/v1/cars', {'cars': [{name: 'x'}]},
                               {'OpenStack-API-Version': f'pileus {version}'})
        assert reply.status == status
    (error,) = reply.json['errors']
    assert error['detail'].startswith(f'Another car has the same {name}: ')
    assert error['source'] == {'pointer': f'/cars/0/{name}'}
