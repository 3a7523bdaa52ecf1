# SPDX-License-Identifier: Apache-2.0
"""Whatever is asked in whatever order: no 5xx, no reply outside the declared
schema, and no record other than the client made it.

What is sent is generated from the declared JSON Schema, and from what no
schema would have. The model is a dict of the members that clients wrote.
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


# What is sent

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


#: JSON Schema type -> values of it.
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
        of_schema(schema['items']), max_size=schema['maxItems'],
        unique=schema['uniqueItems']),
    'null': lambda schema: st.none(),
}


def of_schema(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if 'enum' in schema:
        return st.sampled_from(schema['enum'])
    kinds = schema['type']
    return st.one_of(*(VALUES[kind](schema) for kind in (
        kinds if isinstance(kinds, list) else [kinds])))


SHAPE = type_files.read(str(TYPE.parent)).types['specimen'].at(FIRST_VERSION)
assert SHAPE is not None
WRITTEN = schemas.of_shape(SHAPE)
DECLARED = {name: WRITTEN['properties'][name] for name in SHAPE.properties}
DEFAULTS = {'live': True, 'kind': 'plain', **dict.fromkeys(
    ('code', 'size', 'ratio', 'seen_at', 'notes', 'parts'))}

#: Few enough to meet again, among all there could be.
names = st.sampled_from('abc') | of_schema(DECLARED['name'])
members = st.fixed_dictionaries(
    {'name': names},
    optional={name: of_schema(schema)
              for name, schema in DECLARED.items() if name != 'name'})
changes = st.dictionaries(
    st.sampled_from([name for name in DECLARED if name != 'code']),
    st.none(), max_size=4).flatmap(lambda names: st.fixed_dictionaries(
        {name: of_schema(DECLARED[name]) for name in names}))

HOSTILE = st.one_of(JSON, st.sampled_from([
    float('nan'), float('inf'), -math.inf, 2 ** 63, 2 ** 64, 10 ** 400, '\0',
    '\ud800', 'x' * 10_000, [[[[]]]] * 40, {'$ref': '#'}, {'': ''}, '',
    "'; DROP TABLE r_specimens; --", '2031-02-30T00:00:00Z', True, []]))
hostile_bodies = st.one_of(
    st.dictionaries(st.sampled_from([*DECLARED, 'id', 'links', 'bogus',
                                     'tags', 'metadata', 'generation']),
                    HOSTILE, min_size=1, max_size=4).map(
        lambda one: {'specimen': one}),
    HOSTILE, st.lists(st.fixed_dictionaries({
        'op': st.sampled_from(['add', 'remove', 'replace', 'move', 'copy',
                               'test', 'x', 3]),
        'path': st.sampled_from(['/name', '/parts/-', '/notes/a', '/id', '',
                                 '/~2', '/parts/01', 'x', 7]),
        'value': HOSTILE}), max_size=3),
    st.binary(max_size=40))


# What is expected

COMMON = {'id': {'type': 'string', 'format': 'uuid'},
          'project_id': {'type': 'string'},
          'generation': {'type': 'integer', 'minimum': 1},
          'created_at': {'type': 'string', 'format': 'date-time'},
          'updated_at': {'type': 'string', 'format': 'date-time'},
          'links': {'type': 'array', 'minItems': 1}}
REPLY = schemas.compile_schema({
    **WRITTEN, 'properties': {**WRITTEN['properties'], **COMMON},
    'required': [*WRITTEN['properties'], *COMMON]})


def same(name: str, sent: Any, told: Any) -> bool:
    if name == 'seen_at' and sent and told:
        return moment(sent) == moment(told)
    if name == 'ratio' and sent is not None:
        return told is not None and float(sent) == told
    return json.dumps(sent, sort_keys=True) == json.dumps(
        told, sort_keys=True) or sent == told


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def whole(name: str, value: Any) -> Any:
    """A null where there is a default stands for it (D11)."""
    return DEFAULTS[name] if value is None else value


class Clients(RuleBasedStateMachine):
    """Clients of one project, which no other run of the machine sees."""

    application: Application
    projects = itertools.count()
    ids = Bundle('ids')

    @initialize()
    def begin(self) -> None:
        self.project = f'p{next(self.projects)}'
        self.model: dict[str, dict[str, Any]] = {}

    def ask(self, method: str, path: str, body: object = None,
            headers: Any = None) -> Reply:
        reply = self.application.request(method, path, body, {
            'X-Project-Id': self.project, 'X-Roles': 'member',
            **(headers or {})})
        assert reply.status < 500, (method, path, body)
        assert (reply.status >= 400) == (b'"errors":' in reply.body)
        return reply

    def taken(self, name: Any, id: str | None = None) -> bool:
        return any(one['name'] == name for key, one in self.model.items()
                   if key != id)

    def accept(self, reply: Reply, status: int, expected: dict[str, Any]
               ) -> str:
        assert reply.status == status, (reply.body, expected)
        told = reply.json['specimen']
        REPLY.validate(told)
        for name, value in expected.items():
            assert same(name, value, told[name]), (name, value, told[name])
        self.model[told['id']] = expected
        return told['id']

    @rule(target=ids, sent=members)
    def create(self, sent: dict[str, Any]) -> Any:
        clash = self.taken(sent['name'])
        refused = any(sent.get(name, 0) is None for name in ('live', 'kind'))
        reply = self.ask('POST', PATH, {'specimen': sent})
        if clash or refused:
            assert reply.status == (400 if refused else 409), reply.body
            return multiple()
        return self.accept(reply, 201, {**DEFAULTS, **sent})

    @rule(id=ids, sent=members)
    def replace(self, id: str, sent: dict[str, Any]) -> None:
        """PUT on what was deleted makes it again."""
        there = id in self.model
        sent = {name: whole(name, value) for name, value in sent.items()}
        if there:
            sent['code'] = self.model[id]['code']
        reply = self.ask('PUT', f'{PATH}/{id}', {'specimen': sent})
        if self.taken(sent['name'], id):
            assert reply.status == 409
        else:
            self.accept(reply, 200 if there else 201, {**DEFAULTS, **sent})

    @rule(id=ids, sent=changes)
    def merge(self, id: str, sent: dict[str, Any]) -> None:
        sent.pop('notes', None)
        reply = self.ask('PATCH', f'{PATH}/{id}', {'specimen': sent})
        self._changed(reply, id, sent)

    @rule(id=ids, sent=changes)
    def patch(self, id: str, sent: dict[str, Any]) -> None:
        reply = self.ask('PATCH', f'{PATH}/{id}', json.dumps(
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
                name: whole(name, value) if name != 'name' else value
                for name, value in sent.items()}})

    @rule(id=ids)
    def delete(self, id: str) -> None:
        there = self.model.pop(id, None) is not None
        reply = self.ask('DELETE', f'{PATH}/{id}')
        assert reply.status == (204 if there else 404)

    @rule(id=ids, body=hostile_bodies,
          method=st.sampled_from(['POST', 'PUT', 'PATCH']),
          patching=st.booleans())
    def attack(self, id: str, body: Any, method: str, patching: bool) -> None:
        """What is refused changes nothing; what is not stays as told."""
        path = PATH if method == 'POST' else f'{PATH}/{id}'
        reply = self.ask(method, path, body, PATCHES if patching else {
            'Content-Type': 'application/json'})
        if reply.status < 400:
            told = reply.json['specimen']
            REPLY.validate(told)
            self.model[told['id']] = {name: told[name] for name in DECLARED}

    @rule(id=ids)
    def show(self, id: str) -> None:
        reply = self.ask('GET', f'{PATH}/{id}')
        if id not in self.model:
            assert reply.status == 404
        else:
            self.accept(reply, 200, self.model[id])

    @invariant()
    def the_list_is_the_model(self) -> None:
        told = self.ask('GET', f'{PATH}?with_count=true').json
        assert told['count'] == len(self.model)
        assert {one['id'] for one in told['specimens']} == set(self.model)
        for one in told['specimens']:
            REPLY.validate(one)
            for name, value in self.model[one['id']].items():
                assert same(name, value, one[name]), (name, value)


@pytest.fixture
def served(tmp_path: Path) -> Application:
    return Application(config_dir(tmp_path, {'specimen': TYPE.read_text()}))


often = settings(deadline=None, suppress_health_check=list(HealthCheck))


def test_the_service_is_the_model_whatever_is_asked(served):
    """INT-4, INT-3, J07: good and bad requests in any order."""
    run_state_machine_as_test(
        type('Served', (Clients,), {'application': served}),
        settings=settings(often, max_examples=25, stateful_step_count=20))


@settings(often, max_examples=250)
@given(body=hostile_bodies, method=st.sampled_from(['POST', 'PUT', 'PATCH']),
       patching=st.booleans())
def test_no_body_is_answered_with_5xx_or_code(served, body, method, patching):
    """INT-4, CODE-6, J01, J04, J05, J08: hostile bodies on every write."""
    made = served.request('PUT', f'{PATH}/{ID}', {'specimen': {'name': 'a'}})
    assert made.status in (200, 201)
    path = PATH if method == 'POST' else f'{PATH}/{ID}'
    reply = served.request(method, path, body, PATCHES if patching else {
        'Content-Type': 'application/json'})
    assert reply.status in (200, 201, 400, 409, 415)
    for leak in (b'Traceback', b'File "', b'.py', b'sqlite'):
        assert leak not in reply.body
    if reply.status == 200:
        REPLY.validate(reply.json['specimen'])
