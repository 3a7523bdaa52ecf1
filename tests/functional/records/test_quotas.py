# SPDX-License-Identifier: Apache-2.0
"""What counts, what does not, and limits by type and version.

The stories are ``stories/quotas``, long races are ``test_quota_races.py``.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa

from service.config import files as config_files
from service.domain.catalogue.types import Catalogue
from service.storage.database import engine
from service.storage.tables import declared as declared_tables
from tests.functional.harness.daemon import Daemon, config_dir
from tests.functional.harness.in_process import Application

TYPES = {'rack': '''
name: rack
plural: racks
quota: 5
properties: {name: {type: string}}
unique: [[name]]
''', 'slot': '''
name: slot
plural: slots
properties:
  rack_id: {references: rack, on_delete: cascade}
''', 'power_feed': '''
name: power_feed
plural: power_feeds
quota: 7
since: "1.1"
properties: {}
''', 'site': '''
name: site
plural: sites
scope: cloud
properties: {}
'''}
NEWER = {'OpenStack-API-Version': 'pileus 1.1'}
ID = '7bd6bd13-2c4b-4d6a-9b27-0123456789ab'


@pytest.fixture
def served(tmp_path: Path) -> Application:
    return Application(config_dir(tmp_path, TYPES))


def quota(served: Application, **headers: str) -> dict:
    reply = served.request('GET', '/v1/quotas/demo', None, headers)
    assert reply.status == 200
    return reply.json['quota']


def used(served: Application) -> dict[str, int]:
    return {name: one['used'] for name, one in quota(served).items()
            if name != 'project_id'}


def test_only_what_a_project_has_and_the_version_knows_is_there(served):
    assert set(quota(served)) == {'project_id', 'racks', 'slots'}
    assert set(quota(served, **NEWER)) == {'project_id', 'racks', 'slots',
                                           'power_feeds'}
    assert quota(served)['slots'] == {'limit': -1, 'used': 0, 'default': -1}


def test_what_makes_and_removes_records_is_counted_once(served):
    def asked(method, path, body=None, status=201, **headers):
        reply = served.request(method, path, body, headers)
        assert reply.status == status
        return reply
    rack = asked('POST', '/v1/racks', {'rack': {}}).json['rack']['id']
    asked('PUT', f'/v1/racks/{ID}', {'rack': {'name': 'a'}})
    asked('PUT', f'/v1/racks/{ID}', {'rack': {'name': 'b'}}, 200)
    for _ in range(2):
        asked('POST', '/v1/racks', {'rack': {'name': 'once'}},
              **{'Idempotency-Key': 'one'})
    asked('POST', '/v1/racks?dry_run=true', {'rack': {}}, 200)
    asked('POST', '/v1/racks', {'rack': {'name': 'b'}}, 409)
    slots = [{'rack_id': rack}] * 3 + [{'rack_id': ID}]
    asked('POST', '/v1/slots', {'slots': slots})
    assert used(served) == {'racks': 3, 'slots': 4}
    asked('DELETE', f'/v1/racks/{rack}?dry_run=true', None, 204)
    assert used(served) == {'racks': 3, 'slots': 4}
    asked('DELETE', f'/v1/racks/{rack}', None, 204)
    assert used(served) == {'racks': 2, 'slots': 1}


def test_a_bulk_is_counted_as_a_whole(served):
    refused = served.request('POST', '/v1/racks', {'racks': [{}] * 6})
    assert refused.status == 403
    assert (refused.json['errors'][0]['limit'],
            refused.json['errors'][0]['used']) == (5, 0)
    assert used(served)['racks'] == 0


def test_of_many_at_once_the_last_place_goes_to_one(tmp_path):
    """C06: across workers; the others are told what there is."""
    clients, at_once = 16, Barrier(16)

    def make(_):
        at_once.wait()
        reply = running.request('POST', '/v1/racks', {'rack': {}})
        told = reply.json.get('errors', [{}])[0]
        return reply.status, told.get('limit'), told.get('used')
    with Daemon(config_dir(tmp_path, TYPES, {'api': {'workers': 3}})
                ) as running, ThreadPoolExecutor(clients) as pool:
        running.request('POST', '/v1/racks', {'racks': [{}] * 4})
        for _ in range(4):
            told = Counter(pool.map(make, range(clients)))
            assert told == {(201, None, None): 1, (403, 5, 5): clients - 1}
            racks = running.request('GET', '/v1/racks').json['racks']
            assert len(racks) == used(running)['racks'] == 5
            running.request('DELETE', f'/v1/racks/{racks[0]["id"]}')


def test_a_record_counts_for_the_project_it_is_made_for(served):
    made = served.request('POST', '/v1/racks', {
        'rack': {'project_id': 'other'}})
    assert made.status == 201
    assert used(served)['racks'] == 0
    other = served.request('GET', '/v1/quotas/other').json['quota']
    assert other['racks']['used'] == 1


def test_an_older_version_leaves_alone_what_it_does_not_know(served):
    served.request('PUT', '/v1/quotas/demo', {
        'quota': {'power_feeds': 70, 'racks': 50}}, NEWER)
    served.request('PUT', '/v1/quotas/demo', {'quota': {'slots': 9}})
    found = quota(served, **NEWER)
    assert {name: found[name]['limit']
            for name in ('racks', 'slots', 'power_feeds')} == {
                'racks': 5, 'slots': 9, 'power_feeds': 70}
    assert served.request('DELETE', '/v1/quotas/demo').status == 204
    assert quota(served, **NEWER)['power_feeds']['limit'] == 70


def test_a_newer_type_cannot_be_named_by_an_older_version(served):
    refused = served.request('PATCH', '/v1/quotas/demo', {
        'quota': {'power_feeds': 1, 'sites': 1}})
    assert refused.status == 400
    assert [one['source']['pointer'] for one in refused.json['errors']] == [
        '/quota/power_feeds', '/quota/sites']


@pytest.mark.parametrize('value', ['5', 1.5, True, None, [], 2 ** 63, -2])
def test_a_limit_is_a_number_or_minus_one(served, value):
    refused = served.request('PUT', '/v1/quotas/demo',
                             {'quota': {'racks': value}})
    assert refused.status == 400
    assert quota(served)['racks']['limit'] == 5


def test_a_whole_number_may_be_written_with_a_point(served):
    served.request('PUT', '/v1/quotas/demo', b'{"quota": {"racks": 6.0}}',
                   {'Content-Type': 'application/json'})
    assert quota(served)['racks']['limit'] == 6


def test_a_project_has_a_name_of_at_most_64_characters(served):
    for length, status in ((64, 200), (65, 400)):
        path = f'/v1/quotas/{"p" * length}'
        assert served.request('GET', path).status == status
        assert served.request('PUT', path, {
            'quota': {'racks': 1}}).status == status


def test_another_projects_quotas_are_refused_alike(served):
    """A04: there or not."""
    served.request('PUT', '/v1/quotas/there', {'quota': {'racks': 1}})
    told = []
    for project in ('there', 'nowhere'):
        for method, body in (('GET', None), ('DELETE', None),
                             ('PUT', {'quota': {}}),
                             ('PATCH', {'quota': {}})):
            reply = served.request(method, f'/v1/quotas/{project}', body,
                                   {'X-Roles': 'member'})
            assert reply.status == 403
            told.append((project, method, reply.json['error']['message']))
    assert {one[1:] for one in told[:4]} == {one[1:] for one in told[4:]}


def told(directory: Path) -> list[sa.Row]:
    """What history has of limits."""
    revisions = declared_tables.build(Catalogue({})).core.revisions
    connected = engine.connect(
        config_files.load(['--config-dir', str(directory)]))
    with connected.connect() as connection:
        found = connection.execute(
            sa.select(revisions).where(revisions.c.type == 'quota')
            .order_by(revisions.c.number)).all()
    connected.dispose()
    return list(found)


def test_who_set_which_limits_stands_in_history(tmp_path):
    """In the transaction that sets them, numbered among all other writes;
    each says what is in force from then on."""
    directory = config_dir(tmp_path, TYPES)
    served = Application(directory)
    sent = {'X-User-Id': 'root'}
    asked = [served.request(method, f'/v1/quotas/{project}', body, sent)
             for method, project, body in (
                 ('PUT', 'demo', {'quota': {'racks': 50, 'slots': 9}}),
                 ('PATCH', 'other', {'quota': {'racks': 1}}),
                 ('PATCH', 'demo', {'quota': {'slots': None}}),
                 ('PATCH', 'demo', {'quota': {'racks': 50}}),
                 ('DELETE', 'demo', None))]
    found = told(directory)
    assert [(one.project_id, one.action, one.record_generation, one.document)
            for one in found] == [
        ('demo', 'create', 1, {'limits': {'rack': 50, 'slot': 9}}),
        ('other', 'create', 1, {'limits': {'rack': 1}}),
        ('demo', 'update', 2, {'limits': {'rack': 50}}),
        ('demo', 'delete', 3, {'limits': {}})]
    assert [one.request_id for one in found] == [
        asked[number].headers['X-Openstack-Request-Id']
        for number in (0, 1, 2, 4)]
    assert {one.user_id for one in found} == {'root'}
    assert len({one.record_id for one in found}) == 2
    assert [one.number for one in found] == [1, 2, 3, 4]


def test_limits_that_were_not_set_leave_no_history(tmp_path):
    directory = config_dir(tmp_path, TYPES)
    served = Application(directory)
    for headers, body, status in (
            ({'If-Match': '"old"'}, {'quota': {'racks': 1}}, 412),
            ({}, {'quota': {'racks': -7}}, 400),
            ({'X-Roles': 'member'}, {'quota': {'racks': 1}}, 403)):
        assert served.request('PUT', '/v1/quotas/demo', body,
                              headers).status == status
    assert told(directory) == []
