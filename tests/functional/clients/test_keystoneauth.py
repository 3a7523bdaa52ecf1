# SPDX-License-Identifier: Apache-2.0
"""The released keystoneauth discovers the service and sends requests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from keystoneauth1 import adapter, discover, exceptions, noauth, session

from tests.functional.harness.daemon import Daemon


@pytest.fixture
def client(daemon: Daemon) -> Iterator[session.Session]:
    """A session with an endpoint and without a token."""
    opened = session.Session(auth=noauth.NoAuth(endpoint=daemon.url))
    yield opened
    opened.session.close()


@pytest.fixture
def service(client: session.Session, daemon: Daemon) -> adapter.Adapter:
    return adapter.Adapter(client, service_type='pileus',
                           endpoint_override=f'{daemon.url}/v1')


def test_it_reads_the_versions_document(client, daemon):
    """DISC-1, DISC-2, DISC-3: without a token."""
    versions = discover.Discover(client, daemon.url, authenticated=False)
    (version,) = versions.version_data()
    assert version['version'] == (1, 0)
    assert version['url'] == f'{daemon.url}/v1/'
    assert version['collection'] == f'{daemon.url}/'
    assert version['min_microversion'] == (1, 0)
    assert version['max_microversion'] == (1, 2)
    assert version['raw_status'] == 'CURRENT'


@pytest.mark.parametrize('path', ['', '/', '/v1', '/v1/'])
def test_it_discovers_version_1_from_each_endpoint(client, daemon, path):
    """DISC-6, DISC-9, DISC-11: the catalogue may name the root or /v1."""
    data = client.auth.get_endpoint_data(
        client, endpoint_override=daemon.url + path, min_version='1',
        max_version='1.latest', discover_versions=True)
    assert data.url == f'{daemon.url}/v1/'
    assert data.api_version == (1, 0)
    assert data.max_microversion == (1, 2)


def test_it_finds_no_version_that_does_not_exist(client, daemon):
    versions = discover.Discover(client, daemon.url, authenticated=False)
    assert versions.url_for('2') is None


def test_it_negotiates_a_microversion(service):
    """MV-3, MV-4, MV-13: with the service type in the standard header."""
    data = service.get_endpoint_data()
    assert discover.version_between(data.min_microversion,
                                    data.max_microversion, '1.1')
    for requested, executed in (('1.1', '1.1'), ('latest', '1.2')):
        reply = service.get('/hosts', microversion=requested)
        assert reply.headers['OpenStack-API-Version'] == f'pileus {executed}'


def test_a_version_out_of_range_raises_an_error_with_the_range(service):
    with pytest.raises(exceptions.NotAcceptable) as caught:
        service.get('/hosts', microversion='1.99')
    assert 'Version 1.99 is not supported. The range is 1.0 to 1.2.' in str(
        caught.value)


def test_an_error_has_the_detail_and_the_request_id(service):
    """ERR-1: keystoneauth shows the first item of errors."""
    with pytest.raises(exceptions.NotFound) as caught:
        service.get('/hosts/none')
    assert 'No host has the id none.' in caught.value.message
    assert caught.value.request_id.startswith('req-')


def test_a_conflict_raises_an_error_with_the_detail(service):
    created = service.post('/racks', json={'rack': {'name': 'r1'}})
    assert created.status_code == 201
    with pytest.raises(exceptions.Conflict) as caught:
        service.post('/racks', json={'rack': {'name': 'r1'}})
    assert 'Another rack has the same name: ' in caught.value.message
