# SPDX-License-Identifier: Apache-2.0
"""X-Forwarded headers: applied from a trusted proxy, ignored otherwise."""

import ipaddress

import pytest

from api.middleware import proxy
from api.request import urls
from service.errors import StartError
from tests.unit.api.calling import App, answer, environ

TRUSTED = [ipaddress.ip_network(network)
           for network in ('10.0.0.0/8', '127.0.0.1/32', 'fd00::/8')]
HEADERS = {'HTTP_X_FORWARDED_PROTO': 'https',
           'HTTP_X_FORWARDED_HOST': 'api.example.org:8443',
           'HTTP_X_FORWARDED_PREFIX': '/inventory',
           'HTTP_X_FORWARDED_FOR': '192.0.2.7'}


def received_environ(**headers):
    """Return the environ that the application receives."""
    app = App()
    answer(proxy.Proxy(app, TRUSTED), environ('/v1/hosts', **headers))
    return app.environ


def test_headers_of_a_trusted_proxy_are_applied():
    received = received_environ(REMOTE_ADDR='10.1.2.3', **HEADERS)
    assert (received['wsgi.url_scheme'], received['HTTP_HOST'],
            received['SCRIPT_NAME'], received['PATH_INFO'],
            received['REMOTE_ADDR']) == (
        'https', 'api.example.org:8443', '/inventory', '/v1/hosts',
        '192.0.2.7')
    assert urls.root(received) == 'https://api.example.org:8443/inventory'


@pytest.mark.parametrize('peer', ['192.0.2.1', '::1', '', 'nonsense',
                                  '127.0.0.2'])
def test_headers_from_other_addresses_are_ignored(peer):
    """A10: a client chooses neither its address nor the links of others."""
    received = received_environ(REMOTE_ADDR=peer, **HEADERS)
    assert (received['wsgi.url_scheme'], received['HTTP_HOST'],
            received['SCRIPT_NAME'], received['REMOTE_ADDR']) == (
        'http', '127.0.0.1:8088', '', peer)


def test_only_the_value_of_the_nearest_proxy_counts():
    received = received_environ(HTTP_X_FORWARDED_PROTO='http, https',
               HTTP_X_FORWARDED_HOST='evil.example.org, api.example.org')
    assert (received['wsgi.url_scheme'], received['HTTP_HOST']) == (
        'https', 'api.example.org')


@pytest.mark.parametrize(('header', 'value', 'name', 'expected'), [
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
def test_invalid_values_from_a_proxy_are_ignored(
        header, value, name, expected):
    """A10: a proxy may pass on what a client sent."""
    received = received_environ(**{f'HTTP_X_FORWARDED_{header}': value})
    assert received[name] == expected


@pytest.mark.parametrize(('forwarded', 'client'), [
    ('192.0.2.7', '192.0.2.7'),
    ('198.51.100.1, 192.0.2.7', '192.0.2.7'),
    ('192.0.2.7, 10.0.0.1', '192.0.2.7'),
    ('198.51.100.1, 192.0.2.7, 10.0.0.1, fd00::1', '192.0.2.7'),
    ('2001:db8::7', '2001:db8::7'),
    ('10.0.0.1', '127.0.0.1'), ('', '127.0.0.1'),
    ('unknown', '127.0.0.1'), ('192.0.2.7, unknown', '127.0.0.1'),
    ('192.0.2.7:1234', '127.0.0.1')])
def test_the_client_is_the_last_address_that_is_no_trusted_proxy(
        forwarded, client):
    """A10: over several hops."""
    received = received_environ(HTTP_X_FORWARDED_FOR=forwarded)
    assert received['REMOTE_ADDR'] == client


def test_without_trusted_proxies_there_is_no_filter(tmp_path):
    app = App()
    assert make_filter(tmp_path)(app) is app
    assert make_filter(tmp_path, '10.0.0.0/8')(app) is not app


def test_an_invalid_network_stops_the_start(tmp_path):
    with pytest.raises(StartError) as caught:
        make_filter(tmp_path, '10.0.0.1/8')
    assert '[api] trusted_proxies' in str(caught.value)


def make_filter(tmp_path, trusted=''):
    (tmp_path / 'pileus.conf').write_text(
        f'[api]\ntrusted_proxies = {trusted}\n')
    return proxy.factory({'config_dirs': str(tmp_path)})
