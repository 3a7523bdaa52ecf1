# SPDX-License-Identifier: Apache-2.0
"""What a caller may not read, it may not find out by guessing either."""

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
def served(tmp_path: Path) -> Application:
    served = Application(config_dir(tmp_path, SAFE))
    made = served.request('PUT', PATH, {'safe': {
        'name': 'a', 'code': '1234', 'serial': 'S1'}}, OWNER)
    assert made.status == 201
    return served


def told(served: Application, method: str, body: Any, path: str = PATH,
         headers: Any = None) -> tuple[Any, ...]:
    """All of a reply that could tell a guess from a hit."""
    reply = served.request(method, path, body, headers or MEMBER)
    text = json.loads(reply.body)
    shown = text.get('safe', {})
    shown.pop('updated_at', None)
    for one in text.get('errors', ()):
        del one['request_id']
    return reply.status, text, reply.headers['ETag']


@pytest.mark.parametrize('method', ['PATCH', 'PUT'])
@pytest.mark.parametrize(('name', 'right', 'wrong'), [
    ('code', '1234', '4321'), ('serial', 'S1', 'S2')])
def test_a_write_does_not_say_whether_it_guessed(served, method, name, right,
                                                 wrong):
    """A05, L06: not by its status, its generation or its ETag."""
    def guess(value: str) -> tuple[Any, ...]:
        return told(served, method, {'safe': {'name': 'a', name: value}},
                    f'{PATH}?dry_run=true')
    assert guess(right) == guess(wrong)


@pytest.mark.parametrize('operation', [
    {'op': 'test', 'path': '/code', 'value': '1234'},
    {'op': 'copy', 'from': '/code', 'path': '/name'},
    {'op': 'move', 'from': '/code', 'path': '/name'},
    {'op': 'remove', 'path': '/code'},
    {'op': 'replace', 'path': '/code', 'value': '1234'}])
def test_to_a_patch_it_is_not_there(served, operation):
    """A05: whatever the operation, as for a name that is none."""
    def sent(name: str) -> str:
        text = json.dumps([operation]).replace('/code', f'/{name}')
        reply = served.request('PATCH', PATH, text.encode(), PATCH)
        assert reply.status in (400, 409)
        return reply.json['error']['message'].replace(name, 'NAME')
    assert sent('code') == sent('nope')
    assert served.request('GET', PATH, None, OWNER).json['safe'][
        'code'] == '1234'


def test_a_member_that_reads_what_it_wrote_keeps_the_generation(served):
    """CODE-5: what it may read is compared as ever."""
    for _ in range(2):
        reply = served.request('PATCH', PATH, {'safe': {'name': 'a'}}, MEMBER)
        assert reply.json['safe']['generation'] == 1


def test_the_type_does_not_name_it(served):
    for headers, names in ((OWNER, True), (MEMBER, False)):
        reply = served.request('GET', '/v1/types/safe', None, headers)
        for name in ('code', 'serial', 'room_id'):
            assert (f'"{name}"'.encode() in reply.body) is names, name
