# SPDX-License-Identifier: Apache-2.0
"""The error document, status, headers and log record of an exception."""

import json
import logging

import pytest

from api.request import errors as request_errors
from api.response import faults
from service.domain import errors
from service.domain.errors import Violation
from tests.unit.api.calling import environ


def document(exc, **more):
    reply = faults.response(environ(**more), 'pileus', exc)
    return reply, json.loads(reply.body)


def test_an_error_document_has_both_formats():
    reply, body = document(errors.NotFound(type='host', id='7'),
                           **{'openstack.request_id': 'req-1'})
    common = {'code': 'pileus.not-found', 'status': 404,
              'title': 'Record not found', 'request_id': 'req-1',
              'detail': 'No host has the id 7.', 'links': [
                  {'rel': 'help', 'href':
                   'http://127.0.0.1:8088/v1/errors/not-found'}]}
    assert body == {'errors': [common], 'error': {
        'code': 404, 'title': 'Record not found',
        'message': 'No host has the id 7.'}}
    assert (reply.status_int, reply.content_type) == (404, 'application/json')


def test_each_violation_is_an_item_with_its_place():
    _, body = document(errors.Invalid([
        Violation('name is required', '/host/name'),
        Violation('limit: 0 is too small', parameter='limit'),
        Violation('The body is nonsense.', ''), Violation('And more!')]))
    assert [(item['detail'], item.get('source'))
            for item in body['errors']] == [
        ('name is required.', {'pointer': '/host/name'}),
        ('limit: 0 is too small.', {'parameter': 'limit'}),
        ('The body is nonsense.', {'pointer': ''}), ('And more!', None)]


def test_the_message_joins_the_details_as_sentences():
    _, body = document(errors.Invalid([
        Violation('name is required', '/host/name'),
        Violation('serial is required', '/host/serial')]))
    assert body['error']['message'] == (
        'name is required. serial is required.')


def test_the_error_of_a_version_out_of_range_has_the_range():
    _, body = document(request_errors.VersionUnsupported(
        wanted='9.9', minimum='1.0', maximum='1.2'))
    item = body['errors'][0]
    assert (item['min_version'], item['max_version']) == ('1.0', '1.2')


@pytest.mark.parametrize(('exc', 'name', 'value'), [
    (request_errors.MethodNotAllowed('PUT', ['GET', 'HEAD']), 'Allow',
     'GET, HEAD'),
    (errors.Unavailable(), 'Retry-After', '1')])
def test_an_error_sets_the_header_that_http_requires(exc, name, value):
    assert document(exc)[0].headers[name] == value


def test_an_error_has_the_status_of_its_nearest_ancestor():
    class Odd(errors.NotUnique):
        pass
    assert faults.status(Odd) == 409
    assert faults.status(errors.PileusError) == 500


def test_an_error_document_without_a_request_id_has_no_such_member():
    assert 'request_id' not in document(errors.Unavailable())[1]['errors'][0]


# The catch-all

def guarded(exc):
    def produce():
        raise exc
    return faults.guarded(produce, environ(), 'pileus')


def test_a_result_without_an_error_is_returned():
    assert faults.guarded(lambda: 7, environ(), 'pileus') == 7


def test_a_client_error_is_logged_in_one_line_without_traceback(caplog):
    with caplog.at_level(logging.INFO, 'api.response.faults'):
        reply = guarded(errors.NotFound(type='host', id='a\nb'))
    assert reply.status_int == 404
    assert [record.exc_info for record in caplog.records] == [None]
    assert '\n' not in caplog.records[0].getMessage()


def test_the_log_has_the_place_of_an_invalid_value_without_the_value(caplog):
    """L03: the text quotes the value, which may be a password."""
    with caplog.at_level(logging.INFO, 'api.response.faults'):
        guarded(errors.Invalid([
            errors.Violation("bmc_password: 'hunter' is too short",
                             '/host/bmc_password'),
            errors.Violation("The parameter token has 'hunter'",
                             parameter='token\n'),
            errors.Violation("'hunter' is no tag")]))
    assert caplog.records[0].getMessage() == (
        "invalid: at '/host/bmc_password', 'token\\n'")


def test_a_pointer_above_the_limit_is_left_out():
    document = json.loads(guarded(errors.Invalid([
        errors.Violation('It is wrong', '/' + 'x' * 600),
        errors.Violation('It is wrong', '/x')])).body)
    assert ['source' in item for item in document['errors']] == [False, True]


def test_a_bug_is_logged_with_a_traceback_that_the_client_does_not_see(
        caplog):
    reply = guarded(TypeError('secret'))
    assert reply.status_int == 500
    assert b'secret' not in reply.body
    assert json.loads(reply.body)['errors'][0]['code'] == (
        'pileus.internal-error')
    assert len(caplog.records) == 1
    assert 'TypeError: secret' in caplog.text


@pytest.mark.parametrize('exc', [KeyboardInterrupt(), SystemExit(3)])
def test_the_end_of_the_process_is_not_caught(exc):
    with pytest.raises(type(exc)):
        guarded(exc)


# Errors of other middleware

@pytest.mark.parametrize(('status', 'code'), [
    (400, 'bad-request'), (401, 'unauthenticated'), (403, 'forbidden'),
    (404, 'no-such-path'), (413, 'body-too-large'), (418, 'bad-request'),
    (500, 'internal-error'), (502, 'internal-error'), (503, 'unavailable')])
def test_a_middleware_error_gets_an_error_document_with_its_status(status,
                                                                   code):
    reply = faults.middleware_error(environ(), 'pileus', status, [])
    body = json.loads(reply.body)
    assert reply.status_int == body['error']['code'] == status
    assert body['errors'][0]['code'] == f'pileus.{code}'


def test_a_middleware_error_keeps_the_headers_that_a_client_needs():
    reply = faults.middleware_error(environ(), 'pileus', 401, [
        ('Content-Type', 'text/html'), ('Content-Length', '7'),
        ('WWW-Authenticate', 'Keystone uri="https://keystone"'),
        ('Retry-After', '5'), ('Access-Control-Allow-Origin', '*')])
    assert {name: value for name, value in reply.headerlist
            if name not in ('Cache-Control', 'Content-Length')} == {
        'Content-Type': 'application/json',
        'WWW-Authenticate': 'Keystone uri="https://keystone"',
        'Retry-After': '5', 'Access-Control-Allow-Origin': '*'}
