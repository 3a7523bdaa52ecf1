# SPDX-License-Identifier: Apache-2.0
"""Limits in Keystone: ``[quota] driver = unified_limits``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from tests.functional.harness.daemon import Daemon, config_dir
from tests.functional.keystone.conftest import Cloud
from tests.functional.keystone.identity import PASSWORD

NUMBERS = count()


@pytest.fixture(scope='module')
def limited(cloud: Cloud,
            tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Pileus with limits in Keystone: two hosts a project, one for alpha."""
    conf = {'quota': {'driver': 'unified_limits', 'limits_cache': 0},
            'oslo_limit': {
                'auth_type': 'password', 'auth_url': cloud.keystone.url,
                'username': 'sam', 'password': PASSWORD,
                'user_domain_id': 'default', 'system_scope': 'all',
                'endpoint_service_type': 'pileus',
                'endpoint_region_name': 'RegionOne'}}
    registered(cloud, 'hosts', 2)
    limit(cloud, 'alpha', 'hosts', 1)
    directory = config_dir(tmp_path_factory.mktemp('limited'), conf=conf)
    with Daemon(directory) as running, cloud.catalogued(running.url):
        yield running


def registered(cloud: Cloud, name: str, number: int) -> None:
    cloud.keystone.admin.post('/registered_limits', json={
        'registered_limits': [{
            'service_id': cloud.service, 'region_id': 'RegionOne',
            'resource_name': name, 'default_limit': number}]})


def limit(cloud: Cloud, project: str, name: str, number: int) -> str:
    created = cloud.keystone.admin.post('/limits', json={'limits': [{
        'service_id': cloud.service, 'region_id': 'RegionOne',
        'project_id': cloud.projects[project], 'resource_name': name,
        'resource_limit': number}]}).json()
    return created['limits'][0]['id']


def post(limited, project):
    number = next(NUMBERS)
    return limited.request('POST', '/v1/hosts', {'host': {
        'name': f'h{number}', 'serial': f'LIM-{number}'}},
                           {'X-Project-Id': project})


def test_a_limit_of_a_project_overrides_the_registered_limit(limited, cloud):
    alpha = cloud.projects['alpha']
    assert post(limited, alpha).status == 201
    refused = post(limited, alpha)
    assert refused.status == 403
    assert refused.json['errors'][0]['limit'] == 1
    shown = limited.request('GET', f'/v1/quotas/{alpha}').json['quota']
    assert shown['hosts'] == {'limit': 1, 'used': 1, 'default': 1000}


def test_the_registered_limit_applies_to_other_projects(limited, cloud):
    beta = cloud.projects['beta']
    assert [post(limited, beta).status for _ in range(3)] == [201, 201, 403]


def test_a_type_without_a_registered_limit_has_limit_0(limited, cloud):
    """As in every other service that uses unified limits."""
    shown = limited.request('GET', f'/v1/quotas/{cloud.projects["beta"]}')
    assert shown.json['quota']['maintenances']['limit'] == 0


def test_a_limit_that_is_raised_in_keystone_takes_effect(limited, cloud):
    service = cloud.projects['service']
    assert [post(limited, service).status for _ in range(3)] == [201, 201,
                                                                 403]
    created = limit(cloud, 'service', 'hosts', 3)
    assert post(limited, service).status == 201
    cloud.keystone.admin.patch(f'/limits/{created}', json={
        'limit': {'resource_limit': -1}})
    assert [post(limited, service).status for _ in range(2)] == [201, 201]


def test_the_api_cannot_set_limits_that_keystone_keeps(limited, cloud):
    refused = limited.request('PUT', f'/v1/quotas/{cloud.projects["alpha"]}',
                              {'quota': {'hosts': 100}})
    assert refused.status == 409
    assert refused.json['errors'][0]['code'] == 'pileus.quota-kept-elsewhere'
    assert 'Keystone' in refused.json['errors'][0]['detail']
