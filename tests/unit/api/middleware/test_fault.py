# SPDX-License-Identifier: Apache-2.0
"""The outermost filter: every failure in one shape, every reply stamped."""

import json

import pytest

from api.middleware.fault import Fault
from api.request.microversions import Versions
from api.response import faults
from service.domain.catalogue.microversion import FIRST_VERSION
from tests.unit.api.calling import App, answer, environ


def asked(app, **more):
    return answer(Fault(app, Versions('pileus', FIRST_VERSION)), environ(
        **{'openstack.request_id': 'req-1', **more}))


class Closed(list):
    """A body that knows whether it was closed."""

    closed = False

    def close(self):
        self.closed = True


def test_a_reply_of_others_is_stamped_and_passed_on():
    got = asked(App('200 OK', [('Content-Type', 'text/plain')], [b'hello']))
    assert (got.status, got.body) == (200, b'hello')
    assert got.header('OpenStack-API-Version') == 'pileus 1.0'
    assert got.header('Vary') == 'OpenStack-API-Version'


def test_an_error_of_others_gets_our_shape():
    body = Closed([b'<html>who are you?</html>'])
    got = asked(App('401 Unauthorized', [
        ('Content-Type', 'text/html'), ('WWW-Authenticate', 'Basic')], body))
    told = json.loads(got.body)
    assert (got.status, told['error']['code']) == (401, 401)
    assert told['errors'][0]['request_id'] == 'req-1'
    assert got.header('Content-Type') == 'application/json'
    assert got.header('WWW-Authenticate') == 'Basic'
    assert got.header('OpenStack-API-Version') == 'pileus 1.0'
    assert got.header('X-Openstack-Request-Id') == 'req-1'
    assert body.closed


def test_what_is_ours_is_left_as_it_is():
    def app(environ, start_response):
        environ[faults.OWN_REPLY] = True
        start_response('404 Not Found', [('Content-Type', 'text/x')])
        return [b'ours']
    got = asked(app)
    assert (got.status, got.body, got.headers) == (
        404, b'ours', [('Content-Type', 'text/x')])


def test_what_falls_through_is_told_without_its_text(caplog):
    def app(environ, start_response):
        raise KeyError('secret')
    got = asked(app)
    assert got.status == 500
    assert b'secret' not in got.body
    assert got.header('X-Openstack-Request-Id') == 'req-1'
    assert "KeyError: 'secret'" in caplog.text


def test_an_error_that_is_written_is_not_passed_on():
    def app(environ, start_response):
        start_response('403 Forbidden', [])(b'written')
        return [b'returned']
    got = asked(app)
    assert (got.status, b'written' in got.body) == (403, False)


@pytest.mark.parametrize('prefix', ['', '/inventory'])
def test_links_lead_to_where_the_pipeline_is_mounted(prefix):
    """urlmap moves SCRIPT_NAME on before anything can fail."""
    def app(environ, start_response):
        environ['SCRIPT_NAME'] += '/v1'
        start_response('404 Not Found', [])
        return []
    told = json.loads(asked(app, SCRIPT_NAME=prefix).body)
    assert told['errors'][0]['links'][0]['href'] == (
        f'http://127.0.0.1:8088{prefix}/v1/errors/no-such-path')
