# SPDX-License-Identifier: Apache-2.0
"""The keystone filter, with a fake Keystone.

``tests/functional/keystone`` uses a real one.
"""

from __future__ import annotations

from typing import Any

import pytest
from keystoneauth1 import exceptions as failures
from keystonemiddleware import auth_token

from api import identity
from api.middleware.keystone import CACHE_KEY, KeystoneAuth
from api.middleware.token_cache import MemoryCache
from service.config import files as config_files
from tests.unit.api.calling import App, answer, environ


def token(*roles: str, expires: str = '2999-01-01T00:00:00.000000Z',
          **scope: Any) -> dict[str, Any]:
    return {'token': {
        'methods': ['password'], 'expires_at': expires,
        'issued_at': '2026-01-01T00:00:00.000000Z', 'audit_ids': ['a'],
        'user': {'id': 'u1', 'name': 'mary',
                 'domain': {'id': 'default', 'name': 'Default'}},
        'roles': [{'id': role, 'name': role} for role in roles], **scope}}


def project(id: str) -> dict[str, Any]:
    return {'id': id, 'name': id, 'is_domain': False,
            'domain': {'id': 'default', 'name': 'Default'}}


class FakeKeystone:
    """A table of tokens that records which of them were validated."""

    def __init__(self) -> None:
        self.validated: list[str] = []
        self.tokens: dict[str, Any] = {
            'member': token('Member', project=project('p1')),
            'unscoped': token(),
            'domain': token('admin', domain={'id': 'd1', 'name': 'D'}),
            'system': token('admin', system={'all': True}),
            'service': token('service', project=project('svc')),
            'system-service': token('service', system={'all': True}),
            'over': token('member', project=project('p1'),
                          expires='2020-01-01T00:00:00.000000Z'),
        }

    def verify_token(self, token: str, allow_expired: bool = False) -> Any:
        self.validated.append(token)
        data = self.tokens.get(token, auth_token.InvalidToken('unknown'))
        if isinstance(data, Exception):
            raise data
        return data

    def invalidate(self) -> None:
        self.validated.append('invalidated')


class Client:
    """A client of the filter, between a fake Keystone and an application."""

    def __init__(self, directory) -> None:
        (directory / 'pileus.conf').write_text('')
        conf = config_files.load(['--config-dir', str(directory)])
        self.app = App()
        self.cache = MemoryCache(10)
        self.filter = KeystoneAuth(self.app, {
            'oslo_config_config': conf, 'delay_auth_decision': True,
            'cache': CACHE_KEY, 'www_authenticate_uri': 'http://keystone/v3'},
                                   self.cache, 64)
        self.keystone = FakeKeystone()
        self.filter._identity_server = self.keystone

    def authenticate(self, token: str | None = None, **headers: str
                     ) -> identity.Identity | None:
        """Send a token; return the identity that the application receives."""
        sent = {f'HTTP_{name.upper()}': value
                for name, value in headers.items()}
        if token is not None:
            sent['HTTP_X_AUTH_TOKEN'] = token
        answer(self.filter, environ(**sent))
        return identity.identity(self.app.environ)

    @property
    def error_code(self) -> str:
        return identity.refusal(self.app.environ).code


@pytest.fixture
def client(tmp_path):
    return Client(tmp_path)


@pytest.mark.parametrize(('token', 'project_id', 'roles', 'system'), [
    ('member', 'p1', {'member'}, None),
    ('unscoped', None, set(), None),
    ('domain', None, set(), None),
    ('system', None, {'admin'}, 'all')])
def test_a_token_gives_project_roles_and_system_scope(
        client, token, project_id, roles, system):
    caller = client.authenticate(token)
    assert (caller.project_id, caller.user_id, caller.roles,
            caller.system_scope) == (project_id, 'u1', roles, system)


@pytest.mark.parametrize('token', [
    None, '', ' ', 'unknown', 'over', 'two words', 'tab\tbed', 'n\xf6n',
    'x' * 4097])
def test_a_missing_or_invalid_token_is_refused(client, token):
    assert client.authenticate(token) is None
    refusal = identity.refusal(client.app.environ)
    assert refusal.code == 'unauthenticated'
    assert refusal.facts['challenge'] == 'Keystone uri="http://keystone/v3"'


@pytest.mark.parametrize('token', ['two words', 'n\xf6n', 'x' * 4097, ''])
def test_a_malformed_token_is_refused_without_asking_keystone(client, token):
    """Keystone's web server would refuse the request as if it had failed."""
    client.authenticate(token)
    assert client.keystone.validated == []


def test_identity_headers_of_the_client_are_ignored(client):
    """A06."""
    spoofed = {'x_project_id': 'p9', 'x_roles': 'admin', 'x_user_id': 'root',
               'x_identity_status': 'Confirmed', 'x_domain_id': 'd9',
               'openstack_system_scope': 'all', 'x_service_roles': 'service',
               'x_service_identity_status': 'Confirmed',
               'x_is_admin_project': 'True'}
    caller = client.authenticate('unscoped', **spoofed)
    assert (caller.project_id, caller.user_id, caller.roles,
            caller.system_scope) == (None, 'u1', frozenset(), None)
    assert client.authenticate(None, **spoofed) is None


def test_the_system_scope_of_a_service_token_is_not_the_users(client):
    """keystonemiddleware writes both to the same header."""
    caller = client.authenticate('member', x_service_token='system-service')
    assert (caller.project_id, caller.system_scope) == ('p1', None)


@pytest.mark.parametrize('service', ['member', 'unknown', 'over'])
def test_an_invalid_service_token_is_refused(client, service):
    assert client.authenticate('member', x_service_token=service) is None
    assert client.error_code == 'unauthenticated'


def test_a_service_token_makes_an_expired_user_token_valid(client):
    assert client.authenticate('over') is None
    assert client.authenticate('over', x_service_token='service') is not None
    assert client.authenticate('over') is None


def test_a_valid_token_is_cached(client):
    for _ in range(3):
        assert client.authenticate('member') is not None
    assert client.keystone.validated == ['member']


def test_an_invalid_token_is_validated_each_time(client):
    """The token may become valid: several Keystones need a moment to agree.
    """
    assert client.authenticate('fresh') is None
    client.keystone.tokens['fresh'] = client.keystone.tokens['member']
    assert client.authenticate('fresh') is not None


def test_an_undecodable_cache_entry_is_ignored(client):
    assert client.authenticate('member') is not None
    for key in client.cache._tokens:
        client.cache.set(key, b'{rubbish', time=60)
    assert client.authenticate('member') is not None
    assert client.keystone.validated == ['member', 'member']


@pytest.mark.parametrize('outage', [
    failures.ConnectFailure('x'), failures.ConnectTimeout('x'),
    failures.DiscoveryFailure('x'), failures.EndpointNotFound('x'),
    failures.InternalServerError('x'), failures.Unauthorized('x'),
    auth_token.ServiceError('x'), ValueError('no JSON'), KeyError('token'),
    {}, {'token': {}}, {'token': []}, {'token': None}, None])
def test_an_outage_of_keystone_is_503_and_not_cached(client, outage, caplog):
    """A13."""
    client.keystone.tokens['member'] = outage
    assert client.authenticate('member') is None
    assert client.error_code == 'identity-unavailable'
    assert 'Keystone cannot validate a token' in caplog.text
    client.keystone.tokens = FakeKeystone().tokens
    assert client.authenticate('member') is not None


def test_a_missing_endpoint_is_discovered_again(client):
    client.keystone.tokens['member'] = failures.EndpointNotFound('x')
    client.authenticate('member')
    assert client.keystone.validated == ['member', 'invalidated']


def test_an_outage_while_validating_a_service_token_is_503(client):
    client.keystone.tokens['service'] = failures.ConnectFailure('x')
    assert client.authenticate('member', x_service_token='service') is None
    assert client.error_code == 'identity-unavailable'


def test_no_token_is_logged(client, caplog):
    """L03."""
    caplog.set_level('DEBUG')
    for token in ('member', 'unknown-secret', 'two secret words'):
        client.authenticate(token, x_service_token='service-secret')
    assert 'secret' not in caplog.text
