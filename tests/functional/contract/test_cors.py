# SPDX-License-Identifier: Apache-2.0
"""CORS: only pages of the configured origins may call the API."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.functional.harness.daemon import Daemon, config_dir
from tests.functional.harness.in_process import Application

ORIGIN = 'https://ui.example.org'
ALLOW_ORIGIN = 'Access-Control-Allow-Origin'


@pytest.fixture(scope='module')
def application(tmp_path_factory: pytest.TempPathFactory) -> Application:
    return Application(config_dir(tmp_path_factory.mktemp('cors'), None, {
        'cors': {'allowed_origin': ORIGIN}}))


@pytest.mark.parametrize(('path', 'headers', 'status'), [
    ('/v1/racks', {}, 200), ('/', {}, 200), ('/v1/racks/none', {}, 404),
    ('/v1/nothing', {}, 404), ('/nothing', {}, 404),
    ('/v1/racks?nothing=1', {}, 400), ('/v1/racks', {'X-Roles': ''}, 403),
    ('/v1/racks', {'Host': 'evil.example.org'}, 403),
    ('/v1/racks', {'OpenStack-API-Version': 'pileus 9.9'}, 406),
    ('/v1/racks', {'Accept': 'text/html'}, 406)])
def test_an_allowed_origin_may_read_every_answer(application, path, headers,
                                                 status):
    """A12: without the header a browser hides the status of an error."""
    reply = application.request('GET', path, None,
                                {'Origin': ORIGIN, **headers})
    assert reply.status == status
    assert reply.headers[ALLOW_ORIGIN] == ORIGIN
    exposed = reply.headers['Access-Control-Expose-Headers'].split(',')
    assert {'ETag', 'Location', 'OpenStack-API-Version'} <= set(exposed)
    assert {'Origin', 'OpenStack-API-Version'} <= set(
        reply.headers['Vary'].replace(' ', '').split(','))


@pytest.mark.parametrize('method', ['PUT', 'PATCH', 'DELETE', 'POST'])
def test_a_preflight_request_of_an_allowed_origin_succeeds(application,
                                                           method):
    reply = application.request('OPTIONS', '/v1/racks', None, {
        'Origin': ORIGIN, 'Access-Control-Request-Method': method,
        'Access-Control-Request-Headers': 'content-type,if-match'})
    assert reply.status in (200, 204)
    assert reply.headers[ALLOW_ORIGIN] == ORIGIN
    assert reply.headers['Access-Control-Allow-Methods'] == method


@pytest.mark.parametrize('origin', [
    'null', 'http://ui.example.org', 'https://ui.example.org.evil.org',
    'https://evil.org', 'https://ui.example.org:8443', '*',
    'https://ui.example.org, https://evil.org'])
@pytest.mark.parametrize('method', ['GET', 'OPTIONS'])
def test_another_origin_is_not_allowed(application, origin, method):
    """A12: neither requests nor preflight requests are allowed."""
    reply = application.request(method, '/v1/racks', None, {
        'Origin': origin, 'Access-Control-Request-Method': 'PUT'})
    assert reply.headers[ALLOW_ORIGIN] is None


def test_a_preflight_request_for_identity_headers_is_not_allowed(application):
    reply = application.request('OPTIONS', '/v1/racks', None, {
        'Origin': ORIGIN, 'Access-Control-Request-Method': 'PUT',
        'Access-Control-Request-Headers': 'x-roles'})
    assert reply.headers[ALLOW_ORIGIN] is None


def test_no_origin_is_allowed_by_default(tmp_path: Path):
    application = Application(config_dir(tmp_path))
    reply = application.request('GET', '/v1/racks', None, {'Origin': ORIGIN})
    assert reply.headers[ALLOW_ORIGIN] is None


@pytest.mark.parametrize('origins', ['*', f'{ORIGIN}, *'])
def test_all_origins_with_credentials_stop_the_start(
        tmp_path, origins):
    """A12: the error is one line with the option; credentials are allowed by
    default."""
    daemon = Daemon(config_dir(tmp_path, None, {
        'cors': {'allowed_origin': origins}}))
    daemon.launch()
    assert daemon.wait_for_exit() == 1, daemon.output
    (error,) = (line for line in daemon.output.splitlines()
                if line.startswith('pileus-api: '))
    assert ('[cors] allowed_origin = *: invalid with allow_credentials = '
            'true; set allow_credentials = false') in error


def test_all_origins_without_credentials_are_allowed(tmp_path):
    """A12: the reply does not allow credentials."""
    application = Application(config_dir(tmp_path, None, {
        'cors': {'allowed_origin': '*', 'allow_credentials': False}}))
    reply = application.request('GET', '/v1/racks', None, {'Origin': ORIGIN})
    assert (reply.status, reply.headers[ALLOW_ORIGIN]) == (200, '*')
    assert reply.headers['Access-Control-Allow-Credentials'] is None
