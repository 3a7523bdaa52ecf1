# SPDX-License-Identifier: Apache-2.0
"""What becomes of Keystone's word on a token; no Keystone is asked.

``tests/functional/keystone`` asks a real one.
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


class Told:
    """Keystone's side: a table of tokens, and who was asked about."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.known: dict[str, Any] = {
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
        self.asked.append(token)
        found = self.known.get(token, auth_token.InvalidToken('unknown'))
        if isinstance(found, Exception):
            raise found
        return found

    def invalidate(self) -> None:
        self.asked.append('invalidated')


class Door:
    """The filter, between Keystone's word and an application."""

    def __init__(self, directory) -> None:
        (directory / 'pileus.conf').write_text('')
        conf = config_files.load(['--config-dir', str(directory)])
        self.app = App()
        self.cache = MemoryCache(10)
        self.filter = KeystoneAuth(self.app, {
            'oslo_config_config': conf, 'delay_auth_decision': True,
            'cache': CACHE_KEY, 'www_authenticate_uri': 'http://keystone/v3'},
            self.cache, 64)
        self.keystone = Told()
        self.filter._identity_server = self.keystone

    def knock(self, token: str | None = None, **headers: str
              ) -> identity.Identity | None:
        """Who the application is told calls."""
        sent = {f'HTTP_{name.upper()}': text
                for name, text in headers.items()}
        if token is not None:
            sent['HTTP_X_AUTH_TOKEN'] = token
        answer(self.filter, environ(**sent))
        return identity.identity(self.app.environ)

    @property
    def why(self) -> str:
        return identity.refusal(self.app.environ).code


@pytest.fixture
def door(tmp_path):
    return Door(tmp_path)


@pytest.mark.parametrize(('sent', 'project_id', 'roles', 'system'), [
    ('member', 'p1', {'member'}, None),
    ('unscoped', None, set(), None),
    ('domain', None, set(), None),
    ('system', None, {'admin'}, 'all')])
def test_a_token_is_a_project_and_roles(door, sent, project_id, roles,
                                        system):
    found = door.knock(sent)
    assert (found.project_id, found.user_id, found.roles,
            found.system_scope) == (project_id, 'u1', roles, system)


@pytest.mark.parametrize('sent', [
    None, '', ' ', 'unknown', 'over', 'two words', 'tab\tbed', 'n\xf6n',
    'x' * 4097])
def test_without_a_good_one_nobody_calls(door, sent):
    assert door.knock(sent) is None
    refused = identity.refusal(door.app.environ)
    assert refused.code == 'unauthenticated'
    assert refused.facts['challenge'] == 'Keystone uri="http://keystone/v3"'


@pytest.mark.parametrize('sent', ['two words', 'n\xf6n', 'x' * 4097, ''])
def test_what_cannot_be_a_token_is_not_asked_about(door, sent):
    """Keystone's server would refuse the request itself, as if it broke."""
    door.knock(sent)
    assert door.keystone.asked == []


def test_what_a_client_says_of_itself_is_not_heard(door):
    """A06."""
    spoofed = {'x_project_id': 'p9', 'x_roles': 'admin', 'x_user_id': 'root',
               'x_identity_status': 'Confirmed', 'x_domain_id': 'd9',
               'openstack_system_scope': 'all', 'x_service_roles': 'service',
               'x_service_identity_status': 'Confirmed',
               'x_is_admin_project': 'True'}
    found = door.knock('unscoped', **spoofed)
    assert (found.project_id, found.user_id, found.roles,
            found.system_scope) == (None, 'u1', frozenset(), None)
    assert door.knock(None, **spoofed) is None


def test_a_service_s_system_scope_is_not_the_user_s(door):
    """keystonemiddleware writes both into the same header."""
    found = door.knock('member', x_service_token='system-service')
    assert (found.project_id, found.system_scope) == ('p1', None)


@pytest.mark.parametrize('service', ['member', 'unknown', 'over'])
def test_a_service_token_that_is_none_spoils_the_request(door, service):
    assert door.knock('member', x_service_token=service) is None
    assert door.why == 'unauthenticated'


def test_a_service_lets_a_token_be_that_ran_out(door):
    assert door.knock('over') is None
    assert door.knock('over', x_service_token='service') is not None
    assert door.knock('over') is None


def test_what_keystone_said_is_remembered(door):
    for _ in range(3):
        assert door.knock('member') is not None
    assert door.keystone.asked == ['member']


def test_a_token_that_is_none_is_asked_about_each_time(door):
    """It may become one: Keystones take a moment to agree."""
    assert door.knock('fresh') is None
    door.keystone.known['fresh'] = door.keystone.known['member']
    assert door.knock('fresh') is not None


def test_a_cache_that_holds_rubbish_is_as_good_as_none(door):
    assert door.knock('member') is not None
    for key in door.cache._tokens:
        door.cache.set(key, b'{rubbish', time=60)
    assert door.knock('member') is not None
    assert door.keystone.asked == ['member', 'member']


@pytest.mark.parametrize('outage', [
    failures.ConnectFailure('x'), failures.ConnectTimeout('x'),
    failures.DiscoveryFailure('x'), failures.EndpointNotFound('x'),
    failures.InternalServerError('x'), failures.Unauthorized('x'),
    auth_token.ServiceError('x'), ValueError('no JSON'), KeyError('token'),
    {}, {'token': {}}, {'token': []}, {'token': None}, None])
def test_keystone_that_cannot_say_is_no_bad_token(door, outage, caplog):
    """A13: and what it said instead is not remembered."""
    door.keystone.known['member'] = outage
    assert door.knock('member') is None
    assert door.why == 'identity-unavailable'
    assert 'Keystone cannot validate a token' in caplog.text
    door.keystone.known = Told().known
    assert door.knock('member') is not None


def test_an_endpoint_that_moved_is_looked_for_again(door):
    door.keystone.known['member'] = failures.EndpointNotFound('x')
    door.knock('member')
    assert door.keystone.asked == ['member', 'invalidated']


def test_keystone_out_of_reach_for_the_service_s_token_is_told_too(door):
    door.keystone.known['service'] = failures.ConnectFailure('x')
    assert door.knock('member', x_service_token='service') is None
    assert door.why == 'identity-unavailable'


def test_no_token_stands_in_a_log(door, caplog):
    """L03."""
    caplog.set_level('DEBUG')
    for sent in ('member', 'unknown-secret', 'two secret words'):
        door.knock(sent, x_service_token='service-secret')
    assert 'secret' not in caplog.text
