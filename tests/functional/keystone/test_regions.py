# SPDX-License-Identifier: Apache-2.0
"""A cloud of several regions, with a shared Keystone or one for each."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.functional.harness.daemon import Daemon, config_dir
from tests.functional.keystone.conftest import Cloud
from tests.functional.keystone.test_outage import is_told_to_come_back
from tests.functional.keystone.test_tokens import ask, credential, host

HERE, ELSEWHERE = 'RegionOne', 'RegionTwo'


@pytest.fixture(scope='module')
def other(cloud: Cloud) -> Iterator[None]:
    """A second region, whose Keystone endpoint is unreachable."""
    keystone = cloud.keystone
    keystone.create('region', '/regions', id=ELSEWHERE)
    [identity] = keystone.admin.get('/services?type=identity').json()[
        'services']
    created = [keystone.create(
        'endpoint', '/endpoints', interface=kind, region=ELSEWHERE,
        service_id=identity['id'], url='http://127.0.0.1:1/v3')
               for kind in ('public', 'internal', 'admin')]
    yield
    for endpoint in created:
        keystone.admin.delete(f'/endpoints/{endpoint["id"]}')


@contextlib.contextmanager
def serving(cloud: Cloud, tmp_path, **options: object) -> Iterator[Daemon]:
    conf = cloud.conf()
    conf['keystone_authtoken'] |= {'region_name': HERE, **options}
    with Daemon(config_dir(tmp_path, conf=conf)) as daemon:
        yield daemon


def test_a_token_is_valid_in_every_region_of_its_keystone(
        cloud, other, tokens, tmp_path):
    """A07: the catalogue tells clients where to go, and grants nothing.

    Here it has Pileus in another region only.
    """
    with (serving(cloud, tmp_path) as daemon,
          cloud.catalogued('http://elsewhere.example.org', ELSEWHERE)):
        token = cloud.keystone.token('mary', 'alpha')
        assert ask(daemon, token).status == 200
        assert ask(daemon, token, 'POST', body=host('REGION-1')).status == 201
        ruled = credential(cloud, 'elsewhere', access_rules=[
            {'service': 'pileus', 'method': 'GET', 'path': '/v1/hosts'}])
        assert ask(daemon, ruled).status == 200
        assert ask(daemon, ruled, path='/v1/racks').status == 401


def test_a_token_of_another_keystone_is_refused(cloud, tmp_path):
    """A07: each Keystone has keys of its own."""
    token = cloud.keystone.foreign(cloud.users['mary'],
                                   cloud.projects['alpha'])
    with serving(cloud, tmp_path) as daemon:
        assert ask(daemon, token).status == 401


@pytest.mark.parametrize('region', [ELSEWHERE, 'Nowhere'])
def test_a_region_without_a_reachable_keystone_gives_503(
        cloud, other, tokens, tmp_path, region):
    """A07: the token is not at fault."""
    with serving(cloud, tmp_path, region_name=region) as daemon:
        assert is_told_to_come_back(ask(daemon, tokens['member']))
        assert 'Keystone cannot validate a token' in daemon.output


@pytest.mark.parametrize(('catalogue', 'status'), [(True, 200), (False, 401)])
def test_access_rules_need_the_catalogue(cloud, tmp_path, catalogue, status):
    """A07: without it, no access rule can match Pileus.

    Tokens without access rules are valid.
    """
    token = credential(cloud, f'catalogue-{catalogue}', access_rules=[
        {'service': 'pileus', 'method': 'GET', 'path': '/v1/hosts'}])
    with (serving(cloud, tmp_path, include_service_catalog=catalogue)
          as daemon, cloud.catalogued(daemon.url)):
        assert ask(daemon, token).status == status
        plain = cloud.keystone.token('mary', 'alpha')
        assert ask(daemon, plain).status == 200
