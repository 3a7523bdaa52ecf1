# SPDX-License-Identifier: Apache-2.0
"""One line for each request, and nothing in it that is not for logs."""

import logging
import time

import pytest
from oslo_context.context import get_current

from api.middleware.log import Log
from tests.unit.api.calling import App, answer, environ


def line(caplog, app=None, **more):
    with caplog.at_level(logging.INFO, 'api.middleware.log'):
        answer(Log(app or App(headers=[('Content-Length', '2')])),
               environ(**{'openstack.request_id': 'req-1', **more}))
    [record] = caplog.records
    return record.getMessage()


def test_a_line_says_who_asked_what_and_how_it_ended(caplog):
    told = line(caplog, path='/v1/hosts', QUERY_STRING='limit=1')
    assert told.startswith(
        '127.0.0.1 "GET /v1/hosts?limit=1" status: 200 len: 2 time: 0.')
    assert told.endswith(' req-1')


def test_the_path_is_told_as_it_was_sent(caplog):
    told = line(caplog, RAW_PATH_INFO='/v1/hosts/%41', path='/v1/hosts/A')
    assert '"GET /v1/hosts/%41"' in told


@pytest.mark.parametrize(('query', 'shown'), [
    ('token=abc', 'token=***'), ('a=1&api_token=abc&b=2',
                                 'a=1&api_token=***&b=2'),
    ('password=x', 'password=***'), ('X-Auth-Token=x', 'X-Auth-Token=***'),
    ('%74oken=x', '%74oken=***'), ('a=1&X-%41uth-%54oken=x',
                                   'a=1&X-%41uth-%54oken=***'),
    ('client_secret=x', 'client_secret=***'), ('signature=x',
                                               'signature=***'),
    ('sort_key=name', 'sort_key=name'), ('name=token', 'name=token')])
def test_a_secret_is_not_told(caplog, query, shown):
    assert f'?{shown}"' in line(caplog, QUERY_STRING=query)


@pytest.mark.parametrize('text', ['\n', '\r', '\x1b[31m', '\x00', '\x85',
                                  '\u2028'.encode().decode('latin-1')])
def test_a_line_stays_one_line(caplog, text):
    told = line(caplog, path=f'/a{text}b', QUERY_STRING=f'q={text}',
                method=f'G{text}')
    assert told.isprintable()


def test_a_request_that_fell_through_is_told_as_failed(caplog):
    def app(environ, start_response):
        raise TypeError
    with pytest.raises(TypeError):
        line(caplog, app)
    assert 'status: 500' in caplog.text


def test_nothing_is_told_where_nobody_listens(caplog):
    with caplog.at_level(logging.WARNING, 'api.middleware.log'):
        assert answer(Log(App()), environ()).status == 200
    assert caplog.records == []


@pytest.mark.parametrize('query', ['a' * 60_000, 'token' * 12_000,
                                   'token=' * 10_000, '&' * 60_000])
def test_a_long_query_is_read_in_no_time(caplog, query):
    begun = time.perf_counter()
    line(caplog, QUERY_STRING=query)
    assert time.perf_counter() - begun < 0.5


def test_what_is_logged_meanwhile_names_this_request_and_none_before():
    said = []

    def app(environ, start_response):
        said.append(get_current().request_id)
        return App()(environ, start_response)

    for number in ('req-1', 'req-2'):
        answer(Log(app), environ(**{'openstack.request_id': number}))
    assert said == ['req-1', 'req-2']
