# SPDX-License-Identifier: Apache-2.0
"""noauth: which clients are served, and as whom."""

import ipaddress
import json

import pytest
from oslo_context.context import get_current

from api import identity
from api.identity import Identity
from api.middleware import proxy
from api.middleware.noauth import NoAuth
from api.policy.enforcement import Policy
from api.request import urls
from tests.unit import stored
from tests.unit.api.calling import App, answer, environ


def ask(allow_remote=False, **extra):
    app = App()
    reply = answer(NoAuth(app, 'pileus', allow_remote=allow_remote),
                   environ(**extra))
    return reply, identity.identity(app.environ)


@pytest.mark.parametrize('address', [
    '127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1', ''])
def test_a_client_on_this_machine_is_served(address):
    assert ask(REMOTE_ADDR=address)[0].status == 200


@pytest.mark.parametrize('address', [
    '192.0.2.1', '10.0.0.1', '::', '::2', '::ffff:192.0.2.1', '0.0.0.0',
    'fe80::1', 'localhost', 'nonsense', '127.0.0.1.example.org', '2130706433',
    '0177.0.0.1'])
def test_a_client_on_another_machine_is_refused(address):
    reply, caller = ask(REMOTE_ADDR=address)
    assert (reply.status, caller) == (403, None)
    assert json.loads(reply.body)['errors'][0]['code'] == 'pileus.not-local'


@pytest.mark.parametrize('host', [
    '127.0.0.1', '127.0.0.1:8088', 'localhost', 'localhost:8088',
    'LOCALHOST:80', '[::1]', '[::1]:8088', '[::ffff:127.0.0.1]:8088',
    '127.1.2.3:1', ''])
def test_a_host_header_of_this_machine_is_served(host):
    assert ask(HTTP_HOST=host)[0].status == 200


@pytest.mark.parametrize('host', [
    'evil.example.org', 'evil.example.org:8088', '192.0.2.1:8088',
    'localhost.example.org', '127.0.0.1.example.org', 'localhost.',
    '[::2]:8088', '::1', 'localhost@evil.example.org', 'evil:localhost',
    '127.0.0.1, evil.example.org', '[evil]:80', '0.0.0.0', '2130706433'])
def test_any_other_host_header_is_refused(host):
    """After DNS rebinding, a browser sends the foreign name."""
    assert ask(HTTP_HOST=host)[0].status == 403


def test_insecure_noauth_bind_allows_every_client():
    reply, _ = ask(allow_remote=True, REMOTE_ADDR='192.0.2.1',
                   HTTP_HOST='evil.example.org')
    assert reply.status == 200


@pytest.mark.parametrize(('headers', 'expected'), [
    ({}, ('demo', 'demo', {'admin', 'member', 'reader'})),
    ({'HTTP_X_ROLES': 'Reader , other'}, ('demo', 'demo',
                                          {'reader', 'other'})),
    ({'HTTP_X_ROLES': ''}, ('demo', 'demo', set())),
    ({'HTTP_X_PROJECT_ID': 'ours', 'HTTP_X_USER_ID': 'ada'},
     ('ours', 'ada', {'admin', 'member', 'reader'})),
    ({'HTTP_X_PROJECT_ID': ''}, (None, 'demo',
                                 {'admin', 'member', 'reader'}))])
def test_headers_set_the_identity(headers, expected):
    _, caller = ask(**headers, **{'openstack.request_id': 'req-1'})
    project_id, user_id, roles = expected
    assert caller == Identity(project_id, user_id, frozenset(roles), 'req-1')


@pytest.mark.parametrize('header', [
    'p' * 65, 'p' * 9000, 'a\tb', 'a\x7f', 'a\xc2\x85', '\xe9', ' ',
    '\xe2\x80\xa8', 'a '])
def test_an_invalid_project_id_is_refused(header):
    """Routes that are not open answer 400."""
    app = App()
    answer(NoAuth(app, 'pileus', allow_remote=True),
           environ(HTTP_X_PROJECT_ID=header))
    assert identity.identity(app.environ) is None
    [violation] = identity.refusal(app.environ).violations
    assert violation.parameter == 'X-Project-Id'
    assert '1 to 64 printable characters' in violation.detail


def test_a_project_id_is_decoded_as_utf_8():
    """Bodies and URLs do so too, so that all of them name the same project."""
    header = 'b\u00fcro \u65e5\u672c'.encode().decode('latin-1')
    assert ask(HTTP_X_PROJECT_ID=header)[1].project_id == (
        'b\u00fcro \u65e5\u672c')
    assert ask(HTTP_X_PROJECT_ID='p' * 64)[1].project_id == 'p' * 64


def test_only_an_administrator_acts_in_every_project(tmp_path):
    rules = Policy(stored.conf(tmp_path), stored.catalogue())
    admin = Identity('demo', 'root', frozenset({'admin'}), 'req-1')
    member = Identity('demo', 'ada', frozenset({'member'}), 'req-2')
    assert admin.caller(rules).any_project
    assert not member.caller(rules).any_project
    assert not admin.caller(None).any_project
    assert member.caller(rules).owner == 'demo'


@pytest.mark.parametrize('headers', [
    {'HTTP_X_FORWARDED_FOR': '192.0.2.1'},
    {'HTTP_X_FORWARDED_FOR': '192.0.2.1:5000'},
    {'HTTP_X_FORWARDED_FOR': 'unknown'},
    {'HTTP_X_FORWARDED_FOR': '127.0.0.1, 192.0.2.1'},
    {'HTTP_X_FORWARDED_FOR': '192.0.2.1, 127.0.0.1'},
    {'HTTP_FORWARDED': 'for=192.0.2.1'},
    {'HTTP_FORWARDED': 'for=127.0.0.1;proto=http'},
    {'HTTP_X_REAL_IP': '192.0.2.1'},
    {'HTTP_X_REAL_IP': 'unknown', 'HTTP_X_FORWARDED_FOR': '127.0.0.1'},
    {'HTTP_VIA': '1.1 cache'},
    {'HTTP_VIA': '1.1 cache', 'HTTP_X_FORWARDED_FOR': '127.0.0.1'},
    {'HTTP_VIA': ''}, {'HTTP_FORWARDED': ''}, {'HTTP_VIA': '127.0.0.1'},
    {'HTTP_X_FORWARDED_FOR': ''}, {'HTTP_X_FORWARDED_FOR': '127.0.0.1,'},
    *({f'HTTP_X_FORWARDED_{name}': '127.0.0.1', **extra}
      for name in ('HOST', 'PROTO', 'PORT', 'SERVER', 'PREFIX', 'SSL')
      for extra in ({}, {'HTTP_X_FORWARDED_FOR': '127.0.0.1'})),
    {'HTTP_X_FORWARDED': '1'}, {'HTTP_X_ORIGINAL_HOST': 'localhost'},
    {'HTTP_X_CLIENT_IP': '192.0.2.1'}, {'HTTP_TRUE_CLIENT_IP': '192.0.2.1'},
    {'HTTP_X_CLUSTER_CLIENT_IP': '192.0.2.1'},
    {urls.PEER: '10.0.0.5'},
    {urls.PEER: '10.0.0.5', 'HTTP_X_FORWARDED_FOR': '127.0.0.1'}])
def test_a_forwarded_request_is_refused_if_any_hop_is_remote(headers):
    """A10: a proxy on this machine must not make every client local.

    This includes a proxy that sends only the host or the scheme.
    """
    assert ask(**headers)[0].status == 403
    assert ask(allow_remote=True, **headers)[0].status == 200


def test_a_request_forwarded_on_this_machine_is_served():
    assert ask(HTTP_X_FORWARDED_FOR='127.0.0.1, ::1')[0].status == 200
    assert ask(HTTP_X_REAL_IP='127.0.0.1')[0].status == 200


@pytest.mark.parametrize(('trusted', 'headers', 'status'), [
    ('127.0.0.0/8', {'FOR': '127.0.0.1'}, 200),
    ('127.0.0.0/8', {'FOR': '192.0.2.1'}, 403),
    ('127.0.0.0/8', {'FOR': ''}, 403), ('127.0.0.0/8', {}, 403),
    ('10.0.0.0/8', {'FOR': '127.0.0.1'}, 403)])
def test_a_trusted_proxy_that_names_the_client_may_send_more_headers(
        trusted, headers, status):
    """A10: an untrusted proxy may not."""
    app = proxy.Proxy(NoAuth(App(), 'pileus', allow_remote=False),
                      [ipaddress.ip_network(trusted)])
    extra = {'PROTO': 'https', 'HOST': 'localhost', 'PORT': '443', **headers}
    reply = answer(app, environ(REMOTE_ADDR='127.0.0.1', **{
        f'HTTP_X_FORWARDED_{name}': value for name, value in extra.items()}))
    assert reply.status == status


def test_a_refusal_has_version_headers():
    reply, _ = ask(HTTP_HOST='evil.example.org')
    assert reply.header('OpenStack-API-Version') == 'pileus 1.0'
    assert reply.header('Vary') == 'OpenStack-API-Version'


def test_ids_from_headers_are_escaped_for_the_log():
    ask(HTTP_X_USER_ID='ada\x85\x9b2J"', HTTP_X_PROJECT_ID='p"q')
    context = get_current()
    assert context.user_id == 'ada\\u0085\\u009b2J\\"'
    assert context.project_id == 'p\\"q'


def test_a_user_id_is_cut_to_the_size_of_its_column():
    """A database with column sizes would refuse each write of this user."""
    _, caller = ask(HTTP_X_USER_ID='u' * 9000)
    assert caller.user_id == 'u' * identity.MAX_USER_ID_CHARS
