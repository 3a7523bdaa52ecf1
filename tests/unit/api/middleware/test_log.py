# SPDX-License-Identifier: Apache-2.0
"""The access log: one line for each request, without secrets."""

import logging
import time

import pytest
from oslo_context.context import get_current

from api.middleware.log import Log
from tests.unit.api.calling import App, answer, environ


def line(caplog, app=None, **extra):
    with caplog.at_level(logging.INFO, 'api.middleware.log'):
        answer(Log(app or App(headers=[('Content-Length', '2')])),
               environ(**{'openstack.request_id': 'req-1', **extra}))
    [record] = caplog.records
    return record.getMessage()


def test_a_line_has_client_request_status_length_and_time(caplog):
    text = line(caplog, path='/v1/hosts', QUERY_STRING='limit=1')
    assert text.startswith(
        '127.0.0.1 "GET /v1/hosts?limit=1" status: 200 len: 2 time: 0.')
    assert text.endswith(' req-1')


def test_the_path_is_logged_as_it_was_sent(caplog):
    text = line(caplog, RAW_PATH_INFO='/v1/hosts/%41', path='/v1/hosts/A')
    assert '"GET /v1/hosts/%41"' in text


@pytest.mark.parametrize(('query', 'shown'), [
    ('token=abc', 'token=***'), ('a=1&api_token=abc&b=2',
                                 'a=1&api_token=***&b=2'),
    ('password=x', 'password=***'), ('X-Auth-Token=x', 'X-Auth-Token=***'),
    ('%74oken=x', '%74oken=***'), ('a=1&X-%41uth-%54oken=x',
                                   'a=1&X-%41uth-%54oken=***'),
    ('client_secret=x', 'client_secret=***'), ('signature=x',
                                               'signature=***'),
    ('sort_key=name', 'sort_key=name'), ('name=token', 'name=token')])
def test_secrets_in_the_query_are_masked(caplog, query, shown):
    assert f'?{shown}"' in line(caplog, QUERY_STRING=query)


@pytest.mark.parametrize('text', ['\n', '\r', '\x1b[31m', '\x00', '\x85',
                                  '\u2028'.encode().decode('latin-1')])
def test_control_characters_are_escaped(caplog, text):
    text = line(caplog, path=f'/a{text}b', QUERY_STRING=f'q={text}',
                method=f'G{text}')
    assert text.isprintable()


def test_a_request_that_raises_is_logged_with_status_500(caplog):
    def app(environ, start_response):
        raise TypeError
    with pytest.raises(TypeError):
        line(caplog, app)
    assert 'status: 500' in caplog.text


def test_nothing_is_logged_above_level_info(caplog):
    with caplog.at_level(logging.WARNING, 'api.middleware.log'):
        assert answer(Log(App()), environ()).status == 200
    assert caplog.records == []


@pytest.mark.parametrize('query', ['a' * 60_000, 'token' * 12_000,
                                   'token=' * 10_000, '&' * 60_000])
def test_a_long_query_is_masked_quickly(caplog, query):
    started = time.perf_counter()
    line(caplog, QUERY_STRING=query)
    assert time.perf_counter() - started < 0.5


def test_log_records_have_the_id_of_the_current_request():
    ids = []

    def app(environ, start_response):
        ids.append(get_current().request_id)
        return App()(environ, start_response)

    for number in ('req-1', 'req-2'):
        answer(Log(app), environ(**{'openstack.request_id': number}))
    assert ids == ['req-1', 'req-2']
