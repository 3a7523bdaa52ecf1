# SPDX-License-Identifier: Apache-2.0
"""A caller cannot find out hidden values by guessing them in writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.functional.harness.daemon import config_dir
from tests.functional.harness.in_process import Application

SAFE = {'safe': '''
name: safe
plural: safes
properties:
  name: {type: string}
  code: {type: string, read_roles: [owner]}
  serial: {type: string, read_roles: [owner], immutable: true}
  room_id: {references: safe, read_roles: [owner]}
required: [name]
unique: [[name], [serial]]
'''}
PATH = '/v1/safes/7bd6bd13-2c4b-4d6a-9b27-0123456789ab'
OWNER = {'X-Roles': 'member,owner'}
MEMBER = {'X-Roles': 'member'}
PATCH = {**MEMBER, 'Content-Type': 'application/json-patch+json'}


@pytest.fixture
def application(tmp_path: Path) -> Application:
    application = Application(config_dir(tmp_path, SAFE))
    created = application.request('PUT', PATH, {'safe': {
        'name': 'a', 'code': '1234', 'serial': 'S1'}}, OWNER)
    assert created.status == 201
    return application


def all_but_request_id(application: Application, method: str, body: Any,
                       path: str = PATH, headers: Any = None
                       ) -> tuple[Any, ...]:
    """Return all parts of a reply that could confirm a guessed value."""
    reply = application.request(method, path, body, headers or MEMBER)
    text = json.loads(reply.body)
    record = text.get('safe', {})
    record.pop('updated_at', None)
    for error in text.get('errors', ()):
        del error['request_id']
    return reply.status, text, reply.headers['ETag']


@pytest.mark.parametrize('method', ['PATCH', 'PUT'])
@pytest.mark.parametrize(('name', 'right', 'wrong'), [
    ('code', '1234', '4321'), ('serial', 'S1', 'S2')])
def test_the_reply_to_a_write_is_the_same_for_right_and_wrong_values(
        application, method, name, right, wrong):
    """A05, L06: the status, the generation and the ETag are equal."""
    def guess(value: str) -> tuple[Any, ...]:
        return all_but_request_id(application, method,
                                  {'safe': {'name': 'a', name: value}},
                                  f'{PATH}?dry_run=true')
    assert guess(right) == guess(wrong)


@pytest.mark.parametrize('operation', [
    {'op': 'test', 'path': '/code', 'value': '1234'},
    {'op': 'copy', 'from': '/code', 'path': '/name'},
    {'op': 'move', 'from': '/code', 'path': '/name'},
    {'op': 'remove', 'path': '/code'},
    {'op': 'replace', 'path': '/code', 'value': '1234'}])
def test_a_json_patch_treats_a_hidden_property_as_unknown(application,
                                                          operation):
    """A05: each operation gets the same error as for an unknown name."""
    def message(name: str) -> str:
        text = json.dumps([operation]).replace('/code', f'/{name}')
        reply = application.request('PATCH', PATH, text.encode(), PATCH)
        assert reply.status in (400, 409)
        return reply.json['error']['message'].replace(name, 'NAME')
    assert message('code') == message('nope')
    assert application.request('GET', PATH, None, OWNER).json['safe'][
        'code'] == '1234'


def test_an_unchanged_readable_property_keeps_the_generation(application):
    """CODE-5: properties that the caller may read are compared."""
    for _ in range(2):
        reply = application.request('PATCH', PATH, {'safe': {'name': 'a'}},
                                    MEMBER)
        assert reply.json['safe']['generation'] == 1


def test_the_type_lists_hidden_properties_only_to_their_readers(application):
    for headers, names in ((OWNER, True), (MEMBER, False)):
        reply = application.request('GET', '/v1/types/safe', None, headers)
        for name in ('code', 'serial', 'room_id'):
            assert (f'"{name}"'.encode() in reply.body) is names, name
