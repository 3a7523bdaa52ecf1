# SPDX-License-Identifier: Apache-2.0
"""The released openstacksdk: a Resource and a Proxy are a complete client."""

from __future__ import annotations

from collections.abc import Iterator

import openstack
import pytest
from openstack import exceptions, proxy, resource, service_description
from openstack import warnings as sdk_warnings
from openstack.common import tag

from tests.functional.harness.daemon import Daemon

# The SDK warns about its own deprecated method and its metrics library.
pytestmark = [pytest.mark.filterwarnings(f'ignore::{warning.__module__}.'
                                         f'{warning.__name__}')
              for warning in (sdk_warnings.RemovedInSDK50Warning,
                              sdk_warnings.RemovedInSDK60Warning)]


class Host(resource.Resource, tag.TagMixin):
    """The code that an application needs to use ``/v1/hosts``."""

    base_path = '/hosts'
    resource_key = 'host'
    resources_key = 'hosts'
    allow_create = allow_fetch = allow_commit = True
    allow_delete = allow_list = True
    commit_method = 'PATCH'
    _query_mapping = resource.QueryParameters(
        'name', 'serial', 'status', 'sort', 'fields',
        **tag.TagMixin._tag_query_parameters)

    name = resource.Body('name')
    serial = resource.Body('serial')
    status = resource.Body('status')
    memory_mb = resource.Body('memory_mb', type=int)
    bmc_url = resource.Body('bmc_url')
    generation = resource.Body('generation', type=int)


class NewerHost(Host):
    _max_microversion = '1.1'


@pytest.fixture
def cloud(daemon: Daemon) -> Iterator[proxy.Proxy]:
    """The proxy of a clouds.yaml with ``auth_type: none``."""
    with openstack.connect(
            auth_type='none', auth={'endpoint': daemon.url},
            pileus_endpoint_override=f'{daemon.url}/v1',
            pileus_api_version='1', load_yaml_config=False,
            load_envvars=False) as connection:
        connection.add_service(service_description.ServiceDescription(
            'pileus', supported_versions={'1': proxy.Proxy}))
        yield connection.pileus


@pytest.fixture
def host(cloud: proxy.Proxy) -> Iterator[Host]:
    created = cloud._create(Host, name='web-1', serial='CZ-0001')
    yield created
    cloud._delete(Host, created)


def test_a_record_is_created_read_changed_and_deleted(cloud):
    created = cloud._create(Host, name='web-2', serial='CZ-0002',
                            memory_mb=512)
    assert (created.status, created.generation) == ('provisioning', 1)
    fetched = cloud._get(Host, created.id)
    assert fetched.memory_mb == 512
    changed = cloud._update(Host, fetched, status='active')
    assert (changed.status, changed.memory_mb) == ('active', 512)
    cloud._delete(Host, changed)
    with pytest.raises(exceptions.NotFoundException):
        cloud._get(Host, created.id)


def test_a_record_is_found_by_its_name(cloud, host):
    assert cloud._find(Host, 'web-1').id == host.id
    assert cloud._find(Host, 'web-none') is None
    assert cloud._find(Host, host.id).name == 'web-1'


def test_a_list_is_filtered_by_the_service(cloud, host):
    assert [each.id for each in cloud._list(Host, serial='CZ-0001')] == [
        host.id]
    assert list(cloud._list(Host, serial='CZ-9999')) == []


def test_a_list_of_several_pages_is_read_to_its_end(cloud):
    """PAGE-2, PAGE-4: 1203 racks, at most 1000 in a reply."""
    for first in range(0, 1203, 401):
        created = cloud.post('/racks', json={'racks': [
            {'name': f'r{first + number}'} for number in range(401)]})
        assert created.status_code == 201

    class Rack(resource.Resource):
        base_path = '/racks'
        resources_key = 'racks'
        allow_list = True
        name = resource.Body('name')

    for query in ({}, {'limit': 500}):
        names = [rack.name for rack in cloud._list(Rack, **query)]
        assert sorted(names) == sorted(f'r{number}'
                                       for number in range(1203))


def test_an_error_has_the_detail_of_the_service(cloud, host):
    """For a conflict, an invalid value and a failed precondition."""
    with pytest.raises(exceptions.ConflictException) as caught:
        cloud._create(Host, name='web-3', serial='CZ-0001')
    assert 'Another host has the same serial: ' in str(caught.value)
    with pytest.raises(exceptions.BadRequestException) as caught:
        cloud._create(Host, name='web-3', serial='small')
    assert 'serial' in str(caught.value)
    with pytest.raises(exceptions.PreconditionFailedException) as caught:
        resource.exceptions.raise_from_response(cloud.patch(
            f'/hosts/{host.id}', json={'host': {'status': 'active'}},
            headers={'If-Match': '"0-0-0"'}))
    assert 'was changed since it was read' in str(caught.value)


def test_a_newer_client_negotiates_its_own_version(cloud, host):
    """MV-3: the SDK requests the newest version that both sides have."""
    with pytest.raises(exceptions.BadRequestException):
        cloud._update(Host, host, bmc_url='https://bmc.example.org/')
    newer = cloud._update(NewerHost, host.id,
                          bmc_url='https://bmc.example.org/')
    assert newer.microversion == '1.1'
    assert newer.bmc_url == 'https://bmc.example.org/'


def test_the_tag_mixin_works(cloud, host):
    """TAG-3, TAG-5, TAG-6: each call of openstack.common.tag."""
    host.set_tags(cloud, ['blue', 'new'])
    assert host.fetch_tags(cloud).tags == ['blue', 'new']
    assert host.check_tag(cloud, 'blue')
    with pytest.raises(exceptions.NotFoundException):
        host.check_tag(cloud, 'red')
    host.add_tag(cloud, 'red')
    host.remove_tag(cloud, 'new')
    assert sorted(host.fetch_tags(cloud).tags) == ['blue', 'red']
    assert [each.id for each in cloud._list(Host, tags='blue,red')] == [
        host.id]
    assert list(cloud._list(Host, not_any_tags='red')) == []
    host.remove_all_tags(cloud)
    assert host.fetch_tags(cloud).tags == []
