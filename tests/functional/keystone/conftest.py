# SPDX-License-Identifier: Apache-2.0
"""A real Keystone and a Pileus that uses it, shared by these tests.

``tokens`` has a token of each kind of caller: ``admin``, ``manager``,
``member``, ``reader`` and ``guest`` (a role without rules) of the project
alpha, ``other_member``, ``other_reader`` and ``other_admin`` of beta,
``system_reader``, ``system_admin``, ``domain_admin``, ``domain_reader`` and
``unscoped``; and two invalid tokens, ``expired`` and ``garbage``. ``daemon``
is ``pileus-api`` with ``auth_strategy = keystone``.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.functional.harness.daemon import Daemon, config_dir
from tests.functional.keystone.identity import PASSWORD, Keystone

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.keystone)
            # The first test waits until Keystone is set up.
            item.add_marker(pytest.mark.timeout(300))


class Cloud:
    """The Keystone, and the ids of its projects, users and service."""

    def __init__(self, keystone: Keystone) -> None:
        self.keystone = keystone
        self.projects = {
            name: keystone.create('project', '/projects', name=name)['id']
            for name in ('alpha', 'beta', 'service')}
        alpha, beta, service = (f'projects/{project_id}'
                                for project_id in self.projects.values())
        keystone.create('role', '/roles', name='guest')
        self.users = {name: keystone.user(name, roles)
                      for name, roles in {
            'alice': {alpha: 'admin'},
            'max': {alpha: 'manager'},
            'mary': {alpha: 'member'},
            'rita': {alpha: 'reader'},
            'gus': {alpha: 'guest'},
            'otto': {beta: 'member'},
            'ruth': {beta: 'reader'},
            'olga': {beta: 'admin'},
            'sam': {'system': 'reader'},
            'sue': {'system': 'admin'},
            'dora': {'domains/default': 'admin'},
            'dirk': {'domains/default': 'reader'},
            'nick': {},
            'pileus': {service: 'service'},
        }.items()}
        self.service: str = keystone.create(
            'service', '/services', type='pileus', name='pileus')['id']

    @contextlib.contextmanager
    def catalogued(self, url: str,
                   region: str = 'RegionOne') -> Iterator[None]:
        """Put Pileus into the catalogue of all tokens with this URL."""
        created = self.keystone.create(
            'endpoint', '/endpoints', interface='public', region=region,
            service_id=self.service, url=f'{url}/v1')
        yield
        self.keystone.admin.delete(f'/endpoints/{created["id"]}')

    def conf(self) -> dict[str, dict[str, object]]:
        """Return the options of a Pileus that uses this Keystone."""
        return {'api': {'auth_strategy': 'keystone'},
                'keystone_authtoken': {
                    'auth_type': 'password', 'auth_url': self.keystone.url,
                    'username': 'pileus', 'password': PASSWORD,
                    'user_domain_id': 'default', 'project_name': 'service',
                    'project_domain_id': 'default',
                    # A busy machine is no outage.
                    'http_connect_timeout': 60}}


@pytest.fixture(scope='session')
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    if importlib.util.find_spec('keystone') is None:
        pytest.skip('keystone is not installed; tox -e functional-keystone '
                    'has it')
    with Keystone(tmp_path_factory.mktemp('identity')) as running:
        yield Cloud(running)
        running.admin.session.session.close()


@pytest.fixture(scope='session')
def keystone(cloud: Cloud) -> Keystone:
    return cloud.keystone


@pytest.fixture(scope='session')
def tokens(cloud: Cloud) -> Mapping[str, str]:
    """A token of each persona."""
    ask = cloud.keystone.token
    return {
        'admin': ask('alice', 'alpha'),
        'manager': ask('max', 'alpha'),
        'member': ask('mary', 'alpha'),
        'reader': ask('rita', 'alpha'),
        'guest': ask('gus', 'alpha'),
        'other_member': ask('otto', 'beta'),
        'other_reader': ask('ruth', 'beta'),
        'other_admin': ask('olga', 'beta'),
        'system_reader': ask('sam', system_scope='all'),
        'system_admin': ask('sue', system_scope='all'),
        'domain_admin': ask('dora', domain_id='default'),
        'domain_reader': ask('dirk', domain_id='default'),
        'unscoped': ask('nick', unscoped=True),
        'service': ask('pileus', 'service'),
        'expired': cloud.keystone.expired(cloud.users['mary'],
                                          cloud.projects['alpha']),
        'garbage': 'gAAAAABnonsense-that-no-key-has-signed',
    }


@pytest.fixture(scope='module')
def daemon(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory
           ) -> Iterator[Daemon]:
    """``pileus-api`` with the shipped types and this Keystone."""
    directory = config_dir(tmp_path_factory.mktemp('daemon'),
                           conf=cloud.conf())
    with Daemon(directory) as running, cloud.catalogued(running.url):
        yield running
