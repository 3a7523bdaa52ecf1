# SPDX-License-Identifier: Apache-2.0
"""The outermost filter: error documents and version headers."""

import json

import pytest

from api.middleware.fault import Fault
from api.request.microversions import Versions
from api.response import faults
from service.domain.catalogue.microversion import FIRST_VERSION
from tests.unit.api.calling import App, answer, environ


def ask(app, **extra):
    return answer(Fault(app, Versions('pileus', FIRST_VERSION)), environ(
        **{'openstack.request_id': 'req-1', **extra}))


class Closed(list):
    """A body that records whether it was closed."""

    closed = False

    def close(self):
        self.closed = True


def test_a_reply_of_another_filter_gets_version_headers():
    reply = ask(App('200 OK', [('Content-Type', 'text/plain')], [b'hello']))
    assert (reply.status, reply.body) == (200, b'hello')
    assert reply.header('OpenStack-API-Version') == 'pileus 1.0'
    assert reply.header('Vary') == 'OpenStack-API-Version'


def test_an_error_of_another_filter_becomes_an_error_document():
    body = Closed([b'<html>who are you?</html>'])
    reply = ask(App('401 Unauthorized', [
        ('Content-Type', 'text/html'), ('WWW-Authenticate', 'Basic')], body))
    document = json.loads(reply.body)
    assert (reply.status, document['error']['code']) == (401, 401)
    assert document['errors'][0]['request_id'] == 'req-1'
    assert reply.header('Content-Type') == 'application/json'
    assert reply.header('WWW-Authenticate') == 'Basic'
    assert reply.header('OpenStack-API-Version') == 'pileus 1.0'
    assert reply.header('X-Openstack-Request-Id') == 'req-1'
    assert body.closed


def test_a_reply_of_the_application_is_unchanged():
    def app(environ, start_response):
        environ[faults.OWN_REPLY] = True
        start_response('404 Not Found', [('Content-Type', 'text/x')])
        return [b'ours']
    reply = ask(app)
    assert (reply.status, reply.body, reply.headers) == (
        404, b'ours', [('Content-Type', 'text/x')])


def test_an_exception_is_answered_without_its_text(caplog):
    def app(environ, start_response):
        raise KeyError('secret')
    reply = ask(app)
    assert reply.status == 500
    assert b'secret' not in reply.body
    assert reply.header('X-Openstack-Request-Id') == 'req-1'
    assert "KeyError: 'secret'" in caplog.text


def test_text_written_by_a_replaced_error_is_dropped():
    def app(environ, start_response):
        start_response('403 Forbidden', [])(b'written')
        return [b'returned']
    reply = ask(app)
    assert (reply.status, b'written' in reply.body) == (403, False)


@pytest.mark.parametrize('prefix', ['', '/inventory'])
def test_links_start_where_the_pipeline_is_mounted(prefix):
    """urlmap changes SCRIPT_NAME before an error can occur."""
    def app(environ, start_response):
        environ['SCRIPT_NAME'] += '/v1'
        start_response('404 Not Found', [])
        return []
    document = json.loads(ask(app, SCRIPT_NAME=prefix).body)
    assert document['errors'][0]['links'][0]['href'] == (
        f'http://127.0.0.1:8088{prefix}/v1/errors/no-such-path')
