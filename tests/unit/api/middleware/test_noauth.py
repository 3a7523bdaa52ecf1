# SPDX-License-Identifier: Apache-2.0
"""Who calls without authentication, and from where."""

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


def ask(allow_remote=False, **more):
    app = App()
    reply = answer(NoAuth(app, 'pileus', allow_remote=allow_remote),
                   environ(**more))
    return reply, identity.identity(app.environ)


@pytest.mark.parametrize('address', [
    '127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1', ''])
def test_a_caller_on_this_machine_is_served(address):
    assert ask(REMOTE_ADDR=address)[0].status == 200


@pytest.mark.parametrize('address', [
    '192.0.2.1', '10.0.0.1', '::', '::2', '::ffff:192.0.2.1', '0.0.0.0',
    'fe80::1', 'localhost', 'nonsense', '127.0.0.1.example.org', '2130706433',
    '0177.0.0.1'])
def test_a_caller_from_afar_is_not(address):
    got, who = ask(REMOTE_ADDR=address)
    assert (got.status, who) == (403, None)
    assert json.loads(got.body)['errors'][0]['code'] == 'pileus.not-local'


@pytest.mark.parametrize('host', [
    '127.0.0.1', '127.0.0.1:8088', 'localhost', 'localhost:8088',
    'LOCALHOST:80', '[::1]', '[::1]:8088', '[::ffff:127.0.0.1]:8088',
    '127.1.2.3:1', ''])
def test_a_host_of_this_machine_is_served(host):
    assert ask(HTTP_HOST=host)[0].status == 200


@pytest.mark.parametrize('host', [
    'evil.example.org', 'evil.example.org:8088', '192.0.2.1:8088',
    'localhost.example.org', '127.0.0.1.example.org', 'localhost.',
    '[::2]:8088', '::1', 'localhost@evil.example.org', 'evil:localhost',
    '127.0.0.1, evil.example.org', '[evil]:80', '0.0.0.0', '2130706433'])
def test_a_name_that_was_made_to_lead_here_is_not(host):
    """A browser sends the name it was led by (DNS rebinding)."""
    assert ask(HTTP_HOST=host)[0].status == 403


def test_anywhere_is_anywhere():
    got, _ = ask(allow_remote=True, REMOTE_ADDR='192.0.2.1',
                   HTTP_HOST='evil.example.org')
    assert got.status == 200


@pytest.mark.parametrize(('headers', 'who'), [
    ({}, ('demo', 'demo', {'admin', 'member', 'reader'})),
    ({'HTTP_X_ROLES': 'Reader , other'}, ('demo', 'demo',
                                          {'reader', 'other'})),
    ({'HTTP_X_ROLES': ''}, ('demo', 'demo', set())),
    ({'HTTP_X_PROJECT_ID': 'ours', 'HTTP_X_USER_ID': 'ada'},
     ('ours', 'ada', {'admin', 'member', 'reader'})),
    ({'HTTP_X_PROJECT_ID': ''}, (None, 'demo',
                                 {'admin', 'member', 'reader'}))])
def test_everybody_is_who_they_say(headers, who):
    _, found = ask(**headers, **{'openstack.request_id': 'req-1'})
    assert found == Identity(who[0], who[1], frozenset(who[2]), 'req-1')


@pytest.mark.parametrize('header', [
    'p' * 65, 'p' * 9000, 'a\tb', 'a\x7f', 'a\xc2\x85', '\xe9', ' ',
    '\xe2\x80\xa8', 'a '])
def test_who_names_what_no_project_is_called_is_nobody(header):
    """A route that is not open answers 400 then."""
    app = App()
    answer(NoAuth(app, 'pileus', allow_remote=True),
           environ(HTTP_X_PROJECT_ID=header))
    assert identity.identity(app.environ) is None
    [violation] = identity.refusal(app.environ).violations
    assert violation.parameter == 'X-Project-Id'
    assert '1 to 64 printable characters' in violation.detail


def test_a_project_is_named_in_utf_8():
    """As in a body and in a URL, so that all of them mean one project."""
    said = 'b\u00fcro \u65e5\u672c'.encode().decode('latin-1')
    assert ask(HTTP_X_PROJECT_ID=said)[1].project_id == (
        'b\u00fcro \u65e5\u672c')
    assert ask(HTTP_X_PROJECT_ID='p' * 64)[1].project_id == 'p' * 64


def test_only_an_administrator_is_one_everywhere(tmp_path):
    rules = Policy(stored.conf(tmp_path), stored.catalogue())
    admin = Identity('demo', 'root', frozenset({'admin'}), 'req-1')
    member = Identity('demo', 'ada', frozenset({'member'}), 'req-2')
    assert admin.caller(rules).any_project
    assert not member.caller(rules).any_project
    assert not admin.caller(None).any_project
    assert member.caller(rules).owner == 'demo'


@pytest.mark.parametrize('said', [
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
    *({f'HTTP_X_FORWARDED_{name}': '127.0.0.1', **more}
      for name in ('HOST', 'PROTO', 'PORT', 'SERVER', 'PREFIX', 'SSL')
      for more in ({}, {'HTTP_X_FORWARDED_FOR': '127.0.0.1'})),
    {'HTTP_X_FORWARDED': '1'}, {'HTTP_X_ORIGINAL_HOST': 'localhost'},
    {'HTTP_X_CLIENT_IP': '192.0.2.1'}, {'HTTP_TRUE_CLIENT_IP': '192.0.2.1'},
    {'HTTP_X_CLUSTER_CLIENT_IP': '192.0.2.1'},
    {urls.PEER: '10.0.0.5'},
    {urls.PEER: '10.0.0.5', 'HTTP_X_FORWARDED_FOR': '127.0.0.1'}])
def test_who_comes_by_a_proxy_is_as_far_as_any_of_the_way(said):
    """A10: a proxy on this machine would else make everybody local, also
    one that tells the host or the scheme alone."""
    assert ask(**said)[0].status == 403
    assert ask(allow_remote=True, **said)[0].status == 200


def test_a_proxy_on_this_machine_for_this_machine_is_served():
    assert ask(HTTP_X_FORWARDED_FOR='127.0.0.1, ::1')[0].status == 200
    assert ask(HTTP_X_REAL_IP='127.0.0.1')[0].status == 200


@pytest.mark.parametrize(('trusted', 'said', 'status'), [
    ('127.0.0.0/8', {'FOR': '127.0.0.1'}, 200),
    ('127.0.0.0/8', {'FOR': '192.0.2.1'}, 403),
    ('127.0.0.0/8', {'FOR': ''}, 403), ('127.0.0.0/8', {}, 403),
    ('10.0.0.0/8', {'FOR': '127.0.0.1'}, 403)])
def test_a_trusted_proxy_may_forward_more_once_it_tells_the_client(
        trusted, said, status):
    """A10: whom nobody trusts is believed in nothing."""
    seen = App()
    app = proxy.Proxy(NoAuth(seen, 'pileus', allow_remote=False),
                      [ipaddress.ip_network(trusted)])
    more = {'PROTO': 'https', 'HOST': 'localhost', 'PORT': '443', **said}
    got = answer(app, environ(REMOTE_ADDR='127.0.0.1', **{
        f'HTTP_X_FORWARDED_{name}': value for name, value in more.items()}))
    assert got.status == status


def test_a_refusal_names_the_version_like_any_reply():
    got, _ = ask(HTTP_HOST='evil.example.org')
    assert got.header('OpenStack-API-Version') == 'pileus 1.0'
    assert got.header('Vary') == 'OpenStack-API-Version'


def test_a_name_from_a_header_is_no_more_than_a_name_in_the_log():
    ask(HTTP_X_USER_ID='ada\x85\x9b2J"', HTTP_X_PROJECT_ID='p"q')
    known = get_current()
    assert known.user_id == 'ada\\u0085\\u009b2J\\"'
    assert known.project_id == 'p\\"q'


def test_a_user_fits_into_the_history():
    """A database with lengths would refuse each of its writes."""
    _, who = ask(HTTP_X_USER_ID='u' * 9000)
    assert who.user_id == 'u' * identity.MAX_USER_ID_CHARS
