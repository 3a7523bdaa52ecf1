# SPDX-License-Identifier: Apache-2.0
"""Values are read as they were written, or refused, alike on each database
(DB10).
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.functional.harness import databases
from tests.functional.harness.daemon import Reply, config_dir
from tests.functional.harness.in_process import Application

TYPE = '''
name: thing
plural: things
properties:
  name: {type: string, maxLength: 255}
  size: {type: integer}
  ratio: {type: number}
  at: {type: string, format: date-time}
  live: {type: boolean}
  notes: {type: string, maxLength: 20000}
  more: {type: object}
unique: [[name]]
indexes: [[size], [ratio], [at]]
'''

#: Property, written text, and the text that is read if it differs.
ACCEPTED: list[tuple[str, str, str | None]] = [
    # J01: numbers with all digits
    ('size', '0', None), ('size', '-9223372036854775808', None),
    ('size', '9223372036854775807', None), ('size', '1.0', '1'),
    ('size', '9007199254740993', None),
    ('ratio', '0.1', None), ('ratio', '-2.5', None), ('ratio', '1e-9', '1e-9'),
    ('ratio', '0.30000000000000004', None), ('ratio', '5e-324', '5e-324'),
    ('ratio', '1.7976931348623157e308', '1.7976931348623157e308'),
    ('live', 'true', None), ('live', 'false', None), ('live', 'null', None),
    ('more', '{"a":{"b":[1,2.5,null,true,"\\ud83d\\ude00"]},"":""}', None),
    ('more', '{"n":9223372036854775807,"x":1e300}', None),
    # J04, J06: characters of every length, blanks, combining marks, bidi
    ('name', '""', None), ('name', '" "', None), ('name', '"a "', None),
    ('name', '"\\ud83d\\ude00"', None), ('name', '"e\\u0301"', None),
    ('name', '"\\u200b\\u202e\\uffff"', None), ('name', '"\\n\\t\\\\"', None),
    ('name', '"' + '\U00020bb7' * 255 + '"', None),
    ('notes', '"' + '\U0001f344' * 20000 + '"', None),
    ('notes', '"\\u0001\\u007f%_?:x"', None),
    # Times with microseconds, from the first year to the last
    ('at', '"2026-01-01T00:00:00.000001Z"', None),
    ('at', '"1000-01-01T00:00:00Z"', None),
    ('at', '"9999-12-31T23:59:59.999999Z"', None),
    ('at', '"2026-03-29T02:30:00.5+02:00"', '"2026-03-29T00:30:00.500000Z"')]

REFUSED: list[tuple[str, str]] = [
    ('size', '9223372036854775808'), ('size', '18446744073709551616'),
    ('size', '1.5'), ('size', '1e999'), ('size', 'NaN'),
    ('size', '-9223372036854775809'), ('size', '1' * 5000),
    ('ratio', '1e999'), ('ratio', 'Infinity'), ('ratio', '-Infinity'),
    ('name', '"\\u0000"'), ('name', '"\\ud800"'),
    ('name', '"' + '\U00020bb7' * 256 + '"'), ('name', '"\xff'),
    ('more', '{"\\u0000":1}'), ('more', '{"a":"\\udfff"}'),
    ('more', '{"a":18446744073709551616}'),
    ('at', '"0999-12-31T23:59:59Z"'), ('at', '"2026-06-30T23:59:60Z"'),
    ('at', '"2026-01-01T00:00:00.0000001Z"')]

#: J11: names that some collation treats as equal.
NAMES = ['a', 'A', 'a ', ' a', 'a\t', '\u00e4', 'a\u0308', 'ae', '\u00e6',
         'ss', '\u00df', 'i', '\u0130', '\u0131', '\uff41', 'a\u200b', '']


@pytest.fixture(scope='module', params=['sqlite', *databases.SERVERS])
def served(request: pytest.FixtureRequest,
           tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    conf = {} if request.param == 'sqlite' else {'database': {
        'connection': databases.config_url(databases.create(request.param))}}
    yield Application(config_dir(tmp_path_factory.mktemp('values'),
                                 {'thing': TYPE}, conf))


def post(served: Application, name: str, text: str) -> Reply:
    return served.request(
        'POST', '/v1/things', f'{{"thing":{{"{name}":{text}}}}}'.encode(),
        {'Content-Type': 'application/json'})


@pytest.mark.parametrize(('name', 'text', 'read'), ACCEPTED)
def test_a_value_is_read_as_it_was_written(served, name, text, read):
    """DB10."""
    created = post(served, name, text)
    assert created.status == 201, created.body
    id = created.json['thing']['id']
    shown = served.request('GET', f'/v1/things/{id}')
    (listed,) = served.request('GET', f'/v1/things?id={id}').json['things']
    expected = json.loads(read or text)
    for thing in (created.json['thing'], shown.json['thing'], listed):
        assert (thing[name], type(thing[name])) == (expected, type(expected))


@pytest.mark.parametrize(('name', 'text'), REFUSED)
def test_an_invalid_value_is_refused_on_each_database(served, name, text):
    """DB10."""
    reply = post(served, name, text)
    assert reply.status == 400, reply.body
    assert reply.json['errors'][0]['status'] == 400


def test_names_conflict_only_if_every_code_point_is_equal(served):
    """DB10, J11."""
    for thing in served.request('GET', '/v1/things').json['things']:
        served.request('DELETE', f'/v1/things/{thing["id"]}')
    for name in NAMES:
        reply = served.request('POST', '/v1/things',
                               {'thing': {'name': name}})
        assert reply.status == 201, (name, reply.body)
    for name in NAMES:
        again = served.request('POST', '/v1/things',
                               {'thing': {'name': name}})
        assert again.status == 409, name
