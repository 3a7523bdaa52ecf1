# SPDX-License-Identifier: Apache-2.0
"""Hostile request bodies (J01 to J06, J08, J11).

``test_not_writable.py`` has the members that a client may not write (J07).
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.functional.harness.daemon import Reply, config_dir
from tests.functional.harness.in_process import Application

TYPES = {'specimen': (Path(__file__).parents[1] / 'types' / 'specimen.yaml'
                      ).read_text()}
PATH = '/v1/specimens'
PATCHES = {'Content-Type': 'application/json-patch+json'}


@pytest.fixture(scope='module')
def application(tmp_path_factory: pytest.TempPathFactory) -> Application:
    return Application(config_dir(tmp_path_factory.mktemp('hostile'), TYPES))


@pytest.fixture
def send(application: Application, request: pytest.FixtureRequest) -> Any:
    """A function that sends requests of a new project for each test."""
    project = f'p{abs(hash(request.node.nodeid))}'

    def send_json(method: str, path: str, body: object = None,
                  headers: Any = None) -> Reply:
        reply = application.request(method, path, body, {
            'Content-Type': 'application/json', 'X-Project-Id': project,
            'X-Roles': 'member', **(headers or {})})
        assert reply.status < 500, reply.body
        return reply
    return send_json


def number(name: str, literal: str) -> bytes:
    return f'{{"specimen": {{"name": "a", "{name}": {literal}}}}}'.encode()


@pytest.mark.parametrize(('name', 'literal', 'stored'), [
    ('size', '1.0', '1'), ('size', '-0', '0'), ('size', '1e3', '1000'),
    ('size', '9007199254740993', '9007199254740993'),
    ('ratio', '-0.0', '0.0'), ('ratio', '0.1', '0.1'), ('ratio', '3', '3.0'),
    ('ratio', '5e-324', '5e-324')])
def test_a_number_is_stored_exactly(send, name, literal, stored):
    """J01: the number is read back exactly."""
    created = send('POST', PATH, number(name, literal))
    assert created.status == 201, created.body
    read = send('GET', f'{PATH}/{created.json["specimen"]["id"]}')
    assert json.dumps(read.json['specimen'][name]) == stored


@pytest.mark.parametrize('name', ['size', 'ratio'])
@pytest.mark.parametrize('literal', [
    'NaN', 'Infinity', '-Infinity', '1e999', '-1e999',
    '9223372036854775808', '18446744073709551616', '9' * 5000,
    '-' + '9' * 5000,
    '01', '+1', '.5', '1.', '0x10', 'true', '"1"', '[1]'])
def test_an_invalid_number_is_rejected(send, name, literal):
    """J01: no integer becomes a float of another value."""
    assert send('POST', PATH, number(name, literal)).status == 400
    assert send('GET', PATH).json['specimens'] == []


@pytest.mark.parametrize('literal', ['1.5', '9007199254740993.0', '1e300'])
def test_an_inexact_integer_is_rejected(send, literal):
    """J01: a parser of floats rounds 9007199254740993.0."""
    assert send('POST', PATH, number('size', literal)).status == 400


@pytest.mark.parametrize('depth', [33, 1000, 100_000])
@pytest.mark.parametrize('around', ['[]', '{}'])
def test_a_deeply_nested_body_is_rejected_quickly(send, depth, around):
    """J02: the depth is checked before the stack overflows."""
    opening = '[' if around == '[]' else '{"a":'
    closing = around[1]
    deep = opening * depth + 'null' + closing * depth
    started = time.process_time()
    reply = send('POST', PATH, (
        f'{{"specimen": {{"name": "a", "notes": {{"a": {deep}}}}}}}').encode())
    assert time.process_time() - started < 1
    assert reply.status == 400


def test_a_body_of_the_maximal_depth_is_accepted(send):
    """J02: the limit is 32, including the wrapper, record and notes."""
    deep = '[' * 29 + ']' * 29
    def body(value: str) -> bytes:
        return (f'{{"specimen": {{"name": "a", "notes": {{"a": {value}}}}}}}'
                ).encode()
    assert send('POST', PATH, body(f'[{deep}]')).status == 400
    assert send('POST', PATH, body(deep)).status == 201


@pytest.mark.parametrize(('text', 'pointer'), [
    ('{"specimen": {"name": "a"}, "specimen": {"name": "b"}}', '/specimen'),
    ('{"specimen": {"name": "a", "project_id": "x", "project_id": "y"}}',
     '/specimen/project_id'),
    ('{"specimen": {"name": "a", "notes": {"b": {"c": 1, "c": 1}}}}',
     '/specimen/notes/b/c')])
def test_a_duplicate_member_is_rejected_with_its_pointer(send, text, pointer):
    """J03: neither of the two values is taken."""
    reply = send('POST', PATH, text.encode())
    assert reply.status == 400
    assert reply.json['errors'][0]['source']['pointer'] == pointer


GOOD = '{"specimen": {"name": "a"}}'


@pytest.mark.parametrize('raw', [
    GOOD.replace('a"}', 'a').encode()[:-1] + b'\xff"}}',
    b'\xef\xbb\xbf' + GOOD.encode(), GOOD.encode('utf-16'),
    GOOD.encode('utf-32'), GOOD.replace('"a"', '"\\ud800"').encode(),
    GOOD.replace('"a"', '"\\udc00\\ud800"').encode(),
    GOOD.replace('"a"', '"\\u0000"').encode(),
    GOOD.replace('"a"', '"a", "notes": {"\\u0000": 1}').encode(),
    b'{"specimen": {"name": "a\x00"}}'])
def test_text_that_databases_cannot_store_is_rejected(send, raw):
    """J04: invalid UTF-8, a byte order mark, UTF-16, a lone surrogate, NUL."""
    assert send('POST', PATH, raw).status == 400


@pytest.mark.parametrize('content_type', [
    '', 'text/plain', 'application/json; charset=latin-1',
    'application/xml', 'application/json-patch+json', 'application',
    'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x',
    'application/json; charset="utf-16"', 'application/json,text/plain'])
def test_another_media_type_is_rejected(send, content_type):
    """J04: the status is 415, whatever the body contains."""
    reply = send('POST', PATH, GOOD.encode(), {'Content-Type': content_type})
    assert reply.status == 415


@pytest.mark.parametrize('content_type', [
    'application/json', 'Application/JSON', 'application/json;charset=UTF-8',
    'application/json ; charset="utf-8"', 'application/json; version=1'])
def test_each_spelling_of_the_json_media_type_is_accepted(send, content_type):
    """J04: the media type ignores case and may have parameters."""
    assert send('POST', PATH, GOOD.encode(),
                {'Content-Type': content_type}).status == 201


@pytest.mark.parametrize('raw', [
    b'', b' ', GOOD.encode() + b'x', GOOD.encode() * 2, b'/* */{}',
    b'{"specimen": {"name": "a"},}', b"{'specimen': {}}", b'null', b'true',
    b'7', b'"specimen"', b'[]', b'[{"specimen": {"name": "a"}}]', b'{}',
    b'{"specimen": null}', b'{"specimen": []}', b'{"specimens": {}}',
    b'{"specimens": []}', b'{"specimens": [null]}',
    b'{"specimen": {"name": "a"}, "more": 1}'])
def test_a_body_without_exactly_one_wrapped_record_is_rejected(send, raw):
    """J05: nothing is stored."""
    assert send('POST', PATH, raw).status == 400
    assert send('GET', PATH).json['specimens'] == []


@pytest.mark.parametrize(('name', 'value', 'status'), [
    ('code', 'abc', 201), ('code', 'abc\n', 400), ('code', 'abc\u2028', 400),
    ('name', '\U0001f344' * 40, 201), ('name', '\U0001f344' * 41, 400),
    ('name', 'e\u0301' * 20, 201), ('name', 'e\u0301' * 21, 400),
    ('name', '\u202eabc', 201), ('name', 'a\u200bb', 201)])
def test_lengths_count_characters_and_patterns_match_the_whole_text(
        send, name, value, status):
    """J06: $ in a pattern does not match before a line end."""
    reply = send('POST', PATH, {'specimen': {'name': 'n', name: value}})
    assert reply.status == status
    if status == 201:
        id = reply.json['specimen']['id']
        assert send('GET', f'{PATH}/{id}').json['specimen'][name] == value


def test_names_that_look_alike_are_different_values(send):
    """J11: the names differ in case, trailing blanks or Unicode form."""
    alike = ['alpha', 'Alpha', 'alpha ', 'alph\u0430', 'e\u0301', '\u00e9',
             'ss', '\u00df', 'i', '\u0131', '\u0130']
    for name in alike:
        body = {'specimen': {'name': name}}
        assert send('POST', PATH, body).status == 201, name
        assert send('POST', PATH, body).status == 409, name
    records = send('GET', f'{PATH}?name=alpha').json['specimens']
    assert [record['name'] for record in records] == ['alpha']


# JSON Patch

RECORD = f'{PATH}/7bd6bd13-2c4b-4d6a-9b27-0123456789ab'


def add(path: str, value: Any = 1) -> dict[str, Any]:
    return {'op': 'add', 'path': path, 'value': value}


@pytest.mark.parametrize(('operations', 'status'), [
    ([add('/size'), {'op': 'test', 'path': '/name', 'value': 'b'}], 409),
    ([add('/size'), {'op': 'test', 'path': '/live', 'value': 1}], 409),
    ([add('/size'), {'op': 'move', 'from': '/notes', 'path': '/notes/x'}],
     400),
    ([add('/size'), add('/notes/x/y')], 400),
    ([add('/size'), add('/parts/2')], 400),
    ([add('/size'), add('/parts/01')], 400),
    ([add('/size'), {'op': 'remove', 'path': '/parts/-'}], 400),
    ([add('/size'), add('/~2')], 400),
    ([add('/size'), add('size')], 400),
    ([add('/size'), add('')], 400),
    ([add('/size'), {'op': 'increase', 'path': '/size'}], 400),
    ([add('/size'), {'op': 'add', 'path': '/size'}], 400),
    ([add('/size'), 'remove'], 400),
    ([add('/size')] * 10_000, 400),
    ([add('/notes/a', 'x' * 999)] + [
        {'op': 'copy', 'from': '/notes', 'path': f'/notes/{number}'}
        for number in range(25)], 400)])
def test_a_patch_with_a_failing_operation_changes_nothing(
        send, operations, status):
    """J08: copies that double the record are bounded."""
    before = send('PUT', RECORD, {'specimen': {
        'name': 'a', 'notes': {}, 'parts': [1]}},
        {'X-Project-Id': 'patched'}).json
    started = time.process_time()
    reply = send('PATCH', RECORD, json.dumps(operations).encode(),
                 {**PATCHES, 'X-Project-Id': 'patched'})
    assert time.process_time() - started < 1
    assert reply.status == status, reply.body[:300]
    assert send('GET', RECORD, None,
                {'X-Project-Id': 'patched'}).json == before


@pytest.mark.parametrize('document', [{}, {'op': 'add'}, 'x', None, 7])
def test_a_json_patch_that_is_not_a_list_is_rejected(send, document):
    """J08: a JSON Patch is a list of operations."""
    send('PUT', RECORD, {'specimen': {'name': 'a'}},
         {'X-Project-Id': 'patched'})
    assert send('PATCH', RECORD, json.dumps(document).encode(), {
        **PATCHES, 'X-Project-Id': 'patched'}).status == 400
