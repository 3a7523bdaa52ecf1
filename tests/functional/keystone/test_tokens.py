# SPDX-License-Identifier: Apache-2.0
"""Tokens of a real Keystone, and what they permit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest

from api.routing.router import OPEN
from tests.functional.harness.daemon import Daemon, Reply, config_dir
from tests.functional.harness.policy_matrix import routes
from tests.functional.keystone.conftest import Cloud

#: Persona -> the statuses of: list hosts, list racks, create a host.
MAY = {
    'admin': (200, 200, 201),
    'member': (200, 200, 201),
    'reader': (200, 200, 403),
    'other_member': (200, 200, 201),
    'system_reader': (200, 200, 403),
    'domain_admin': (403, 403, 403),
    'unscoped': (403, 403, 403),
    'expired': (401, 401, 401),
    'garbage': (401, 401, 401),
}


def ask(daemon: Daemon, token: str | None, method: str = 'GET',
        path: str = '/v1/hosts', body: object = None,
        **headers: str) -> Reply:
    sent = {name.replace('_', '-'): value for name, value in headers.items()}
    return daemon.request(method, path, body, {
        **sent, **({} if token is None else {'X-Auth-Token': token})})


def host(serial: str) -> dict[str, object]:
    return {'host': {'name': serial.lower(), 'serial': serial}}


@pytest.mark.parametrize('persona', MAY)
def test_each_kind_of_token_grants_its_permissions(daemon, tokens, persona):
    """A03 A07 A08: a caller without a project owns nothing."""
    token = tokens[persona]
    serial = f'P-{persona.upper().replace("_", "-")}'
    assert MAY[persona] == (
        ask(daemon, token).status,
        ask(daemon, token, path='/v1/racks').status,
        ask(daemon, token, 'POST', body=host(serial)).status)


def test_a_record_belongs_to_the_project_of_the_token(daemon, cloud, tokens):
    created = ask(daemon, tokens['member'], 'POST', body=host('OWNED-1')).json
    path = f'/v1/hosts/{created["host"]["id"]}'
    assert created['host']['project_id'] == cloud.projects['alpha']
    assert ask(daemon, tokens['reader'], path=path).status == 200
    assert ask(daemon, tokens['other_member'], path=path).status == 404
    assert ask(daemon, tokens['admin'], path=path).status == 200


def bad(tokens: Mapping[str, str]) -> Iterator[str | None]:
    yield from (None, '', ' ', tokens['expired'], tokens['garbage'],
                tokens['member'][:-4] + 'AAAA', 'x' * 8000, 'tok\xe9n')


def test_a_missing_or_invalid_token_gets_401_as_an_error_document(
        daemon, cloud, tokens):
    """A07 ERR-9: whatever is wrong with it, and with the place to get a token.
    """
    for token in bad(tokens):
        reply = ask(daemon, token)
        assert reply.status == 401, token
        assert reply.headers.get_all('WWW-Authenticate') == [
            f'Keystone uri="{cloud.keystone.url}"']
        assert reply.json['errors'][0]['code'] == 'pileus.unauthenticated'
        assert reply.json['error']['code'] == 401
        assert reply.headers['OpenStack-API-Version'] == 'pileus 1.0'


def test_a_token_longer_than_a_header_line_gets_431(daemon):
    """A07: 10 KB."""
    assert ask(daemon, 'x' * 10240).status == 431


def test_only_open_routes_answer_a_bad_token(daemon):
    """A07 DISC-1: discovery needs no token, so an invalid one does no harm."""
    for route in routes(daemon.directory):
        path = '/v1' + route.path.replace('{', '').replace('}', '')
        reply = ask(daemon, 'no token', route.method, path,
                    OpenStack_API_Version='pileus latest')
        assert (reply.status == 401) == (route.rule is not OPEN), route
    assert ask(daemon, 'no token', path='/').status == 200


SPOOFED = (b'X-Project-Id: %(beta)s', b'x-project-id: %(beta)s',
           b'X_Project_Id: %(beta)s', b'X-Roles: admin', b'X-ROLES: admin',
           b'X_Roles: admin', b'X-Role: admin', b'X-Tenant-Id: %(beta)s',
           b'X-User-Id: root', b'X-Is-Admin-Project: True',
           b'OpenStack-System-Scope: all', b'X-Service-Roles: admin,service',
           b'X-Identity-Status: Confirmed',
           b'X-Service-Identity-Status: Confirmed',
           b'X-Domain-Id: default', b'X-Service-Project-Id: %(beta)s')


def raw(daemon: Daemon, *lines: bytes) -> tuple[int, dict[str, object]]:
    """Return the status and body of a GET with these header lines, in order.
    """
    with daemon.connect() as sock:
        sock.sendall(b'\r\n'.join((
            b'GET /v1/hosts HTTP/1.1', b'Host: 127.0.0.1',
            b'Connection: close', *lines, b'', b'')))
        head, _, body = b''.join(iter(lambda: sock.recv(65536), b'')
                                 ).partition(b'\r\n\r\n')
    return int(head.split()[1]), json.loads(body)


def test_identity_headers_of_the_client_are_ignored(daemon, cloud, tokens):
    """A06: in any spelling, twice, before and after the token."""
    assert ask(daemon, tokens['other_member'], 'POST',
               body=host('THEIRS-1')).status == 201
    beta = cloud.projects['beta'].encode()
    spoofed = [line.replace(b'%(beta)s', beta) for line in SPOOFED]
    token = b'X-Auth-Token: ' + tokens['reader'].encode()
    honest = raw(daemon, token)
    assert honest[0] == 200
    for sent in (*([line] for line in spoofed), spoofed[:4], spoofed[8:]):
        for lines in ((token, *sent), (*sent, token), (*sent, token, *sent)):
            assert raw(daemon, *lines) == honest, lines
        assert raw(daemon, *sent)[0] == 401


def test_headers_grant_no_system_scope(daemon, tokens):
    """A06: a token without a project grants nothing."""
    for sent in ({'OpenStack_System_Scope': 'all', 'X_Roles': 'admin'},
                 {'X_Project_Id': 'mine', 'X_Roles': 'admin'},
                 {'X_Is_Admin_Project': 'True'}):
        assert ask(daemon, tokens['unscoped'], **sent).status == 403


@pytest.mark.parametrize(('service', 'status'), [
    ('service', 200), ('member', 401), ('garbage', 401), ('expired', 401)])
def test_a_service_token_needs_a_service_role(daemon, tokens, service, status):
    """A07: next to a valid token of the user."""
    reply = ask(daemon, tokens['member'],
                X_Service_Token=tokens[service])
    assert reply.status == status


def test_a_service_token_makes_an_expired_user_token_valid(daemon, tokens):
    """Long operations of another service outlast the token of their user."""
    sent = {'X_Service_Token': tokens['service']}
    assert ask(daemon, tokens['expired'], **sent).status == 200
    assert ask(daemon, tokens['expired']).status == 401


def test_a_cached_result_does_not_affect_other_tokens(daemon, tokens):
    for _ in range(3):
        assert ask(daemon, tokens['member']).status == 200
        assert ask(daemon, tokens['garbage']).status == 401


def credential(cloud: Cloud, name: str, **more: object) -> str:
    """Return a token of a new application credential of the user mary."""
    session = cloud.keystone.session('mary', 'alpha')
    created = session.post(
        f'{cloud.keystone.url}/users/{cloud.users["mary"]}'
        f'/application_credentials',
        json={'application_credential': {'name': name, **more}}
    ).json()['application_credential']
    session.session.close()
    reply = cloud.keystone.admin.post('/auth/tokens', authenticated=False,
                                      json={'auth': {'identity': {
         'methods': ['application_credential'],
         'application_credential': {'id': created['id'],
                                    'secret': created['secret']}}}})
    return reply.headers['X-Subject-Token']


def test_an_application_credential_acts_as_its_user(daemon, cloud):
    token = credential(cloud, 'all')
    created = ask(daemon, token, 'POST', body=host('APPCRED-1'))
    assert created.status == 201
    assert created.json['host']['project_id'] == cloud.projects['alpha']


def test_access_rules_restrict_an_application_credential(daemon, cloud):
    """A07: access rules name the service type of Pileus."""
    token = credential(cloud, 'list', access_rules=[
        {'service': 'pileus', 'method': 'GET', 'path': '/v1/hosts'}])
    assert ask(daemon, token).status == 200
    assert ask(daemon, token, path='/v1/racks').status == 401
    assert ask(daemon, token, 'POST', body=host('APPCRED-2')).status == 401


def revoke(cloud: Cloud, token: str) -> None:
    cloud.keystone.admin.delete('/auth/tokens',
                                headers={'X-Subject-Token': token})


def test_a_revoked_token_is_refused_at_once_without_a_cache(cloud, tmp_path):
    """A07."""
    conf = cloud.conf()
    conf['keystone_authtoken']['token_cache_time'] = -1
    token = cloud.keystone.token('mary', 'alpha')
    with Daemon(config_dir(tmp_path, conf=conf)) as daemon:
        assert ask(daemon, token).status == 200
        revoke(cloud, token)
        assert ask(daemon, token).status == 401


def test_a_revoked_token_is_refused_after_the_cache_time(cloud, tmp_path):
    """A07: the time limit of the test applies."""
    conf = cloud.conf()
    conf['keystone_authtoken']['token_cache_time'] = 1
    token = cloud.keystone.token('mary', 'alpha')
    with Daemon(config_dir(tmp_path, conf=conf)) as daemon:
        assert ask(daemon, token).status == 200
        revoke(cloud, token)
        while ask(daemon, token).status == 200:
            pass
        assert ask(daemon, token).status == 401
