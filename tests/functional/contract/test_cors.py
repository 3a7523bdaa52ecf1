# SPDX-License-Identifier: Apache-2.0
"""Pages of the origins that the operator names may call, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.functional.harness.daemon import Daemon, config_dir
from tests.functional.harness.in_process import Application

ORIGIN = 'https://ui.example.org'
ALLOW = 'Access-Control-Allow-Origin'


@pytest.fixture(scope='module')
def served(tmp_path_factory: pytest.TempPathFactory) -> Application:
    return Application(config_dir(tmp_path_factory.mktemp('cors'), None, {
        'cors': {'allowed_origin': ORIGIN}}))


@pytest.mark.parametrize(('path', 'headers', 'status'), [
    ('/v1/racks', {}, 200), ('/', {}, 200), ('/v1/racks/none', {}, 404),
    ('/v1/nothing', {}, 404), ('/nothing', {}, 404),
    ('/v1/racks?nothing=1', {}, 400), ('/v1/racks', {'X-Roles': ''}, 403),
    ('/v1/racks', {'Host': 'evil.example.org'}, 403),
    ('/v1/racks', {'OpenStack-API-Version': 'pileus 9.9'}, 406),
    ('/v1/racks', {'Accept': 'text/html'}, 406)])
def test_a_page_may_read_every_answer(served, path, headers, status):
    """A12: errors too, or a script is told of a network failure."""
    reply = served.request('GET', path, None, {'Origin': ORIGIN, **headers})
    assert reply.status == status
    assert reply.headers[ALLOW] == ORIGIN
    exposed = reply.headers['Access-Control-Expose-Headers'].split(',')
    assert {'ETag', 'Location', 'OpenStack-API-Version'} <= set(exposed)
    assert {'Origin', 'OpenStack-API-Version'} <= set(
        reply.headers['Vary'].replace(' ', '').split(','))


@pytest.mark.parametrize('method', ['PUT', 'PATCH', 'DELETE', 'POST'])
def test_it_may_ask_what_it_may_send(served, method):
    reply = served.request('OPTIONS', '/v1/racks', None, {
        'Origin': ORIGIN, 'Access-Control-Request-Method': method,
        'Access-Control-Request-Headers': 'content-type,if-match'})
    assert reply.status in (200, 204)
    assert reply.headers[ALLOW] == ORIGIN
    assert reply.headers['Access-Control-Allow-Methods'] == method


@pytest.mark.parametrize('origin', [
    'null', 'http://ui.example.org', 'https://ui.example.org.evil.org',
    'https://evil.org', 'https://ui.example.org:8443', '*',
    'https://ui.example.org, https://evil.org'])
@pytest.mark.parametrize('method', ['GET', 'OPTIONS'])
def test_no_other_page_may(served, origin, method):
    """A12: nor may it ask for headers of identity."""
    reply = served.request(method, '/v1/racks', None, {
        'Origin': origin, 'Access-Control-Request-Method': 'PUT'})
    assert reply.headers[ALLOW] is None


def test_identity_is_no_header_of_a_page(served):
    reply = served.request('OPTIONS', '/v1/racks', None, {
        'Origin': ORIGIN, 'Access-Control-Request-Method': 'PUT',
        'Access-Control-Request-Headers': 'x-roles'})
    assert reply.headers[ALLOW] is None


def test_unless_one_is_named_no_page_may(tmp_path: Path):
    served = Application(config_dir(tmp_path))
    reply = served.request('GET', '/v1/racks', None, {'Origin': ORIGIN})
    assert reply.headers[ALLOW] is None


@pytest.mark.parametrize('origins', ['*', f'{ORIGIN}, *'])
def test_any_page_with_the_credentials_of_its_user_is_no_start(
        tmp_path, origins):
    """A12: one line that names the option; credentials are the default."""
    daemon = Daemon(config_dir(tmp_path, None, {
        'cors': {'allowed_origin': origins}}))
    daemon.launch()
    assert daemon.wait_for_exit() == 1, daemon.output
    (told,) = (line for line in daemon.output.splitlines()
               if line.startswith('pileus-api: '))
    assert '[cors] allowed_origin = *: set allow_credentials = false' in told


def test_any_page_may_read_what_needs_no_credentials(tmp_path):
    """A12: and no browser is told to send some."""
    served = Application(config_dir(tmp_path, None, {
        'cors': {'allowed_origin': '*', 'allow_credentials': False}}))
    reply = served.request('GET', '/v1/racks', None, {'Origin': ORIGIN})
    assert (reply.status, reply.headers[ALLOW]) == (200, '*')
    assert reply.headers['Access-Control-Allow-Credentials'] is None
