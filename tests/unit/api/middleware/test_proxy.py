# SPDX-License-Identifier: Apache-2.0
"""What a trusted proxy says of a client, and what anybody else says."""

import ipaddress

import pytest

from api.middleware import proxy
from api.request import urls
from service.errors import StartError
from tests.unit.api.calling import App, answer, environ

TRUSTED = [ipaddress.ip_network(one)
           for one in ('10.0.0.0/8', '127.0.0.1/32', 'fd00::/8')]
SAID = {'HTTP_X_FORWARDED_PROTO': 'https',
        'HTTP_X_FORWARDED_HOST': 'api.example.org:8443',
        'HTTP_X_FORWARDED_PREFIX': '/inventory',
        'HTTP_X_FORWARDED_FOR': '192.0.2.7'}


def told(**headers):
    """The environ the application gets."""
    app = App()
    answer(proxy.Proxy(app, TRUSTED), environ('/v1/hosts', **headers))
    return app.environ


def test_a_trusted_proxy_is_believed():
    got = told(REMOTE_ADDR='10.1.2.3', **SAID)
    assert (got['wsgi.url_scheme'], got['HTTP_HOST'], got['SCRIPT_NAME'],
            got['PATH_INFO'], got['REMOTE_ADDR']) == (
        'https', 'api.example.org:8443', '/inventory', '/v1/hosts',
        '192.0.2.7')
    assert urls.root(got) == 'https://api.example.org:8443/inventory'


@pytest.mark.parametrize('peer', ['192.0.2.1', '::1', '', 'nonsense',
                                  '127.0.0.2'])
def test_nobody_else_is(peer):
    """A10: a client chooses neither its address nor anybody's links."""
    got = told(REMOTE_ADDR=peer, **SAID)
    assert (got['wsgi.url_scheme'], got['HTTP_HOST'], got['SCRIPT_NAME'],
            got['REMOTE_ADDR']) == ('http', '127.0.0.1:8088', '', peer)


def test_only_what_the_nearest_proxy_added_counts():
    got = told(HTTP_X_FORWARDED_PROTO='http, https',
               HTTP_X_FORWARDED_HOST='evil.example.org, api.example.org')
    assert (got['wsgi.url_scheme'], got['HTTP_HOST']) == (
        'https', 'api.example.org')


@pytest.mark.parametrize(('header', 'value', 'name', 'kept'), [
    ('PROTO', 'gopher', 'wsgi.url_scheme', 'http'),
    ('PROTO', 'javascript', 'wsgi.url_scheme', 'http'),
    ('PROTO', '', 'wsgi.url_scheme', 'http'),
    ('PROTO', 'HTTPS', 'wsgi.url_scheme', 'https'),
    ('HOST', 'a b', 'HTTP_HOST', '127.0.0.1:8088'),
    ('HOST', 'a/b', 'HTTP_HOST', '127.0.0.1:8088'),
    ('HOST', 'a@b', 'HTTP_HOST', '127.0.0.1:8088'),
    ('HOST', 'a\r\nX: y', 'HTTP_HOST', '127.0.0.1:8088'),
    ('HOST', 'a:99999999', 'HTTP_HOST', '127.0.0.1:8088'),
    ('HOST', '"><script>', 'HTTP_HOST', '127.0.0.1:8088'),
    ('HOST', '[fd00::1]:8088', 'HTTP_HOST', '[fd00::1]:8088'),
    ('PREFIX', '/', 'SCRIPT_NAME', ''),
    ('PREFIX', 'inventory', 'SCRIPT_NAME', ''),
    ('PREFIX', '//evil.example.org', 'SCRIPT_NAME', ''),
    ('PREFIX', '/a/b/', 'SCRIPT_NAME', '/a/b'),
    ('PREFIX', '/a b', 'SCRIPT_NAME', ''),
    ('PREFIX', '/a?b', 'SCRIPT_NAME', '')])
def test_what_a_proxy_says_is_looked_at(header, value, name, kept):
    """A10: it may pass on what a client sent."""
    assert told(**{f'HTTP_X_FORWARDED_{header}': value})[name] == kept


@pytest.mark.parametrize(('forwarded', 'client'), [
    ('192.0.2.7', '192.0.2.7'),
    ('198.51.100.1, 192.0.2.7', '192.0.2.7'),
    ('192.0.2.7, 10.0.0.1', '192.0.2.7'),
    ('198.51.100.1, 192.0.2.7, 10.0.0.1, fd00::1', '192.0.2.7'),
    ('2001:db8::7', '2001:db8::7'),
    ('10.0.0.1', '127.0.0.1'), ('', '127.0.0.1'),
    ('unknown', '127.0.0.1'), ('192.0.2.7, unknown', '127.0.0.1'),
    ('192.0.2.7:1234', '127.0.0.1')])
def test_the_client_is_the_last_that_no_trusted_proxy_is(forwarded, client):
    """A10: over several hops."""
    assert told(HTTP_X_FORWARDED_FOR=forwarded)['REMOTE_ADDR'] == client


def test_without_trusted_proxies_there_is_no_filter(tmp_path):
    app = App()
    assert _made(tmp_path)(app) is app
    assert _made(tmp_path, '10.0.0.0/8')(app) is not app


def test_a_network_that_is_none_stops_the_start(tmp_path):
    with pytest.raises(StartError) as caught:
        _made(tmp_path, '10.0.0.1/8')
    assert '[api] trusted_proxies' in str(caught.value)


def _made(tmp_path, trusted=''):
    (tmp_path / 'pileus.conf').write_text(
        f'[api]\ntrusted_proxies = {trusted}\n')
    return proxy.factory({'config_dirs': str(tmp_path)})
