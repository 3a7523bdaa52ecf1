# SPDX-License-Identifier: Apache-2.0
"""No request writes a member that the caller may not write (J07).

The cases come from the declaration: each protected member with each kind of
write, and with headers that have the member's name.
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
ID, DOOR = (f'7bd6bd13-2c4b-4d6a-9b27-00000000000{digit}' for digit in 'ab')
RECORD = f'/v1/locks/{ID}'
HASH = '$2b$04$UQ06idjBREZ4nHp6AKUJn.9GpB2wiFB6IK3zMvpQR8gsIsT70o69y'
ADA, TESS = ({'Authorization': f'Basic {word}'}
             for word in ('YWRhOnMzY3JldA==', 'dGVzczpzM2NyZXQ='))

#: Common members that clients may write.
TAGS_METADATA = {'tags', 'metadata'}

#: Member -> a valid value other than the stored one.
OTHER: Mapping[str, Any] = {
    'id': DOOR.replace('b', 'c'), 'project_id': 'other',
    'generation': 9, 'created_at': '2001-01-01T00:00:00Z',
    'updated_at': '2001-01-01T00:00:00Z', 'links': [],
    # Members that other services have and Pileus does not.
    'revision': 1, 'status': 'ok', 'owner': 'other', '_links': {}}
#: Kind or format -> the stored value, and another.
VALUES: Mapping[str, tuple[Any, Any]] = {
    'string': ('there', 'other'), 'integer': (8, 100), 'number': (0.5, 1.5),
    'boolean': (False, True), 'object': ({}, {'a': 1}), 'array': ([], ['x']),
    'uuid': (DOOR, ID),
    'date-time': ('2002-02-02T00:00:00Z', '2001-01-01T00:00:00Z')}
STORED = {prop.name: VALUES[prop.format or prop.kind][0]
          for prop in DECLARED.properties.values()} | {'name': 'a'}
#: Members of a PUT that changes no protected property.
UNCHANGED = {prop.name: STORED[prop.name]
             for prop in DECLARED.properties.values() if not prop.write_roles}


class Case(NamedTuple):
    """A protected member and a value.

    ``reserved`` members need a role that a member of a project lacks.
    """

    name: str
    value: Any
    immutable: bool = False
    reserved: bool = False

    @property
    def status(self) -> int:
        return 403 if self.reserved else 400


CASES = {name: Case(name, value) for name, value in OTHER.items()} | {
    prop.name: Case(prop.name, VALUES[prop.format or prop.kind][1],
                    prop.immutable,
                    bool(prop.write_roles))
    for prop in DECLARED.properties.values()
    if prop.immutable or prop.write_roles}

#: Bodies that give a member a value: of a new record, of a PATCH, and the
#: operations of a JSON Patch.
Body = Callable[[str, Any], Any]
CREATIONS: Mapping[str, Body] = {
    'POST': lambda name, value: {'locked': {'name': 'a', name: value}},
    'bulk': lambda name, value: {'locks': [{'name': 'a'}, {
        'name': 'a', name: value}]}}
PATCHES: Mapping[str, Body] = {
    'PATCH': lambda name, value: {'locked': {name: value}},
    'merge': lambda name, value: {'locked': {name: value}}}
OPERATIONS: Mapping[str, Body] = {
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
CHANGES: Mapping[str, Body] = {
    'PUT': CREATIONS['POST'], **PATCHES, **OPERATIONS}
MEDIA_TYPES = {'merge': 'application/merge-patch+json',
               **dict.fromkeys(OPERATIONS, 'application/json-patch+json')}


@pytest.fixture(scope='module')
def application(tmp_path_factory: pytest.TempPathFactory
                ) -> Iterator[Application]:
    """A service with passwords, so that identity headers have no effect."""
    directory = config_dir(
        tmp_path_factory.mktemp('locked'), {'locked': LOCKED},
        {'api': {'auth_strategy': 'http_basic'}})
    (directory / 'htpasswd').write_text(f'ada:{HASH}\ntess:{HASH}\n')
    (directory / 'users.yaml').write_text(USERS)
    return Application(directory)


@pytest.fixture
def send(application: Application) -> Callable[..., Any]:
    def send_json(verb: str, path: str, body: Any = None,
                  headers: Mapping[str, str] | None = None) -> Any:
        method = {'bulk': 'POST', 'merge': 'PATCH', **dict.fromkeys(
            OPERATIONS, 'PATCH')}.get(verb, verb)
        return application.request(
            method, path, body if body is None else json.dumps(body).encode(),
            {'Content-Type': MEDIA_TYPES.get(verb, 'application/json'), **ADA,
             **(headers or {})})
    return send_json


@pytest.fixture
def stored(send: Callable[..., Any]) -> Mapping[str, Any]:
    """A record with a value for each property; it refers to another record.
    """
    for record in send('GET', '/v1/locks').json['locks']:
        send('DELETE', f'/v1/locks/{record["id"]}')
    send('PUT', f'/v1/locks/{DOOR}', {'locked': {'name': 'door'}})
    created = send('PUT', RECORD, {'locked': STORED}, TESS)
    assert created.status == 201, created.body
    return created.json['locked']


def test_every_member_of_a_record_has_a_case():
    """J07: a new member is writable or has an entry in ``OTHER``."""
    assert set(COMMON_FIELDS) - TAGS_METADATA <= set(OTHER)
    assert OTHER.keys().isdisjoint(DECLARED.properties)
    assert CASES.keys() >= DECLARED.properties.keys() - {'name'}


@pytest.mark.parametrize('verb', CHANGES)
@pytest.mark.parametrize('name', CASES)
def test_no_change_writes_a_protected_member(send, stored, verb, name):
    """J07, A05: the whole record stays unchanged."""
    case = CASES[name]
    reply = send(verb, RECORD, CHANGES[verb](name, case.value))
    assert reply.status == case.status, reply.body
    assert send('GET', RECORD).json['locked'] == stored


@pytest.mark.parametrize('verb', CREATIONS)
@pytest.mark.parametrize('name', CASES)
def test_no_new_record_gets_a_protected_member(send, stored, verb, name):
    """J07: an immutable property may be set in a new record."""
    case, before = CASES[name], send('GET', '/v1/locks').json
    reply = send(verb, '/v1/locks', CREATIONS[verb](name, case.value))
    if case.immutable and not case.reserved:
        assert reply.status == 201
        return
    assert reply.status == (403 if name == 'project_id' else case.status), (
        reply.body)
    assert send('GET', '/v1/locks').json == before


@pytest.mark.parametrize('verb', ['POST', 'PUT', 'PATCH', 'merge', 'add'])
@pytest.mark.parametrize('name', CASES)
def test_no_header_writes_a_protected_member(send, stored, verb, name):
    """J07: the write stores its body, whatever the headers say."""
    value = json.dumps(CASES[name].value).strip('"')
    word = name.strip('_').replace('_', '-')
    body = {'locked': {**UNCHANGED, 'name': 'b'}} if verb == 'PUT' else (
        {**CREATIONS, **CHANGES}[verb]('name', 'b'))
    reply = send(verb, '/v1/locks' if verb == 'POST' else RECORD, body, {
        word: value, f'X-{word}': value, f'X-Locked-{word}': value,
        'X-Roles': 'admin,treasurer', 'X-User-Id': 'root'})
    assert reply.status == (201 if verb == 'POST' else 200), reply.body
    record = reply.json['locked']
    assert record['name'] == 'b'
    assert record.get(name) != CASES[name].value
    assert record['project_id'] == stored['project_id'] == 'ours'
