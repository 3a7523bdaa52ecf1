# SPDX-License-Identifier: Apache-2.0
"""Changes of type files that break clients of existing versions."""

from pathlib import Path

import pytest

from service.domain.evolution import compatibility
from service.domain.typefiles import type_files
from tests.unit.domain.declared import box, parsed, text

SHIPPED = Path(__file__).parents[4] / 'etc/pileus/resources.d'
TEXT = {'type': 'string'}
WHEN = {'type': 'string', 'format': 'date-time'}
NUMBER = {'type': 'integer'}
LATER = {'type': 'integer', 'since': '1.5'}


def breaks(old, new):
    """The breaches between two texts of box.yaml, without the file name."""
    breaches = compatibility.breaches(parsed(box=old), parsed(box=new))
    assert all(breach.file == 'box.yaml' for breach in breaches)
    return [str(breach).removeprefix('box.yaml: ') for breach in breaches]


def turns(old, new, required=(), was=()):
    """The breaches between two schemas of the property ``it``."""
    breaches = breaks(box({'it': old}, required=list(was)),
                      box({'it': new}, required=list(required)))
    start = 'properties.it: 1.0: '
    assert all(breach.startswith(start) for breach in breaches), breaches
    return [breach.removeprefix(start) for breach in breaches]


def test_unchanged_files_break_no_client():
    catalogue = type_files.read(SHIPPED)
    assert compatibility.breaches(catalogue, type_files.read(SHIPPED)) == []


def test_an_addition_in_a_new_version_breaks_no_client():
    old = box({'a': TEXT, 'b': {'type': 'string', 'enum': ['x']}})
    new = box({
        'a2': {**TEXT, 'since': '1.1', 'renamed_from': 'a'},
        'b': {'type': 'string', 'enum': ['x', {'const': 'y',
                                               'since': '1.1'}]},
        'c': {**TEXT, 'since': '1.2'},
        'd': {**TEXT, 'since': '1.2', 'default': 'z'}}, required=['d'])
    assert breaks(old, new) == []


def test_a_property_that_ends_at_a_new_version_breaks_no_client():
    assert breaks(box({'a': TEXT}), box({'a': {**TEXT, 'until': '1.1'}})) == []


def test_a_property_that_ends_at_an_existing_version_breaks_that_version():
    old = box({'a': TEXT, 'b': {**TEXT, 'since': '1.3'}})
    new = box({'a': {**TEXT, 'until': '1.2'}, 'b': {**TEXT,
                                                    'since': '1.3'}})
    assert breaks(old, new) == ['properties.a: 1.2: is removed']


@pytest.mark.parametrize('since, breaches', [
    ('1.0', ['properties.c: 1.0: is new to clients of this version; give it '
             'a since above the current maximum version']),
    ('1.3', ['properties.c: 1.3: is new to clients of this version; give it '
             'a since above the current maximum version']),
    ('1.4', []),
])
def test_a_new_property_needs_a_version_above_the_maximum(since, breaches):
    """A PUT by a client that does not know it would set it to null."""
    old = {'a': TEXT, 'b': {**TEXT, 'since': '1.3'}}
    new = {**old, 'c': {**TEXT, 'since': since}}
    assert breaks(box(old), box(new)) == breaches


def test_a_new_type_breaks_no_client_and_a_removed_type_does():
    rack = text({'name': 'rack', 'plural': 'racks'})
    catalogue, both = parsed(box=box()), parsed(box=box(), rack=rack)
    assert compatibility.breaches(catalogue, both) == []
    assert list(map(str, compatibility.breaches(both, catalogue))) == [
        'rack.yaml: name: 1.0: the type "rack" is removed']
    dropped = parsed(box=box(), rack=text({'name': 'rack', 'dropped': True}))
    assert list(map(str, compatibility.breaches(both, dropped))) == [
        'rack.yaml: name: 1.0: the type "rack" is removed']


def test_a_type_with_a_higher_since_is_removed_from_lower_versions():
    old = box({'a': {**TEXT}, 'b': LATER})
    assert breaks(old, box({'a': TEXT, 'b': LATER}, since='1.2')) == [
        'name: 1.0: the type "box" is removed']


def test_versions_after_the_end_of_a_type_are_not_compared():
    old = box({'a': TEXT}, until='1.2')
    assert breaks(old, old) == []
    assert breaks(old, box({'a': NUMBER}, until='1.2')) == [
        'properties.a: 1.0: type changes from "string" to "integer"']


def test_a_lower_maximum_version_breaks_clients():
    old, new = parsed(box=box({'a': TEXT, 'b': LATER})), parsed(box=box(
        {'a': TEXT}))
    assert list(map(str, compatibility.breaches(old, new))) == [
        'all files: maximum version: 1.5: falls to 1.0; requests for 1.5 '
        'would be refused',
        'box.yaml: properties.b: 1.5: is removed']


def test_only_the_lowest_broken_version_is_reported():
    old = {'a': {'type': 'integer', 'since': '1.2'}, 'b': LATER}
    new = {'a': {'type': 'string', 'since': '1.2'}, 'b': LATER}
    assert breaks(box(old), box(new)) == [
        'properties.a: 1.2: type changes from "integer" to "string"']


def test_a_breach_names_the_property_as_the_version_does():
    old = {'a': {**TEXT, 'since': '1.2', 'renamed_from': 'b'}}
    new = {'a': {**NUMBER, 'since': '1.2', 'renamed_from': 'b'}}
    assert breaks(box(old), box(new)) == [
        'properties.a: 1.2: type changes from "string" to "integer"',
        'properties.b: 1.0: type changes from "string" to "integer"']


# Keywords of values

@pytest.mark.parametrize('word, kind, narrow, wide', [
    ('maxLength', 'string', 5, 6), ('minLength', 'string', 6, 5),
    ('maximum', 'integer', 5, 6), ('minimum', 'integer', 6, 5),
    ('exclusiveMaximum', 'number', 5, 6),
    ('exclusiveMinimum', 'number', 6, 5),
    ('maxItems', 'array', 5, 6), ('minItems', 'array', 6, 5),
    ('uniqueItems', 'array', True, False),
])
def test_a_narrower_bound_breaks_clients_and_a_wider_one_does_not(
        word, kind, narrow, wide):
    old, new = {'type': kind, word: wide}, {'type': kind, word: narrow}
    assert len(turns(old, new)) == 1
    assert turns(old, new)[0].startswith(f'{word} changes from ')
    assert turns(new, old) == []
    assert turns(new, new) == []


@pytest.mark.parametrize('word, kind, value, other', [
    ('pattern', 'string', '^a', '^b'), ('format', 'string', 'uri', 'email'),
    ('multipleOf', 'integer', 2, 3),
])
def test_a_new_or_changed_rule_breaks_clients_and_its_removal_does_not(
        word, kind, value, other):
    with_it = {'type': kind, word: value}
    assert turns({'type': kind}, with_it)[0].startswith(
        f'{word} changes from absent to ')
    assert len(turns(with_it, {'type': kind, word: other})) == 1
    assert turns(with_it, {'type': kind}) == []


def test_declaring_the_default_length_is_no_change():
    assert turns(TEXT, {**TEXT, 'maxLength': 255}) == []
    assert turns(TEXT, {**TEXT, 'maxLength': 254}) == [
        'maxLength changes from 255 to 254']


def test_adding_or_removing_enum_values_without_versions_breaks_clients():
    schema = {'type': 'string', 'enum': ['a', 'b']}
    other = {'type': 'string', 'enum': ['b', 'c']}
    assert turns(schema, other) == ['enum value "a" is removed',
                                    'enum value "c" is new']
    assert turns(schema, {'type': 'string', 'enum': ['b', 'a']}) == []
    assert turns(TEXT, schema) == ['enum is new; other values are refused']
    assert turns(schema, TEXT) == [
        'enum is removed; replies can hold any value']


def test_changes_inside_objects_and_arrays_break_clients():
    def items(**words):
        return {'type': 'array', 'items': words}

    def members(**properties):
        return {'type': 'object', 'properties': properties}

    assert turns(items(type='string'), items(type='integer')) == [
        'items: type changes from "string" to "integer"']
    assert turns(members(a=TEXT), members(b=TEXT)) == [
        'properties: "a" is removed', 'properties: "b" is new']
    assert turns(members(a=TEXT),
                 members(a={**TEXT, 'const': 'x'})) == [
        'properties.a: const changes from absent to "x"']
    assert turns(members(a=TEXT), {**members(a=TEXT),
                                   'required': ['a']}) == [
        'required changes from absent to ["a"]']
    assert turns(members(a=TEXT), {**members(a=TEXT),
                                   'additionalProperties': False}) == [
        'additionalProperties changes to false']
    assert turns({**members(a=TEXT), 'additionalProperties': False},
                 members(a=TEXT)) == []
    assert turns({'type': 'object'},
                 {'type': 'object', 'additionalProperties': NUMBER}) == [
        'additionalProperties: type changes from absent to "integer"']


def test_a_new_member_without_keywords_is_reported_as_new():
    def members(**properties):
        return {'type': 'object', 'properties': properties}
    assert turns(members(), members(a={})) == ['properties: "a" is new']
    assert turns(members(a={}), members()) == ['properties: "a" is removed']


def test_the_order_of_required_members_does_not_matter():
    def members(*required):
        return {'type': 'object', 'properties': {'a': TEXT, 'b': TEXT},
                'required': list(required)}
    assert turns(members('a', 'b'), members('b', 'a')) == []


# Other keywords of a property

@pytest.mark.parametrize('old, was, new, required, breaches', [
    (TEXT, [], TEXT, ['it'], ['is now required', 'null is now refused']),
    (TEXT, ['it'], TEXT, [], ['may now be null in replies']),
    (TEXT, [], {**TEXT, 'default': 'x'}, [], ['null is now refused']),
    (TEXT, ['it'], {**TEXT, 'default': 'x'}, [], []),
    (TEXT, ['it'], {**TEXT, 'default': 'x'}, ['it'], []),
    ({**TEXT, 'default': 'x'}, [], TEXT, ['it'], ['is now required']),
    ({**TEXT, 'default': 'x'}, [], {**TEXT, 'default': 'y'}, [],
     ['default changes from "x" to "y"']),
    (TEXT, [], {**TEXT, 'immutable': True}, [], ['is now immutable']),
    ({**TEXT, 'immutable': True}, [], TEXT, [], []),
    (TEXT, [], {**TEXT, 'read_roles': ['a']}, [],
     ['read_roles changes from everybody to a']),
    ({**TEXT, 'write_roles': ['a', 'b']}, [], {**TEXT, 'write_roles': ['a']},
     [], ['write_roles changes from a, b to a']),
    ({**TEXT, 'write_roles': ['a']}, [], {**TEXT, 'write_roles': ['a', 'b']},
     [], []),
    ({**TEXT, 'write_roles': ['a']}, [], TEXT, [], []),
    ({'references': 'box'}, [], TEXT, [],
     ['references changes from box to absent']),
    ({'references': 'box'}, [],
     {'references': 'box', 'on_delete': 'cascade'}, [],
     ['on_delete changes from restrict to cascade']),
    (TEXT, [], {**TEXT, 'description': 'New.'}, [], []),
])
def test_changes_of_what_a_client_can_send_or_read_break_it(
        old, was, new, required, breaches):
    assert sorted(turns(old, new, required, was)) == sorted(breaches)


# Keywords of a type

@pytest.mark.parametrize('old, new, breaches', [
    ({}, {'plural': 'crates'}, ['plural: 1.0: changes from boxes to crates']),
    ({}, {'scope': 'cloud'}, ['scope: 1.0: changes from project to cloud']),
    ({'controller': 'a:B'}, {}, [
        'controller: 1.0: a:B is removed, with its actions']),
    ({}, {'controller': 'a:B'}, []),
    ({}, {'quota': 1, 'policy': {'create': '!'}, 'description': 'x'}, []),
    ({}, {'unique': [['a', 'b']]}, [
        'unique: 1.0: [a, b] is new; records that were accepted can now '
        'be refused']),
    ({'unique': [['a']]}, {'unique': [['a', 'b']], 'indexes': [['a']]}, []),
    ({'unique': [['a']]}, {'indexes': [['a']]}, []),
    ({'unique': [['a']]}, {}, [
        'indexes: 1.0: lists can no longer be filtered by a',
        'indexes: 1.0: lists can no longer be sorted by a']),
    ({'indexes': [['a', 'b']]}, {'indexes': [['b', 'a']]}, [
        'indexes: 1.0: lists can no longer be sorted by a, b']),
    ({'indexes': [['a']]}, {'indexes': [['a', 'b']]}, []),
    ({}, {'exclusive': [{'period': ['s', 'e']}]}, [
        'exclusive: 1.0: the rule for [s, e] is new or stricter; periods '
        'that were accepted can now be refused']),
    ({'exclusive': [{'period': ['s', 'e'], 'over': ['a']}]},
     {'exclusive': [{'period': ['s', 'e']}]}, [
        'exclusive: 1.0: the rule for [s, e] is new or stricter; periods '
        'that were accepted can now be refused']),
    ({'exclusive': [{'period': ['s', 'e']}]},
     {'exclusive': [{'period': ['s', 'e'], 'over': ['a']}]}, []),
    ({'exclusive': [{'period': ['s', 'e']}]}, {}, []),
    ({'exclusive': {'period': ['s', 'e'], 'when': {'a': ['x', 'y']}}},
     {'exclusive': {'period': ['s', 'e'], 'when': {
         'a': ['x'], 'b': ['z']}}}, []),
    ({'exclusive': {'period': ['s', 'e'], 'when': {'a': ['x']}}},
     {'exclusive': {'period': ['s', 'e'], 'when': {'a': ['x', 'y']}}}, [
        'exclusive: 1.0: the rule for [s, e] is new or stricter; periods '
        'that were accepted can now be refused']),
    ({'exclusive': {'period': ['s', 'e'], 'when': {'a': ['x']}}},
     {'exclusive': {'period': ['s', 'e']}}, [
        'exclusive: 1.0: the rule for [s, e] is new or stricter; periods '
        'that were accepted can now be refused']),
])
def test_changes_of_a_collection_that_break_clients_are_reported(
        old, new, breaches):
    properties = {'a': TEXT, 'b': TEXT, 's': WHEN, 'e': WHEN}
    assert breaks(box(properties, **old), box(properties, **new)) == breaches


def test_a_renamed_property_changes_no_keys():
    old = {'a': TEXT, 's': WHEN, 'e': WHEN, 'v': LATER}
    new = {'a2': {**TEXT, 'since': '1.6', 'renamed_from': 'a'},
           's2': {**WHEN, 'since': '1.6', 'renamed_from': 's'},
           'e': WHEN, 'v': LATER}
    assert breaks(
        box(old, unique=[['a']], indexes=[['a', 's']],
            exclusive=[{'period': ['s', 'e'], 'over': ['a'],
                        'when': {'a': ['x']}}]),
        box(new, unique=[['a2']], indexes=[['a2', 's2']],
            exclusive=[{'period': ['s2', 'e'], 'over': ['a2'],
                        'when': {'a2': ['x']}}])) == []


def test_a_unique_with_a_column_unknown_to_old_clients_breaks_none():
    old, new = {'a': TEXT}, {'a': TEXT, 'b': {**TEXT, 'since': '1.1'}}
    assert breaks(box(old), box(new, unique=[['a', 'b']])) == []
    new['b']['default'] = 'x'
    assert breaks(box(old), box(new, unique=[['a', 'b']])) == [
        'unique: 1.0: [a, b] is new; records that were accepted can now '
        'be refused']


VARIANTS = [
    TEXT, NUMBER, {'type': 'array', 'items': {'type': 'array', 'items': {}}},
    {'type': 'object', 'properties': {'a': {'type': 'object'}}},
    {'type': 'object', 'additionalProperties': {'type': 'array'}},
    {'type': 'object', 'additionalProperties': False},
    {'references': 'box'}, {'dropped': True}, {**TEXT, 'enum': ['a']},
]


@pytest.mark.parametrize('old', VARIANTS)
@pytest.mark.parametrize('new', VARIANTS)
def test_every_change_between_different_schemas_is_reported(old, new):
    """The comparison handles each pair, at any depth of nesting."""
    widened = [(VARIANTS[3], VARIANTS[3]), (VARIANTS[5], VARIANTS[4])]
    breaches = breaks(box({'it': old}), box({'it': new}))
    assert bool(breaches) is (old != new and (old, new) not in widened)
