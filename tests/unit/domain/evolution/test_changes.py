# SPDX-License-Identifier: Apache-2.0
"""The differences between two catalogues, and the checks they need."""

import pytest

from service.domain.evolution import changes as type_changes
from tests.unit.domain.declared import box, parsed, text


def changes(old, new):
    return [(change.place, change.message) for change in type_changes.compare(
        old and parsed(**old), parsed(**new))]


def between(old, new):
    """The changes between two schemas of the property ``it``."""
    return type_changes.compare(parsed(box=box({'it': old})),
                                parsed(box=box({'it': new})))


def checks(old, new):
    return [dict(change.check) for change in between(old, new)
            if change.check]


def test_another_spelling_of_the_same_type_is_no_change():
    assert changes({'box': box({'it': {'type': 'string'}})},
                   {'other_file': box({'it': {'type': 'string',
                                              'maxLength': 255}})}) == []


def test_every_type_is_new_if_no_types_were_applied():
    assert changes(None, {'box': box()}) == [('box', 'is new')]


def test_a_removed_type_and_a_new_type_are_changes():
    shelf = text({'name': 'shelf', 'plural': 'shelves'})
    gone = text({'name': 'shelf', 'dropped': True})
    assert changes({'shelf': shelf}, {'box': box(), 'shelf': gone}) == [
        ('shelf', 'is dropped'), ('box', 'is new')]


def test_a_tombstone_of_something_already_dropped_is_no_change():
    gone = text({'name': 'shelf', 'dropped': True})
    with_it = {'box': box({'it': {'dropped': True}}), 'shelf': gone}
    assert changes(with_it, {'box': box()}) == []
    assert changes({'box': box()}, with_it) == []


@pytest.mark.parametrize(('old', 'new', 'change'), [
    ({}, {'description': 'A thing.'},
     ('box.description', 'description changes from "" to "A thing."')),
    ({}, {'quota': 3}, ('box.quota', 'quota changes from absent to 3')),
    ({'since': '1.1'}, {'since': '1.2'},
     ('box.since', 'since changes from "1.1" to "1.2"')),
    ({}, {'policy': {'list': '@'}},
     ('box.policy', 'policy changes from {} to {"list": "@"}')),
    ({'indexes': [['it']]}, {'indexes': []},
     ('box.indexes', 'indexes changes from [["it"]] to []')),
])
def test_a_change_of_each_type_keyword_is_reported(old, new, change):
    properties = {'it': {'type': 'string', 'since': '1.2'}}
    assert change in changes({'box': box(properties, **old)},
                           {'box': box(properties, **new)})


@pytest.mark.parametrize(('words', 'change'), [
    ({'default': 'x'}, 'default changes from absent to "x"'),
    ({'default': ''}, 'default changes from absent to ""'),
    ({'immutable': True}, 'immutable changes from false to true'),
    ({'read_roles': ['ops']}, 'read_roles changes from [] to ["ops"]'),
    ({'backfill': 'x'}, 'backfill changes from absent to "x"'),
    ({'until': '1.9'}, 'until changes from absent to "1.9"'),
    ({'minLength': 1}, 'minLength changes from absent to 1'),
    ({'maxLength': 9}, 'maxLength changes from 255 to 9'),
    ({'enum': ['a']},
     'enum changes from [] to [{"const": "a", "since": "1.0"}]'),
])
def test_a_change_of_each_property_keyword_is_reported(words, change):
    results = between({'type': 'string'}, {'type': 'string', **words})
    assert [(result.place, result.message) for result in results] == [
        ('box.it', change)]


def test_a_rename_is_not_a_new_property():
    old = {'box': box({'it': {'type': 'integer'}})}
    new = {'box': box({'that': {'type': 'integer', 'since': '1.1',
                                'minimum': 1, 'renamed_from': 'it'}})}
    assert changes(old, new) == [
        ('box.that', 'is renamed from it'),
        ('box.that', 'since changes from "1.0" to "1.1"'),
        ('box.that', 'renamed_from changes from absent to "it"'),
        ('box.that', 'minimum changes from absent to 1')]


@pytest.mark.parametrize(('old', 'new', 'bad', 'good'), [
    ({'type': 'integer'}, {'type': 'integer', 'minimum': 3}, 2, 3),
    ({'type': 'string'}, {'type': 'string', 'maxLength': 2}, 'abc', '😀😀'),
    ({'type': 'string'}, {'type': 'string', 'pattern': '^a$'}, 'a\n', 'a'),
    ({'type': 'string'}, {'type': 'string', 'format': 'uuid'}, 'x',
     '2f5ae96c-b558-4c7b-a590-a501ae1c3f6c'),
    ({'type': 'string'}, {'type': 'string', 'format': 'date-time'},
     '2026-01-01T00:00:00+01:00', '2026-01-01T00:00:00.000000Z'),
    ({'type': 'string'}, {'type': 'string', 'enum': ['a']}, 'b', 'a'),
    ({'type': 'string', 'enum': ['a', 'b']},
     {'type': 'string', 'enum': [{'const': 'a', 'until': '1.2'}, 'c']}, 'b',
     'a'),
    ({'type': 'array'}, {'type': 'array', 'uniqueItems': True}, [1, 1], [1]),
    ({'type': 'object'}, {'type': 'object', 'properties': {
        'a': {'type': 'string'}}, 'required': ['a']}, {'a': 1}, {'a': ''}),
    ({'type': 'object'}, {'type': 'array'}, {}, []),
])
def test_a_narrower_keyword_comes_with_a_check_of_stored_values(old, new,
                                                                bad, good):
    validators = [type_changes.validator(check) for check in checks(old, new)]
    assert validators
    assert not all(is_valid(bad) for is_valid in validators)
    assert all(is_valid(good) for is_valid in validators)


@pytest.mark.parametrize(('old', 'new'), [
    ({'type': 'integer', 'minimum': 3}, {'type': 'integer', 'minimum': 2}),
    ({'type': 'integer', 'minimum': 3}, {'type': 'integer'}),
    ({'type': 'string', 'maxLength': 2}, {'type': 'string'}),
    ({'type': 'string', 'enum': ['a']}, {'type': 'string'}),
    ({'type': 'string', 'enum': ['a']},
     {'type': 'string', 'enum': ['a', 'b']}),
    ({'type': 'string'}, {'type': 'string', 'description': 'x'}),
])
def test_a_keyword_that_is_not_narrower_needs_no_check(old, new):
    assert between(old, new)
    assert checks(old, new) == []
