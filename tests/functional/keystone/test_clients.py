# SPDX-License-Identifier: Apache-2.0
"""OpenStack clients find Pileus by a password and the catalogue."""

from __future__ import annotations

from collections.abc import Iterator

import openstack
import pytest
from keystoneauth1 import adapter, exceptions
from openstack import warnings as sdk_warnings

from tests.functional.harness.daemon import Daemon
from tests.functional.keystone.conftest import Cloud
from tests.functional.keystone.identity import PASSWORD

# The SDK warns of its own metrics library.
pytestmark = pytest.mark.filterwarnings(
    f'ignore::{sdk_warnings.__name__}.'
    f'{sdk_warnings.RemovedInSDK60Warning.__name__}')


@pytest.fixture
def service(cloud: Cloud, daemon: Daemon) -> Iterator[adapter.Adapter]:
    """A keystoneauth client that knows only the URL of Keystone."""
    opened = cloud.keystone.session('mary', 'alpha')
    yield adapter.Adapter(opened, service_type='pileus', interface='public',
                          region_name='RegionOne')
    opened.session.close()


def test_keystoneauth_finds_the_service_by_the_catalogue(service, daemon):
    """DISC-6 DISC-9: from the endpoint in the catalogue to /v1."""
    data = service.get_endpoint_data()
    assert data.url == f'{daemon.url}/v1/'
    assert data.max_microversion is not None


def test_keystoneauth_reads_and_writes(service):
    created = service.post('/hosts', json={
        'host': {'name': 'by-ksa', 'serial': 'BY-KSA'}}).json()['host']
    assert service.get(f'/hosts/{created["id"]}').json()['host'] == created
    assert service.delete(f'/hosts/{created["id"]}').status_code == 204
    with pytest.raises(exceptions.NotFound):
        service.get(f'/hosts/{created["id"]}')


def test_keystoneauth_gets_a_new_token_after_a_401(service, cloud, daemon):
    """A token that is revoked while in use causes no error."""
    first = service.get_token()
    cloud.keystone.admin.delete('/auth/tokens',
                                headers={'X-Subject-Token': first})
    assert service.get('/hosts').status_code == 200
    assert service.get_token() != first


def test_keystoneauth_reports_a_refusal_with_the_request_id(service):
    with pytest.raises(exceptions.Forbidden) as caught:
        service.post('/racks', json={'rack': {'name': 'r1'}})
    assert caught.value.request_id.startswith('req-')


def test_openstacksdk_logs_in_and_lists_records(cloud, daemon):
    """INT-1: with the usual settings of a cloud and no endpoint."""
    cloud_of_mary = openstack.connect(
        load_yaml_config=False, load_envvars=False, region_name='RegionOne',
        auth={'auth_url': cloud.keystone.url, 'username': 'mary',
              'password': PASSWORD, 'project_name': 'alpha',
              'user_domain_id': 'default', 'project_domain_id': 'default'})
    try:
        client = adapter.Adapter(cloud_of_mary.session,
                                 service_type='pileus', interface='public')
        assert client.get('/hosts').json()['hosts'] == []
        assert (cloud_of_mary.current_project_id
                == cloud.projects['alpha'])
    finally:
        cloud_of_mary.close()
