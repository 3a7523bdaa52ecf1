# SPDX-License-Identifier: Apache-2.0
"""Properties that only some roles read or set, at every door there is.

``test_hidden_values`` has what a writer might guess.
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
def served(tmp_path_factory: pytest.TempPathFactory) -> Application:
    served = Application(config_dir(tmp_path_factory.mktemp('safes'), SAFE))
    made = served.request('PUT', PATH, {'safe': {
        'name': 'a', 'passcode': 'kumquat', 'limit_eur': 5,
        'opens_at': '2031-05-01T00:00:00Z',
        'closes_at': '2031-06-01T00:00:00Z'}}, OWNER)
    assert made.status == 201
    changed = served.request('PATCH', PATH, {
        'safe': {'passcode': 'durian'}}, OWNER)
    assert changed.status == 200
    return served


READS = [PATH, '/v1/safes', '/v1/safes?with_count=true&sort=closes_at',
         f'{PATH}/revisions', f'{PATH}?revision=1', f'{PATH}/tags',
         f'{PATH}/metadata', '/v1/types/safe', '/v1/types',
         '/v1/docs/openapi']


@pytest.mark.parametrize('path', READS)
@pytest.mark.parametrize('headers', [MEMBER, ADMIN], ids=['member', 'admin'])
def test_what_a_caller_may_not_read_is_in_no_reply(served, path, headers):
    """D26: neither the value nor the name; now, or as it was."""
    reply = served.request('GET', path, None, headers)
    assert reply.status == 200
    for text in ('kumquat', 'durian', '2031-05-01', *(f'"{one}"'
                                                for one in HIDDEN)):
        assert text.encode() not in reply.body, text


@pytest.mark.parametrize('path', [PATH, '/v1/safes', '/v1/types/safe',
                                  f'{PATH}/revisions', '/v1/docs/openapi'])
def test_who_may_read_it_does(served, path):
    reply = served.request('GET', path, None, OWNER)
    for name in HIDDEN:
        assert f'"{name}"'.encode() in reply.body


QUERIES = ['{}=kumquat', '{}=neq:kumquat', '{}=gt:2031-01-01T00:00:00Z',
           'sort={}', 'sort={}:desc', 'sort=closes_at,{}', 'sort_key={}',
           'fields={}', 'fields=name,{}']


@pytest.mark.parametrize('query', QUERIES)
@pytest.mark.parametrize('name', HIDDEN)
def test_a_list_takes_it_for_a_name_that_is_none(served, query, name):
    """L06: 400 as for a misspelt name, whatever the value."""
    def told(word: str) -> tuple[int, str]:
        reply = served.request('GET', f'/v1/safes?{query.format(word)}',
                               None, MEMBER)
        return reply.status, reply.json['error']['message'].replace(
            word, 'NAME')
    assert told(name) == told('nothing')
    assert told(name)[0] == 400


def sent(served: Application, verb: str, name: str, value: Any
         ) -> tuple[Reply, str]:
    """A write of one property, and the pointer its refusal should have."""
    patch = {**MEMBER, 'Content-Type': 'application/json-patch+json'}
    ways: Mapping[str, tuple[str, str, Any, Any, str]] = {
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
    *asked, pointer = ways[verb]
    return served.request(*asked), pointer


@pytest.mark.parametrize('verb', ['POST', 'bulk', 'create', 'PUT', 'PATCH',
                                  'json-patch'])
@pytest.mark.parametrize(('name', 'value'), [
    ('passcode', '9'), ('passcode', 'durian'), ('passcode', None),
    ('passcode', 7), ('limit_eur', 9), ('limit_eur', 'x')])
def test_who_may_not_set_it_is_refused_by_its_name(served, verb, name,
                                                   value):
    """J07: 403 and no 400, right value or wrong, and nothing is made."""
    reply, pointer = sent(served, verb, name, value)
    assert reply.status == 403, reply.body
    (told,) = reply.json['errors']
    assert told['code'] == 'pileus.field-forbidden'
    assert told['detail'] == f'{name} cannot be written by your roles.'
    assert told['source'] == {'pointer': pointer}
    now = served.request('GET', '/v1/safes', None, OWNER).json['safes']
    assert [(one['passcode'], one['limit_eur']) for one in now] == [
        ('durian', 5)]


def test_all_of_them_are_named(served):
    reply = served.request('PATCH', PATH, {'safe': {
        'limit_eur': 1, 'passcode': 'x', 'bogus': 1}}, MEMBER)
    assert reply.status == 403
    assert sorted(one['source']['pointer'] for one in reply.json['errors']
                  ) == ['/safe/limit_eur', '/safe/passcode']


def test_to_take_it_away_is_to_set_it(served):
    body = json.dumps([{'op': 'remove', 'path': '/limit_eur'}]).encode()
    reply = served.request('PATCH', PATH, body, {
        **MEMBER, 'Content-Type': 'application/json-patch+json'})
    assert reply.status == 403
    assert reply.json['error']['message'] == (
        'limit_eur cannot be removed by your roles.')


def test_what_was_read_may_be_sent_back(served):
    """D15"""
    for roles in (MEMBER, OWNER):
        read = served.request('GET', PATH, None, roles).json
        reply = served.request('PUT', PATH, read, roles)
        assert reply.status == 200
        assert reply.json == read


def test_who_sets_what_it_cannot_read_may_also_clear_it(tmp_path):
    """A null means the same as for what is seen: the default."""
    types = {'safe': SAFE['safe'].replace(', write_roles: [owner]', '')
             .replace('default: 10', 'default: 10, read_roles: [owner]')}
    served = Application(config_dir(tmp_path, types))
    served.request('PUT', PATH, {'safe': {
        'name': 'a', 'passcode': 'x', 'limit_eur': 5}}, OWNER)
    reply = served.request('PATCH', PATH, {'safe': {
        'passcode': None, 'limit_eur': None}}, MEMBER)
    assert reply.status == 200
    now = served.request('GET', PATH, None, OWNER).json['safe']
    assert (now['passcode'], now['limit_eur']) == (None, 10)


def test_the_etags_of_two_views_differ(served):
    """D16: a cache keeps them apart, a write takes either."""
    tags = [served.request('GET', PATH, None, roles).headers['ETag']
            for roles in (MEMBER, OWNER)]
    assert tags[0] != tags[1]
    for tag in tags:
        assert served.request('PATCH', PATH, {'safe': {}}, {
            **MEMBER, 'If-Match': tag}).status == 200
        assert served.request('GET', PATH, None, {
            **MEMBER, 'If-None-Match': tags[1]}).status == 200


@pytest.mark.parametrize(('values', 'told'), [
    ({'passcode': 'durian'}, 'Another safe has the same values.'),
    ({'passcode': 'durian', 'opens_at': '2031-05-02T00:00:00Z',
      'closes_at': None}, 'Another safe has the same values.')])
def test_a_conflict_does_not_say_who_has_it(tmp_path, values, told):
    """Somebody may set what he cannot read; that it is taken is all that he
    is told."""
    types = {'safe': SAFE['safe'].replace(', write_roles: [owner]}', '}', 1)}
    served = Application(config_dir(tmp_path, types))
    for roles, status in ((OWNER, 201), (MEMBER, 409)):
        reply = served.request('POST', '/v1/safes', {'safe': {
            'name': roles['X-Roles'], **values}}, roles)
        assert reply.status == status, reply.body
    assert reply.json['error']['message'] == told
