# SPDX-License-Identifier: Apache-2.0
"""What bodies do that no client of good will sends (J01 to J06, J08, J11).

What a client may not write (J07) is ``test_not_writable.py``.
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
def served(tmp_path_factory: pytest.TempPathFactory) -> Application:
    return Application(config_dir(tmp_path_factory.mktemp('hostile'), TYPES))


@pytest.fixture
def ask(served: Application, request: pytest.FixtureRequest) -> Any:
    """Requests of a project of its own for each test."""
    project = f'p{abs(hash(request.node.nodeid))}'

    def asked(method: str, path: str, body: object = None,
              headers: Any = None) -> Reply:
        reply = served.request(method, path, body, {
            'Content-Type': 'application/json', 'X-Project-Id': project,
            'X-Roles': 'member', **(headers or {})})
        assert reply.status < 500, reply.body
        return reply
    return asked


def number(name: str, literal: str) -> bytes:
    return f'{{"specimen": {{"name": "a", "{name}": {literal}}}}}'.encode()


@pytest.mark.parametrize(('name', 'literal', 'stored'), [
    ('size', '1.0', '1'), ('size', '-0', '0'), ('size', '1e3', '1000'),
    ('size', '9007199254740993', '9007199254740993'),
    ('ratio', '-0.0', '0.0'), ('ratio', '0.1', '0.1'), ('ratio', '3', '3.0'),
    ('ratio', '5e-324', '5e-324')])
def test_a_number_is_stored_as_it_was_meant(ask, name, literal, stored):
    """J01: exactly, and read back so."""
    made = ask('POST', PATH, number(name, literal))
    assert made.status == 201, made.body
    found = ask('GET', f'{PATH}/{made.json["specimen"]["id"]}')
    assert json.dumps(found.json['specimen'][name]) == stored


@pytest.mark.parametrize('name', ['size', 'ratio'])
@pytest.mark.parametrize('literal', [
    'NaN', 'Infinity', '-Infinity', '1e999', '-1e999',
    '9223372036854775808', '18446744073709551616', '9' * 5000,
    '-' + '9' * 5000,
    '01', '+1', '.5', '1.', '0x10', 'true', '"1"', '[1]'])
def test_what_is_no_number_of_ours_is_refused(ask, name, literal):
    """J01: never a float that was another integer before."""
    assert ask('POST', PATH, number(name, literal)).status == 400
    assert ask('GET', PATH).json['specimens'] == []


@pytest.mark.parametrize('literal', ['1.5', '9007199254740993.0', '1e300'])
def test_what_is_no_exact_integer_is_refused(ask, literal):
    """J01: 9007199254740993.0 was rounded before anybody looked."""
    assert ask('POST', PATH, number('size', literal)).status == 400


@pytest.mark.parametrize('depth', [33, 1000, 100_000])
@pytest.mark.parametrize('around', ['[]', '{}'])
def test_a_deep_body_is_refused_at_once(ask, depth, around):
    """J02: by its depth, and not by the end of the stack."""
    opening = '[' if around == '[]' else '{"a":'
    closing = around[1]
    deep = opening * depth + 'null' + closing * depth
    begun = time.process_time()
    reply = ask('POST', PATH, (
        f'{{"specimen": {{"name": "a", "notes": {{"a": {deep}}}}}}}').encode())
    assert time.process_time() - begun < 1
    assert reply.status == 400


def test_a_body_of_the_greatest_depth_is_taken(ask):
    """J02: thirty-two, the wrapper, the record and its notes included."""
    deep = '[' * 29 + ']' * 29
    def sent(value: str) -> bytes:
        return (f'{{"specimen": {{"name": "a", "notes": {{"a": {value}}}}}}}'
                ).encode()
    assert ask('POST', PATH, sent(f'[{deep}]')).status == 400
    assert ask('POST', PATH, sent(deep)).status == 201


@pytest.mark.parametrize(('text', 'pointer'), [
    ('{"specimen": {"name": "a"}, "specimen": {"name": "b"}}', '/specimen'),
    ('{"specimen": {"name": "a", "project_id": "x", "project_id": "y"}}',
     '/specimen/project_id'),
    ('{"specimen": {"name": "a", "notes": {"b": {"c": 1, "c": 1}}}}',
     '/specimen/notes/b/c')])
def test_a_name_given_twice_is_refused_with_its_place(ask, text, pointer):
    """J03: whichever of the two would have counted."""
    reply = ask('POST', PATH, text.encode())
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
def test_text_that_no_database_keeps_is_refused(ask, raw):
    """J04: bad UTF-8, a byte order mark, UTF-16, half a pair, NUL."""
    assert ask('POST', PATH, raw).status == 400


@pytest.mark.parametrize('said', [
    '', 'text/plain', 'application/json; charset=latin-1',
    'application/xml', 'application/json-patch+json', 'application',
    'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x',
    'application/json; charset="utf-16"', 'application/json,text/plain'])
def test_a_body_of_another_kind_is_not_read(ask, said):
    """J04: 415, whatever is in it."""
    reply = ask('POST', PATH, GOOD.encode(), {'Content-Type': said})
    assert reply.status == 415


@pytest.mark.parametrize('said', [
    'application/json', 'Application/JSON', 'application/json;charset=UTF-8',
    'application/json ; charset="utf-8"', 'application/json; version=1'])
def test_json_by_any_of_its_spellings_is_read(ask, said):
    """J04: the media type is a word without case, and may have more."""
    assert ask('POST', PATH, GOOD.encode(),
               {'Content-Type': said}).status == 201


@pytest.mark.parametrize('raw', [
    b'', b' ', GOOD.encode() + b'x', GOOD.encode() * 2, b'/* */{}',
    b'{"specimen": {"name": "a"},}', b"{'specimen': {}}", b'null', b'true',
    b'7', b'"specimen"', b'[]', b'[{"specimen": {"name": "a"}}]', b'{}',
    b'{"specimen": null}', b'{"specimen": []}', b'{"specimens": {}}',
    b'{"specimens": []}', b'{"specimens": [null]}',
    b'{"specimen": {"name": "a"}, "more": 1}'])
def test_what_is_not_one_record_in_its_wrapper_is_refused(ask, raw):
    """J05: nothing is guessed at."""
    assert ask('POST', PATH, raw).status == 400
    assert ask('GET', PATH).json['specimens'] == []


@pytest.mark.parametrize(('name', 'value', 'status'), [
    ('code', 'abc', 201), ('code', 'abc\n', 400), ('code', 'abc\u2028', 400),
    ('name', '\U0001f344' * 40, 201), ('name', '\U0001f344' * 41, 400),
    ('name', 'e\u0301' * 20, 201), ('name', 'e\u0301' * 21, 400),
    ('name', '\u202eabc', 201), ('name', 'a\u200bb', 201)])
def test_lengths_are_counted_in_characters_and_ends_are_ends(
        ask, name, value, status):
    """J06: a line end does not pass for the end of the pattern."""
    reply = ask('POST', PATH, {'specimen': {'name': 'n', name: value}})
    assert reply.status == status
    if status == 201:
        id = reply.json['specimen']['id']
        assert ask('GET', f'{PATH}/{id}').json['specimen'][name] == value


def test_names_that_only_look_alike_are_different(ask):
    """J11: case, blanks at the end, Unicode's forms; each is its own."""
    alike = ['alpha', 'Alpha', 'alpha ', 'alph\u0430', 'e\u0301', '\u00e9',
             'ss', '\u00df', 'i', '\u0131', '\u0130']
    for name in alike:
        sent = {'specimen': {'name': name}}
        assert ask('POST', PATH, sent).status == 201, name
        assert ask('POST', PATH, sent).status == 409, name
    found = ask('GET', f'{PATH}?name=alpha').json['specimens']
    assert [one['name'] for one in found] == ['alpha']


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
def test_a_patch_that_fails_somewhere_changes_nothing(
        ask, operations, status):
    """J08: and doubling what is there is bounded."""
    before = ask('PUT', RECORD, {'specimen': {
        'name': 'a', 'notes': {}, 'parts': [1]}},
        {'X-Project-Id': 'patched'}).json
    begun = time.process_time()
    reply = ask('PATCH', RECORD, json.dumps(operations).encode(),
                {**PATCHES, 'X-Project-Id': 'patched'})
    assert time.process_time() - begun < 1
    assert reply.status == status, reply.body[:300]
    assert ask('GET', RECORD, None,
               {'X-Project-Id': 'patched'}).json == before


@pytest.mark.parametrize('document', [{}, {'op': 'add'}, 'x', None, 7])
def test_a_patch_is_a_list(ask, document):
    """J08: and nothing else."""
    ask('PUT', RECORD, {'specimen': {'name': 'a'}},
        {'X-Project-Id': 'patched'})
    assert ask('PATCH', RECORD, json.dumps(document).encode(), {
        **PATCHES, 'X-Project-Id': 'patched'}).status == 400
