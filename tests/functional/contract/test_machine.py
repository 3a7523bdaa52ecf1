# SPDX-License-Identifier: Apache-2.0
"""Generated requests in any order, compared with a model.

No request gets a 5xx, each reply has the declared schema, and each record has
the values that its client wrote. Requests are generated from the declared
JSON Schema and from hostile values. The model is a dict of the members that
clients wrote.
"""

from __future__ import annotations

import itertools
import json
import math
import string
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from api.request import schemas
from service.domain.catalogue.microversion import FIRST_VERSION
from service.domain.typefiles import type_files
from tests.functional.harness.daemon import Reply, config_dir
from tests.functional.harness.in_process import Application

TYPE = Path(__file__).parents[1] / 'types' / 'specimen.yaml'
PATH = '/v1/specimens'
ID = '7bd6bd13-2c4b-4d6a-9b27-0123456789ab'
PATCHES = {'Content-Type': 'application/json-patch+json'}


# Requests

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2 ** 63, 2 ** 63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=['Cs'],
                            exclude_characters='\0'), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.text(string.ascii_letters + 'é', max_size=5), inner, max_size=4),
    max_leaves=8)


def times() -> st.SearchStrategy[str]:
    zones = st.integers(-14 * 60, 14 * 60).map(
        lambda minutes: timezone(timedelta(minutes=minutes)))
    return st.datetimes(datetime(1001, 1, 1), datetime(9998, 1, 1),
                        timezones=zones).map(datetime.isoformat)


def texts(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get('format') == 'date-time':
        return times()
    if 'pattern' in schema:
        return st.text(string.ascii_lowercase, min_size=1, max_size=8)
    return st.text(st.characters(exclude_categories=['Cs'],
                                 exclude_characters='\0'),
                   min_size=schema.get('minLength', 0),
                   max_size=schema['maxLength'])


#: JSON Schema type -> a strategy for its values.
VALUES = {
    'string': texts,
    'integer': lambda schema: st.integers(schema.get('minimum'),
                                          schema.get('maximum', 2 ** 63 - 1)),
    'number': lambda schema: st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-10 ** 6, 10 ** 6),
    'boolean': lambda schema: st.booleans(),
    'object': lambda schema: st.dictionaries(
        st.text(string.ascii_letters, max_size=5), JSON, max_size=4),
    'array': lambda schema: st.lists(
        values_of(schema['items']), max_size=schema['maxItems'],
        unique=schema['uniqueItems']),
    'null': lambda schema: st.none(),
}


def values_of(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if 'enum' in schema:
        return st.sampled_from(schema['enum'])
    kinds = schema['type']
    return st.one_of(*(VALUES[kind](schema) for kind in (
        kinds if isinstance(kinds, list) else [kinds])))


SHAPE = type_files.read(str(TYPE.parent)).types['specimen'].at(FIRST_VERSION)
assert SHAPE is not None
WRITE_SCHEMA = schemas.of_shape(SHAPE)
PROPERTY_SCHEMAS = {name: WRITE_SCHEMA['properties'][name]
                    for name in SHAPE.properties}
DEFAULTS = {'live': True, 'kind': 'plain', **dict.fromkeys(
    ('code', 'size', 'ratio', 'seen_at', 'notes', 'parts'))}

#: A few names that often occur again, among all valid names.
names = st.sampled_from('abc') | values_of(PROPERTY_SCHEMAS['name'])
members = st.fixed_dictionaries(
    {'name': names},
    optional={name: values_of(schema)
              for name, schema in PROPERTY_SCHEMAS.items() if name != 'name'})
changes = st.dictionaries(
    st.sampled_from([name for name in PROPERTY_SCHEMAS if name != 'code']),
    st.none(), max_size=4).flatmap(lambda names: st.fixed_dictionaries(
        {name: values_of(PROPERTY_SCHEMAS[name]) for name in names}))

HOSTILE = st.one_of(JSON, st.sampled_from([
    float('nan'), float('inf'), -math.inf, 2 ** 63, 2 ** 64, 10 ** 400, '\0',
    '\ud800', 'x' * 10_000, [[[[]]]] * 40, {'$ref': '#'}, {'': ''}, '',
    "'; DROP TABLE r_specimens; --", '2031-02-30T00:00:00Z', True, []]))
hostile_bodies = st.one_of(
    st.dictionaries(st.sampled_from([*PROPERTY_SCHEMAS, 'id', 'links', 'bogus',
                                     'tags', 'metadata', 'generation']),
                    HOSTILE, min_size=1, max_size=4).map(
        lambda members: {'specimen': members}),
    HOSTILE, st.lists(st.fixed_dictionaries({
        'op': st.sampled_from(['add', 'remove', 'replace', 'move', 'copy',
                               'test', 'x', 3]),
        'path': st.sampled_from(['/name', '/parts/-', '/notes/a', '/id', '',
                                 '/~2', '/parts/01', 'x', 7]),
        'value': HOSTILE}), max_size=3),
    st.binary(max_size=40))


# Replies

COMMON_SCHEMAS = {'id': {'type': 'string', 'format': 'uuid'},
                  'project_id': {'type': 'string'},
                  'generation': {'type': 'integer', 'minimum': 1},
                  'created_at': {'type': 'string', 'format': 'date-time'},
                  'updated_at': {'type': 'string', 'format': 'date-time'},
                  'links': {'type': 'array', 'minItems': 1}}
REPLY_SCHEMA = schemas.compile_schema({
    **WRITE_SCHEMA,
    'properties': {**WRITE_SCHEMA['properties'], **COMMON_SCHEMAS},
    'required': [*WRITE_SCHEMA['properties'], *COMMON_SCHEMAS]})


def equal_values(name: str, sent: Any, shown: Any) -> bool:
    if name == 'seen_at' and sent and shown:
        return moment(sent) == moment(shown)
    if name == 'ratio' and sent is not None:
        return shown is not None and float(sent) == shown
    return json.dumps(sent, sort_keys=True) == json.dumps(
        shown, sort_keys=True) or sent == shown


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def with_default(name: str, value: Any) -> Any:
    """Return the value, or the default in place of null (D11)."""
    return DEFAULTS[name] if value is None else value


class Clients(RuleBasedStateMachine):
    """Clients of a project that no other run of the machine uses."""

    application: Application
    projects = itertools.count()
    ids = Bundle('ids')

    @initialize()
    def begin(self) -> None:
        self.project = f'p{next(self.projects)}'
        self.model: dict[str, dict[str, Any]] = {}

    def send(self, method: str, path: str, body: object = None,
            headers: Any = None) -> Reply:
        reply = self.application.request(method, path, body, {
            'X-Project-Id': self.project, 'X-Roles': 'member',
            **(headers or {})})
        assert reply.status < 500, (method, path, body)
        assert (reply.status >= 400) == (b'"errors":' in reply.body)
        return reply

    def taken(self, name: Any, id: str | None = None) -> bool:
        return any(record['name'] == name
                   for key, record in self.model.items() if key != id)

    def accept(self, reply: Reply, status: int, expected: dict[str, Any]
               ) -> str:
        assert reply.status == status, (reply.body, expected)
        record = reply.json['specimen']
        REPLY_SCHEMA.validate(record)
        for name, value in expected.items():
            assert equal_values(name, value, record[name]), (name, value,
                                                             record[name])
        self.model[record['id']] = expected
        return record['id']

    @rule(target=ids, sent=members)
    def create(self, sent: dict[str, Any]) -> Any:
        clash = self.taken(sent['name'])
        invalid = any(sent.get(name, 0) is None for name in ('live', 'kind'))
        reply = self.send('POST', PATH, {'specimen': sent})
        if clash or invalid:
            assert reply.status == (400 if invalid else 409), reply.body
            return multiple()
        return self.accept(reply, 201, {**DEFAULTS, **sent})

    @rule(id=ids, sent=members)
    def replace(self, id: str, sent: dict[str, Any]) -> None:
        """PUT of a deleted id creates a record with it."""
        exists = id in self.model
        sent = {name: with_default(name, value) for name,
                value in sent.items()}
        if exists:
            sent['code'] = self.model[id]['code']
        reply = self.send('PUT', f'{PATH}/{id}', {'specimen': sent})
        if self.taken(sent['name'], id):
            assert reply.status == 409
        else:
            self.accept(reply, 200 if exists else 201, {**DEFAULTS, **sent})

    @rule(id=ids, sent=changes)
    def merge(self, id: str, sent: dict[str, Any]) -> None:
        sent.pop('notes', None)
        reply = self.send('PATCH', f'{PATH}/{id}', {'specimen': sent})
        self._changed(reply, id, sent)

    @rule(id=ids, sent=changes)
    def patch(self, id: str, sent: dict[str, Any]) -> None:
        reply = self.send('PATCH', f'{PATH}/{id}', json.dumps(
            [{'op': 'replace', 'path': f'/{name}', 'value': value}
             for name, value in sent.items()]).encode(), PATCHES)
        self._changed(reply, id, sent)

    def _changed(self, reply: Reply, id: str, sent: dict[str, Any]) -> None:
        if id not in self.model:
            assert reply.status == 404
        elif 'name' in sent and self.taken(sent['name'], id):
            assert reply.status == 409
        else:
            self.accept(reply, 200, {**self.model[id], **{
                name: with_default(name, value) if name != 'name' else value
                for name, value in sent.items()}})

    @rule(id=ids)
    def delete(self, id: str) -> None:
        exists = self.model.pop(id, None) is not None
        reply = self.send('DELETE', f'{PATH}/{id}')
        assert reply.status == (204 if exists else 404)

    @rule(id=ids, body=hostile_bodies,
          method=st.sampled_from(['POST', 'PUT', 'PATCH']),
          patching=st.booleans())
    def attack(self, id: str, body: Any, method: str, patching: bool) -> None:
        """A rejected body changes nothing; an accepted one is stored."""
        path = PATH if method == 'POST' else f'{PATH}/{id}'
        reply = self.send(method, path, body, PATCHES if patching else {
            'Content-Type': 'application/json'})
        if reply.status < 400:
            record = reply.json['specimen']
            REPLY_SCHEMA.validate(record)
            self.model[record['id']] = {
                name: record[name] for name in PROPERTY_SCHEMAS}

    @rule(id=ids)
    def show(self, id: str) -> None:
        reply = self.send('GET', f'{PATH}/{id}')
        if id not in self.model:
            assert reply.status == 404
        else:
            self.accept(reply, 200, self.model[id])

    @invariant()
    def the_list_equals_the_model(self) -> None:
        page = self.send('GET', f'{PATH}?with_count=true').json
        assert page['count'] == len(self.model)
        ids = {record['id'] for record in page['specimens']}
        assert ids == set(self.model)
        for record in page['specimens']:
            REPLY_SCHEMA.validate(record)
            for name, value in self.model[record['id']].items():
                assert equal_values(name, value, record[name]), (name, value)


@pytest.fixture
def application(tmp_path: Path) -> Application:
    return Application(config_dir(tmp_path, {'specimen': TYPE.read_text()}))


many_runs = settings(deadline=None, suppress_health_check=list(HealthCheck))


def test_records_equal_the_model_after_any_requests(application):
    """INT-4, INT-3, J07: valid and hostile requests, in any order."""
    run_state_machine_as_test(
        type('Served', (Clients,), {'application': application}),
        settings=settings(many_runs, max_examples=25, stateful_step_count=20))


@settings(many_runs, max_examples=250)
@given(body=hostile_bodies, method=st.sampled_from(['POST', 'PUT', 'PATCH']),
       patching=st.booleans())
def test_a_hostile_body_gets_neither_5xx_nor_source_code(application, body,
                                                         method, patching):
    """INT-4, CODE-6, J01, J04, J05, J08: hostile bodies on every write."""
    created = application.request('PUT', f'{PATH}/{ID}',
                                  {'specimen': {'name': 'a'}})
    assert created.status in (200, 201)
    path = PATH if method == 'POST' else f'{PATH}/{ID}'
    reply = application.request(method, path, body, PATCHES if patching else {
        'Content-Type': 'application/json'})
    assert reply.status in (200, 201, 400, 409, 415)
    for leak in (b'Traceback', b'File "', b'.py', b'sqlite'):
        assert leak not in reply.body
    if reply.status == 200:
        REPLY_SCHEMA.validate(reply.json['specimen'])
