# SPDX-License-Identifier: Apache-2.0
"""What a client may not write stays, by every way there is to write (J07).

The cases are made from the declaration: each member that is not the
caller's, by each verb, and by headers that only look as if they meant it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from service.domain.catalogue.types import COMMON_FIELDS
from service.domain.typefiles import type_files
from tests.functional.harness.daemon import config_dir
from tests.functional.harness.in_process import Application

LOCKED = '''
name: locked
plural: locks
properties:
  name: {type: string}
  serial: {type: string, immutable: true}
  slots: {type: integer, immutable: true}
  fitted: {type: boolean, immutable: true}
  fitted_at: {type: string, format: date-time, immutable: true}
  door_id: {references: locked, on_delete: cascade, immutable: true}
  plan: {type: object, immutable: true}
  budget: {type: integer, default: 7, write_roles: [treasurer]}
  rating: {type: number, write_roles: [treasurer]}
  codes: {type: array, items: {type: string}, write_roles: [treasurer]}
  seal: {type: string, immutable: true, write_roles: [treasurer]}
required: [name]
'''
DECLARED = type_files.parse({'locked.yaml': LOCKED}).types['locked']
USERS = 'ada: {project_id: ours, roles: [member]}\n' \
        'tess: {project_id: ours, roles: [member, treasurer]}\n'
ID, DOOR = (f'7bd6bd13-2c4b-4d6a-9b27-00000000000{one}' for one in 'ab')
RECORD = f'/v1/locks/{ID}'
HASH = '$2b$04$UQ06idjBREZ4nHp6AKUJn.9GpB2wiFB6IK3zMvpQR8gsIsT70o69y'
ADA, TESS = ({'Authorization': f'Basic {word}'}
             for word in ('YWRhOnMzY3JldA==', 'dGVzczpzM2NyZXQ='))

#: What a record has and clients set as they like.
PARTS = {'tags', 'metadata'}

#: Another value than the stored one, which would do if it could be written.
OTHER: Mapping[str, Any] = {
    'id': DOOR.replace('b', 'c'), 'project_id': 'other',
    'generation': 9, 'created_at': '2001-01-01T00:00:00Z',
    'updated_at': '2001-01-01T00:00:00Z', 'links': [],
    # What other services call theirs, and nobody.
    'revision': 1, 'status': 'ok', 'owner': 'other', '_links': {}}
#: A stored value of each kind or format, and another.
KINDS: Mapping[str, tuple[Any, Any]] = {
    'string': ('there', 'other'), 'integer': (8, 100), 'number': (0.5, 1.5),
    'boolean': (False, True), 'object': ({}, {'a': 1}), 'array': ([], ['x']),
    'uuid': (DOOR, ID),
    'date-time': ('2002-02-02T00:00:00Z', '2001-01-01T00:00:00Z')}
STORED = {one.name: KINDS[one.format or one.kind][0]
          for one in DECLARED.properties.values()} | {'name': 'a'}
#: What a PUT that changes none of it says.
KEPT = {one.name: STORED[one.name] for one in DECLARED.properties.values()
        if not one.write_roles}


class Case(NamedTuple):
    """A member, and a value; ``reserved`` for roles that a member of a
    project has not."""

    name: str
    value: Any
    immutable: bool = False
    reserved: bool = False

    @property
    def status(self) -> int:
        return 403 if self.reserved else 400


CASES = {name: Case(name, value) for name, value in OTHER.items()} | {
    one.name: Case(one.name, KINDS[one.format or one.kind][1], one.immutable,
                   bool(one.write_roles))
    for one in DECLARED.properties.values()
    if one.immutable or one.write_roles}

#: Bodies that give a member a value: of a new record, of one that is there,
#: and the operations of a JSON Patch.
Body = Callable[[str, Any], Any]
CREATE: Mapping[str, Body] = {
    'POST': lambda name, value: {'locked': {'name': 'a', name: value}},
    'bulk': lambda name, value: {'locks': [{'name': 'a'}, {
        'name': 'a', name: value}]}}
PATCH: Mapping[str, Body] = {
    'PATCH': lambda name, value: {'locked': {name: value}},
    'merge': lambda name, value: {'locked': {name: value}}}
OPERATE: Mapping[str, Body] = {
    'add': lambda name, value: [
        {'op': 'add', 'path': f'/{name}', 'value': value}],
    'replace': lambda name, value: [
        {'op': 'replace', 'path': f'/{name}', 'value': value}],
    'remove': lambda name, value: [{'op': 'remove', 'path': f'/{name}'}],
    'copy': lambda name, value: [
        {'op': 'add', 'path': '/metadata/x', 'value': 'y'},
        {'op': 'copy', 'from': '/name', 'path': f'/{name}'}],
    'move': lambda name, value: [
        {'op': 'move', 'from': '/name', 'path': f'/{name}'}],
    'move away': lambda name, value: [
        {'op': 'move', 'from': f'/{name}', 'path': '/metadata/x'}]}
CHANGE: Mapping[str, Body] = {
    'PUT': CREATE['POST'], **PATCH, **OPERATE}
MEDIA = {'merge': 'application/merge-patch+json',
         **dict.fromkeys(OPERATE, 'application/json-patch+json')}


@pytest.fixture(scope='module')
def served(tmp_path_factory: pytest.TempPathFactory
           ) -> Iterator[Application]:
    """One that knows who calls, so that headers of identity mean nothing."""
    made = config_dir(tmp_path_factory.mktemp('locked'), {'locked': LOCKED}, {
        'api': {'auth_strategy': 'http_basic'}})
    (made / 'htpasswd').write_text(f'ada:{HASH}\ntess:{HASH}\n')
    (made / 'users.yaml').write_text(USERS)
    return Application(made)


@pytest.fixture
def ask(served: Application) -> Callable[..., Any]:
    def asked(way: str, path: str, body: Any = None,
              headers: Mapping[str, str] | None = None) -> Any:
        method = {'bulk': 'POST', 'merge': 'PATCH', **dict.fromkeys(
            OPERATE, 'PATCH')}.get(way, way)
        return served.request(
            method, path, body if body is None else json.dumps(body).encode(),
            {'Content-Type': MEDIA.get(way, 'application/json'), **ADA,
             **(headers or {})})
    return asked


@pytest.fixture
def stored(ask: Callable[..., Any]) -> Mapping[str, Any]:
    """A record with a value for each property; its door is another."""
    for one in ask('GET', '/v1/locks').json['locks']:
        ask('DELETE', f'/v1/locks/{one["id"]}')
    ask('PUT', f'/v1/locks/{DOOR}', {'locked': {'name': 'door'}})
    made = ask('PUT', RECORD, {'locked': STORED}, TESS)
    assert made.status == 201, made.body
    return made.json['locked']


def test_every_member_of_every_record_is_looked_at():
    """J07: a member that comes new is writable or stands in ``OTHER``."""
    assert set(COMMON_FIELDS) - PARTS <= set(OTHER)
    assert OTHER.keys().isdisjoint(DECLARED.properties)
    assert CASES.keys() >= DECLARED.properties.keys() - {'name'}


@pytest.mark.parametrize('way', CHANGE)
@pytest.mark.parametrize('name', CASES)
def test_a_change_does_not_write_it(ask, stored, way, name):
    """J07, A05: and changes nothing else."""
    case = CASES[name]
    reply = ask(way, RECORD, CHANGE[way](name, case.value))
    assert reply.status == case.status, reply.body
    assert ask('GET', RECORD).json['locked'] == stored


@pytest.mark.parametrize('way', CREATE)
@pytest.mark.parametrize('name', CASES)
def test_a_new_record_does_not_take_it(ask, stored, way, name):
    """J07: but for what is set once, and then is."""
    case, before = CASES[name], ask('GET', '/v1/locks').json
    reply = ask(way, '/v1/locks', CREATE[way](name, case.value))
    if case.immutable and not case.reserved:
        assert reply.status == 201
        return
    assert reply.status == (403 if name == 'project_id' else case.status), (
        reply.body)
    assert ask('GET', '/v1/locks').json == before


@pytest.mark.parametrize('way', ['POST', 'PUT', 'PATCH', 'merge', 'add'])
@pytest.mark.parametrize('name', CASES)
def test_a_header_does_not_write_it(ask, stored, way, name):
    """J07: whatever it is called, the write means what its body says."""
    value = json.dumps(CASES[name].value).strip('"')
    word = name.strip('_').replace('_', '-')
    body = {'locked': {**KEPT, 'name': 'b'}} if way == 'PUT' else (
        {**CREATE, **CHANGE}[way]('name', 'b'))
    reply = ask(way, '/v1/locks' if way == 'POST' else RECORD, body, {
        word: value, f'X-{word}': value, f'X-Locked-{word}': value,
        'X-Roles': 'admin,treasurer', 'X-User-Id': 'root'})
    assert reply.status == (201 if way == 'POST' else 200), reply.body
    found = reply.json['locked']
    assert found['name'] == 'b'
    assert found.get(name) != CASES[name].value
    assert found['project_id'] == stored['project_id'] == 'ours'
