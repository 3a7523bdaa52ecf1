# SPDX-License-Identifier: Apache-2.0
"""Properties that only some roles may read or write, at every endpoint.

``test_hidden_values`` checks that a writer cannot guess hidden values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.functional.harness.daemon import Reply, config_dir
from tests.functional.harness.in_process import Application

SAFE = {'safe': '''
name: safe
plural: safes
properties:
  name: {type: string}
  passcode: {type: string, read_roles: [owner], write_roles: [owner]}
  limit_eur: {type: integer, default: 10, write_roles: [owner]}
  opens_at: {type: string, format: date-time, read_roles: [owner]}
  closes_at: {type: string, format: date-time}
required: [name]
unique: [[name], [passcode]]
indexes: [[closes_at, passcode], [limit_eur]]
exclusive: {over: [passcode], period: [opens_at, closes_at]}
'''}
ID = '7bd6bd13-2c4b-4d6a-9b27-0123456789ab'
PATH = f'/v1/safes/{ID}'
OWNER = {'X-Roles': 'member,owner'}
MEMBER = {'X-Roles': 'member'}
ADMIN = {'X-Roles': 'admin'}
HIDDEN = ('passcode', 'opens_at')


@pytest.fixture(scope='module')
def application(tmp_path_factory: pytest.TempPathFactory) -> Application:
    application = Application(config_dir(tmp_path_factory.mktemp('safes'),
                                         SAFE))
    created = application.request('PUT', PATH, {'safe': {
        'name': 'a', 'passcode': 'kumquat', 'limit_eur': 5,
        'opens_at': '2031-05-01T00:00:00Z',
        'closes_at': '2031-06-01T00:00:00Z'}}, OWNER)
    assert created.status == 201
    changed = application.request('PATCH', PATH, {
        'safe': {'passcode': 'durian'}}, OWNER)
    assert changed.status == 200
    return application


READS = [PATH, '/v1/safes', '/v1/safes?with_count=true&sort=closes_at',
         f'{PATH}/revisions', f'{PATH}?revision=1', f'{PATH}/tags',
         f'{PATH}/metadata', '/v1/types/safe', '/v1/types',
         '/v1/docs/openapi']


@pytest.mark.parametrize('path', READS)
@pytest.mark.parametrize('headers', [MEMBER, ADMIN], ids=['member', 'admin'])
def test_no_reply_contains_a_property_that_the_caller_may_not_read(application,
                                                                   path,
                                                                   headers):
    """D26: the reply has neither the name nor the present or old values."""
    reply = application.request('GET', path, None, headers)
    assert reply.status == 200
    for text in ('kumquat', 'durian', '2031-05-01',
                 *(f'"{name}"' for name in HIDDEN)):
        assert text.encode() not in reply.body, text


@pytest.mark.parametrize('path', [PATH, '/v1/safes', '/v1/types/safe',
                                  f'{PATH}/revisions', '/v1/docs/openapi'])
def test_an_owner_reads_the_hidden_properties(application, path):
    reply = application.request('GET', path, None, OWNER)
    for name in HIDDEN:
        assert f'"{name}"'.encode() in reply.body


QUERIES = ['{}=kumquat', '{}=neq:kumquat', '{}=gt:2031-01-01T00:00:00Z',
           'sort={}', 'sort={}:desc', 'sort=closes_at,{}', 'sort_key={}',
           'fields={}', 'fields=name,{}']


@pytest.mark.parametrize('query', QUERIES)
@pytest.mark.parametrize('name', HIDDEN)
def test_a_list_query_treats_a_hidden_property_as_unknown(application, query,
                                                          name):
    """L06: the reply is the 400 of a misspelt name, whatever the value."""
    def error(word: str) -> tuple[int, str]:
        reply = application.request('GET', f'/v1/safes?{query.format(word)}',
                                    None, MEMBER)
        return reply.status, reply.json['error']['message'].replace(
            word, 'NAME')
    assert error(name) == error('nothing')
    assert error(name)[0] == 400


def send(application: Application, verb: str, name: str, value: Any
         ) -> tuple[Reply, str]:
    """Write one property; return the reply, and the pointer that its error
    must have."""
    patch = {**MEMBER, 'Content-Type': 'application/json-patch+json'}
    requests: Mapping[str, tuple[str, str, Any, Any, str]] = {
        'POST': ('POST', '/v1/safes', {'safe': {'name': 'b', name: value}},
                 MEMBER, f'/safe/{name}'),
        'bulk': ('POST', '/v1/safes', {'safes': [
            {'name': 'b'}, {'name': 'c', name: value}]}, MEMBER,
            f'/safes/1/{name}'),
        'create': ('PUT', f'{PATH[:-1]}c', {'safe': {
            'name': 'b', name: value}}, MEMBER, f'/safe/{name}'),
        'PUT': ('PUT', PATH, {'safe': {'name': 'a', name: value}}, MEMBER,
                f'/safe/{name}'),
        'PATCH': ('PATCH', PATH, {'safe': {name: value}}, MEMBER,
                  f'/safe/{name}'),
        'json-patch': ('PATCH', PATH, [{'op': 'add', 'path': f'/{name}',
                                        'value': value}], patch, f'/{name}'),
    }
    *request, pointer = requests[verb]
    return application.request(*request), pointer


@pytest.mark.parametrize('verb', ['POST', 'bulk', 'create', 'PUT', 'PATCH',
                                  'json-patch'])
@pytest.mark.parametrize(('name', 'value'), [
    ('passcode', '9'), ('passcode', 'durian'), ('passcode', None),
    ('passcode', 7), ('limit_eur', 9), ('limit_eur', 'x')])
def test_a_write_without_the_role_is_rejected_with_the_property(application,
                                                                verb, name,
                                                                value):
    """J07: the status is 403 for valid and invalid values, and nothing is
    stored."""
    reply, pointer = send(application, verb, name, value)
    assert reply.status == 403, reply.body
    (error,) = reply.json['errors']
    assert error['code'] == 'pileus.field-forbidden'
    assert error['detail'] == f'{name} cannot be written by your roles.'
    assert error['source'] == {'pointer': pointer}
    records = application.request('GET', '/v1/safes', None,
                                  OWNER).json['safes']
    assert [(record['passcode'], record['limit_eur'])
            for record in records] == [('durian', 5)]


def test_all_forbidden_properties_are_reported_at_once(application):
    reply = application.request('PATCH', PATH, {'safe': {
        'limit_eur': 1, 'passcode': 'x', 'bogus': 1}}, MEMBER)
    assert reply.status == 403
    assert sorted(error['source']['pointer'] for error in reply.json['errors']
                  ) == ['/safe/limit_eur', '/safe/passcode']


def test_removing_a_property_needs_its_write_role(application):
    body = json.dumps([{'op': 'remove', 'path': '/limit_eur'}]).encode()
    reply = application.request('PATCH', PATH, body, {
        **MEMBER, 'Content-Type': 'application/json-patch+json'})
    assert reply.status == 403
    assert reply.json['error']['message'] == (
        'limit_eur cannot be removed by your roles.')


def test_a_caller_may_put_back_the_record_that_it_read(application):
    """D15: a PUT may contain what a GET returned."""
    for roles in (MEMBER, OWNER):
        record = application.request('GET', PATH, None, roles).json
        reply = application.request('PUT', PATH, record, roles)
        assert reply.status == 200
        assert reply.json == record


def test_a_caller_may_clear_a_property_that_it_writes_but_cannot_read(
        tmp_path):
    """null sets the default, as for a property that the caller can read."""
    types = {'safe': SAFE['safe'].replace(', write_roles: [owner]', '')
             .replace('default: 10', 'default: 10, read_roles: [owner]')}
    application = Application(config_dir(tmp_path, types))
    application.request('PUT', PATH, {'safe': {
        'name': 'a', 'passcode': 'x', 'limit_eur': 5}}, OWNER)
    reply = application.request('PATCH', PATH, {'safe': {
        'passcode': None, 'limit_eur': None}}, MEMBER)
    assert reply.status == 200
    record = application.request('GET', PATH, None, OWNER).json['safe']
    assert (record['passcode'], record['limit_eur']) == (None, 10)


def test_views_with_and_without_hidden_properties_have_different_etags(
        application):
    """D16: a cache keeps the views apart, and a write accepts either ETag."""
    tags = [application.request('GET', PATH, None, roles).headers['ETag']
            for roles in (MEMBER, OWNER)]
    assert tags[0] != tags[1]
    for tag in tags:
        assert application.request('PATCH', PATH, {'safe': {}}, {
            **MEMBER, 'If-Match': tag}).status == 200
        assert application.request('GET', PATH, None, {
            **MEMBER, 'If-None-Match': tags[1]}).status == 200


@pytest.mark.parametrize(('values', 'message'), [
    ({'passcode': 'durian'}, 'Another safe has the same values.'),
    ({'passcode': 'durian', 'opens_at': '2031-05-02T00:00:00Z',
      'closes_at': None}, 'Another safe has the same values.')])
def test_a_conflict_of_hidden_values_does_not_name_the_other_record(tmp_path,
                                                                    values,
                                                                    message):
    """A caller that sets a hidden unique value learns only that it is taken.
    """
    types = {'safe': SAFE['safe'].replace(', write_roles: [owner]}', '}', 1)}
    application = Application(config_dir(tmp_path, types))
    for roles, status in ((OWNER, 201), (MEMBER, 409)):
        reply = application.request('POST', '/v1/safes', {'safe': {
            'name': roles['X-Roles'], **values}}, roles)
        assert reply.status == status, reply.body
    assert reply.json['error']['message'] == message
