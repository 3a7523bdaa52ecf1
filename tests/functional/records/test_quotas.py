# SPDX-License-Identifier: Apache-2.0
"""The writes that count towards a quota, and limits by type and version.

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
    return {name: member['used'] for name, member in quota(served).items()
            if name != 'project_id'}


def test_quotas_show_the_project_types_of_the_version(served):
    assert set(quota(served)) == {'project_id', 'racks', 'slots'}
    assert set(quota(served, **NEWER)) == {'project_id', 'racks', 'slots',
                                           'power_feeds'}
    assert quota(served)['slots'] == {'limit': -1, 'used': 0, 'default': -1}


def test_each_created_and_deleted_record_is_counted_once(served):
    def request(method, path, body=None, status=201, **headers):
        reply = served.request(method, path, body, headers)
        assert reply.status == status
        return reply
    rack = request('POST', '/v1/racks', {'rack': {}}).json['rack']['id']
    request('PUT', f'/v1/racks/{ID}', {'rack': {'name': 'a'}})
    request('PUT', f'/v1/racks/{ID}', {'rack': {'name': 'b'}}, 200)
    for _ in range(2):
        request('POST', '/v1/racks', {'rack': {'name': 'once'}},
              **{'Idempotency-Key': 'one'})
    request('POST', '/v1/racks?dry_run=true', {'rack': {}}, 200)
    request('POST', '/v1/racks', {'rack': {'name': 'b'}}, 409)
    slots = [{'rack_id': rack}] * 3 + [{'rack_id': ID}]
    request('POST', '/v1/slots', {'slots': slots})
    assert used(served) == {'racks': 3, 'slots': 4}
    request('DELETE', f'/v1/racks/{rack}?dry_run=true', None, 204)
    assert used(served) == {'racks': 3, 'slots': 4}
    request('DELETE', f'/v1/racks/{rack}', None, 204)
    assert used(served) == {'racks': 2, 'slots': 1}


def test_a_bulk_request_is_counted_as_a_whole(served):
    refused = served.request('POST', '/v1/racks', {'racks': [{}] * 6})
    assert refused.status == 403
    assert (refused.json['errors'][0]['limit'],
            refused.json['errors'][0]['used']) == (5, 0)
    assert used(served)['racks'] == 0


def test_one_of_many_concurrent_requests_gets_the_last_place(tmp_path):
    """C06: across workers; the others get the limit and the usage."""
    clients, barrier = 16, Barrier(16)

    def create(_):
        barrier.wait()
        reply = running.request('POST', '/v1/racks', {'rack': {}})
        error = reply.json.get('errors', [{}])[0]
        return reply.status, error.get('limit'), error.get('used')
    with Daemon(config_dir(tmp_path, TYPES, {'api': {'workers': 3}})
                ) as running, ThreadPoolExecutor(clients) as pool:
        running.request('POST', '/v1/racks', {'racks': [{}] * 4})
        for _ in range(4):
            replies = Counter(pool.map(create, range(clients)))
            assert replies == {(201, None, None): 1, (403, 5, 5): clients - 1}
            racks = running.request('GET', '/v1/racks').json['racks']
            assert len(racks) == used(running)['racks'] == 5
            running.request('DELETE', f'/v1/racks/{racks[0]["id"]}')


def test_a_record_counts_for_the_project_that_owns_it(served):
    created = served.request('POST', '/v1/racks', {
        'rack': {'project_id': 'other'}})
    assert created.status == 201
    assert used(served)['racks'] == 0
    other = served.request('GET', '/v1/quotas/other').json['quota']
    assert other['racks']['used'] == 1


def test_an_older_version_keeps_the_limits_of_newer_types(served):
    served.request('PUT', '/v1/quotas/demo', {
        'quota': {'power_feeds': 70, 'racks': 50}}, NEWER)
    served.request('PUT', '/v1/quotas/demo', {'quota': {'slots': 9}})
    quotas = quota(served, **NEWER)
    assert {name: quotas[name]['limit']
            for name in ('racks', 'slots', 'power_feeds')} == {
                'racks': 5, 'slots': 9, 'power_feeds': 70}
    assert served.request('DELETE', '/v1/quotas/demo').status == 204
    assert quota(served, **NEWER)['power_feeds']['limit'] == 70


def test_an_older_version_refuses_limits_of_newer_types(served):
    refused = served.request('PATCH', '/v1/quotas/demo', {
        'quota': {'power_feeds': 1, 'sites': 1}})
    assert refused.status == 400
    assert [error['source']['pointer']
            for error in refused.json['errors']] == [
        '/quota/power_feeds', '/quota/sites']


@pytest.mark.parametrize('value', ['5', 1.5, True, None, [], 2 ** 63, -2])
def test_a_limit_must_be_minus_one_or_a_natural_number(served, value):
    refused = served.request('PUT', '/v1/quotas/demo',
                             {'quota': {'racks': value}})
    assert refused.status == 400
    assert quota(served)['racks']['limit'] == 5


def test_a_limit_may_be_written_as_a_whole_double(served):
    served.request('PUT', '/v1/quotas/demo', b'{"quota": {"racks": 6.0}}',
                   {'Content-Type': 'application/json'})
    assert quota(served)['racks']['limit'] == 6


def test_a_project_id_has_at_most_64_characters(served):
    for length, status in ((64, 200), (65, 400)):
        path = f'/v1/quotas/{"p" * length}'
        assert served.request('GET', path).status == status
        assert served.request('PUT', path, {
            'quota': {'racks': 1}}).status == status


def test_quotas_of_existing_and_unknown_projects_are_refused_alike(served):
    """A04"""
    served.request('PUT', '/v1/quotas/there', {'quota': {'racks': 1}})
    refusals = []
    for project in ('there', 'nowhere'):
        for method, body in (('GET', None), ('DELETE', None),
                             ('PUT', {'quota': {}}),
                             ('PATCH', {'quota': {}})):
            reply = served.request(method, f'/v1/quotas/{project}', body,
                                   {'X-Roles': 'member'})
            assert reply.status == 403
            refusals.append((method, reply.json['error']['message']))
    assert set(refusals[:4]) == set(refusals[4:])


def limit_revisions(directory: Path) -> list[sa.Row]:
    """Return the revisions of limits, oldest first."""
    revisions = declared_tables.build(Catalogue({})).core.revisions
    connected = engine.connect(
        config_files.load(['--config-dir', str(directory)]))
    with connected.connect() as connection:
        rows = connection.execute(
            sa.select(revisions).where(revisions.c.type == 'quota')
            .order_by(revisions.c.number)).all()
    connected.dispose()
    return list(rows)


def test_history_records_who_set_which_limits(tmp_path):
    """Each revision has all limits that are in force after the write."""
    directory = config_dir(tmp_path, TYPES)
    served = Application(directory)
    sent = {'X-User-Id': 'root'}
    replies = [served.request(method, f'/v1/quotas/{project}', body, sent)
             for method, project, body in (
                 ('PUT', 'demo', {'quota': {'racks': 50, 'slots': 9}}),
                 ('PATCH', 'other', {'quota': {'racks': 1}}),
                 ('PATCH', 'demo', {'quota': {'slots': None}}),
                 ('PATCH', 'demo', {'quota': {'racks': 50}}),
                 ('DELETE', 'demo', None))]
    revisions = limit_revisions(directory)
    assert [(each.project_id, each.action, each.record_generation,
             each.document) for each in revisions] == [
        ('demo', 'create', 1, {'limits': {'rack': 50, 'slot': 9}}),
        ('other', 'create', 1, {'limits': {'rack': 1}}),
        ('demo', 'update', 2, {'limits': {'rack': 50}}),
        ('demo', 'delete', 3, {'limits': {}})]
    assert [each.request_id for each in revisions] == [
        replies[number].headers['X-Openstack-Request-Id']
        for number in (0, 1, 2, 4)]
    assert {each.user_id for each in revisions} == {'root'}
    assert len({each.record_id for each in revisions}) == 2
    assert [each.number for each in revisions] == [1, 2, 3, 4]


def test_refused_limits_add_no_revision(tmp_path):
    directory = config_dir(tmp_path, TYPES)
    served = Application(directory)
    for headers, body, status in (
            ({'If-Match': '"old"'}, {'quota': {'racks': 1}}, 412),
            ({}, {'quota': {'racks': -7}}, 400),
            ({'X-Roles': 'member'}, {'quota': {'racks': 1}}, 403)):
        assert served.request('PUT', '/v1/quotas/demo', body,
                              headers).status == status
    assert limit_revisions(directory) == []
