# SPDX-License-Identifier: Apache-2.0
"""Checks between the keywords of one type file."""

import pytest

from tests.unit.domain.declared import wrong, wrong_type

TEXT = {'type': 'string'}
WHEN = {'type': 'string', 'format': 'date-time'}


# Bounds and values of one property

@pytest.mark.parametrize('keywords, mistake', [
    ({'type': 'string', 'minLength': 3, 'maxLength': 2},
     'minLength: 3 is above maxLength 2'),
    ({'type': 'string', 'minLength': 256},
     'minLength: 256 is above maxLength 255'),
    ({'type': 'array', 'minItems': 2, 'maxItems': 1},
     'minItems: 2 is above maxItems 1'),
    ({'type': 'integer', 'minimum': 2, 'maximum': 1},
     'minimum: 2 is above maximum 1'),
    ({'type': 'number', 'minimum': 1, 'exclusiveMaximum': 1},
     'minimum: 1 is not below exclusiveMaximum 1'),
    ({'type': 'number', 'exclusiveMinimum': 1, 'maximum': 1},
     'exclusiveMinimum: 1 is not below maximum 1'),
    ({'type': 'number', 'exclusiveMinimum': 1, 'exclusiveMaximum': 1},
     'exclusiveMinimum: 1 is not below exclusiveMaximum 1'),
    ({'type': 'integer', 'minimum': 1.5},
     'minimum: must be an integer without a decimal point or exponent, not '
     '1.5'),
    ({'type': 'integer', 'maximum': 1e30},
     'maximum: must be an integer without a decimal point or exponent, not '
     '1e+30'),
    ({'type': 'array', 'items': {'type': 'integer', 'minimum': 2,
                                 'maximum': 1}},
     'items.minimum: 2 is above maximum 1'),
    ({'type': 'object', 'properties': {'a': {}}, 'required': ['a', 'b']},
     'required: "b" is not among the "properties" beside it'),
    ({'type': 'object', 'additionalProperties': {
        'type': 'string', 'enum': ['a', 1]}},
     'additionalProperties.enum[1]: 1 is not of type "string"'),
    ({'type': 'object', 'properties': {'a': {
        'type': 'string', 'maxLength': 1, 'const': 'ab'}}},
     'properties.a.const: "ab" is longer than 1 character'),
    ({'type': 'string', 'enum': ['a'], 'const': 'a'},
     'has both "enum" and "const"; remove one'),
    ({**WHEN, 'maxLength': 30},
     'maxLength: is not valid for format date-time'),
    ({**WHEN, 'pattern': '^2'}, 'pattern: is not valid for format date-time'),
])
def test_keywords_that_allow_no_value_are_a_mistake(keywords, mistake):
    assert wrong(**keywords) == [mistake]


@pytest.mark.parametrize('keywords', [
    {'type': 'string', 'minLength': 255},
    {'type': 'string', 'minLength': 2, 'maxLength': 2},
    {'type': 'string', 'maxLength': 65535},
    {'type': 'integer', 'minimum': 1, 'maximum': 1},
    {'type': 'integer', 'minimum': -2 ** 63, 'maximum': 2 ** 63 - 1},
    {'type': 'number', 'minimum': 0.5, 'exclusiveMaximum': 1e300},
    {'type': 'array', 'minItems': 0, 'maxItems': 0, 'uniqueItems': True},
    {'type': 'string', 'const': 'a'},
    {'type': 'boolean', 'default': False, 'immutable': True},
    WHEN,
])
def test_keywords_that_allow_a_value_are_valid(keywords):
    assert wrong(**keywords) == []


@pytest.mark.parametrize('word', ['default', 'backfill'])
@pytest.mark.parametrize('keywords, value, why', [
    (TEXT, 5, '5 is not of type "string"'),
    (TEXT, 'a' * 256, None),
    ({'type': 'integer'}, 1.5, '1.5 is not of type "integer"'),
    ({'type': 'integer'}, True, 'true is not of type "integer"'),
    ({'type': 'integer', 'minimum': 2}, 1, '1 is less than the minimum of 2'),
    ({'type': 'string', 'format': 'uuid'}, 'x', '"x" is not a "uuid"'),
    ({'type': 'array', 'items': {'type': 'integer'}}, ['a'],
     '"a" is not of type "integer"'),
    ({'type': 'string', 'enum': ['a', 'b']}, 'c',
     '"c" is not in the enum ["a", "b"]'),
    ({'type': 'string', 'const': 'a'}, 'c', '"c" is not in the const "a"'),
    ({'type': 'integer', 'enum': [1]}, True, 'true is not of type "integer"'),
    (WHEN, '2026-01-01', '"2026-01-01" has no time of day; write it as '
                         '2026-01-31T12:00:00Z'),
    (WHEN, 5, '5 is not of type "string"'),
    ({'references': 'box'}, 'nobody', '"nobody" is not a "uuid"'),
])
def test_an_invalid_default_or_backfill_is_a_mistake(word, keywords, value,
                                                     why):
    lines = wrong(**keywords, **{word: value})
    assert len(lines) == 1
    assert lines[0].startswith(f'{word}: ')
    assert why is None or lines == [f'{word}: {why}']


def test_invalid_and_duplicate_enum_values_are_mistakes():
    assert wrong(type='integer', enum=[1, 1.0, 2.5, '3', True]) == [
        'enum[1]: 1 is a duplicate',
        'enum[2]: 2.5 is not of type "integer"',
        'enum[3]: "3" is not of type "integer"',
        'enum[4]: true is not of type "integer"']


def test_true_is_not_a_duplicate_of_one():
    assert wrong(type='number', enum=[0, True]) == [
        'enum[1]: true is not of type "number"']


# Versions

def enum(*choices, **more):
    return wrong(type='string', enum=list(choices), **more)


@pytest.mark.parametrize('choices, more, mistakes', [
    (['a', {'const': 'b', 'since': '1.3'}], {}, []),
    (['a', {'const': 'b', 'until': '1.3'}], {'default': 'a'}, []),
    (['a', {'const': 'b', 'since': '1.3'}], {'default': 'b'}, [
        'default: "b" is not valid in version 1.0; a default must be valid in '
        'each version of the property']),
    (['a', {'const': 'b', 'until': '1.3'}], {'default': 'b'}, [
        'default: "b" is not valid in version 1.3; a default must be valid in '
        'each version of the property']),
    (['a', {'const': 'b', 'until': '1.3'}],
     {'default': 'b', 'until': '1.3'}, []),
    ([{'const': 'b', 'since': '1.3'}], {}, [
        'enum: has no valid value in version 1.0; each version needs at '
        'least one']),
    ([{'const': 'b', 'until': '1.3'}], {}, [
        'enum: has no valid value in version 1.3; each version needs at '
        'least one']),
    ([{'const': 'b', 'until': '1.3'}, {'const': 'c', 'since': '1.3'}], {},
     []),
    (['a', {'const': 'b', 'since': '1.3', 'until': '1.3'}], {}, [
        'enum[1]: until 1.3 must be above since 1.3']),
    (['a', {'const': 'b', 'since': '1.1'}], {'since': '1.2'}, [
        'enum[1]: since 1.1 must not be below the property\'s first version '
        '1.2']),
    (['a', {'const': 'b', 'since': '1.1'}],
     {'since': '1.2', 'renamed_from': 'old'}, []),
    (['a', {'const': 'b', 'since': '1.3'}], {'backfill': 'b'}, []),
])
def test_an_enum_must_have_a_valid_value_in_each_version(choices, more,
                                                             mistakes):
    assert enum(*choices, **more) == mistakes


@pytest.mark.parametrize('keywords, own, mistakes', [
    ({'since': '1.2'}, {'since': '1.2'}, []),
    ({}, {'since': '1.2'}, []),
    ({'since': '1.1'}, {'since': '1.2'}, [
        "properties.a.since: 1.1 must not be below the type's since 1.2"]),
    ({'since': '1.10'}, {'since': '1.9'}, []),
    ({'since': '1.2', 'until': '1.2'}, {}, [
        'properties.a.until: 1.2 must be above since 1.2']),
    ({'since': '1.9', 'until': '1.10'}, {}, []),
    ({}, {'since': '1.2', 'until': '1.1'}, [
        "properties.a.since: 1.2 must be below the type's until 1.1",
        'until: 1.1 must be above since 1.2']),
    ({'since': '1.3'}, {'until': '1.3'}, [
        "properties.a.since: 1.3 must be below the type's until 1.3"]),
])
def test_the_versions_of_a_property_must_lie_within_those_of_its_type(
        keywords, own, mistakes):
    assert wrong_type({'a': {**TEXT, **keywords}}, **own) == mistakes


def test_a_rename_needs_a_later_version_and_an_unused_old_name():
    assert wrong_type({
        'a': {**TEXT, 'renamed_from': 'old'},
        'b': {**TEXT, 'since': '1.1', 'renamed_from': 'a'},
        'c': {**TEXT, 'since': '1.1', 'renamed_from': 'c'},
        'd': {**TEXT, 'since': '1.1', 'renamed_from': 'older'},
        'e': {**TEXT, 'since': '1.2', 'renamed_from': 'older'},
        'f': {**TEXT, 'since': '1.1', 'renamed_from': 'gone'},
        'gone': {'dropped': True},
        'g': {**TEXT, 'since': '1.1', 'renamed_from': 'free'},
    }) == [
        "properties.a.renamed_from: needs a since above the type's since 1.0; "
        'clients below it use the old name',
        'properties.b.renamed_from: "a" is also the name of a property; an '
        'old name must be unused',
        'properties.c.renamed_from: "c" is also the name of a property; an '
        'old name must be unused',
        'properties.d.renamed_from: "older" is the old name of two '
        'properties',
        'properties.e.renamed_from: "older" is the old name of two '
        'properties',
        'properties.f.renamed_from: "gone" is also the name of a property; '
        'an old name must be unused']


@pytest.mark.parametrize('keywords, mistakes', [
    ({}, []),
    ({'since': '1.1'}, [
        'properties.a: is required since 1.1; it needs a default, because '
        'clients of lower versions cannot send it']),
    ({'since': '1.1', 'default': 'x'}, []),
    ({'since': '1.1', 'backfill': 'x'}, [
        'properties.a: is required since 1.1; it needs a default, because '
        'clients of lower versions cannot send it']),
    ({'since': '1.1', 'renamed_from': 'old'}, []),
    ({'until': '1.1'}, [
        'properties.a: is required until 1.1; it needs a default, because '
        'clients of higher versions cannot send it']),
    ({'until': '1.1', 'default': 'x'}, []),
])
def test_a_required_property_that_some_versions_lack_needs_a_default(
        keywords, mistakes):
    assert wrong_type({'a': {**TEXT, **keywords}}, required=['a']) == mistakes


# References

@pytest.mark.parametrize('keywords, required, why', [
    ({}, ['it'], 'is required'),
    ({'immutable': True}, [], 'is immutable'),
    ({'default': '2eb8aa08-aa98-11ea-b4aa-73b441d16380'}, [],
     'has a default'),
])
def test_set_null_needs_a_property_that_can_be_null(keywords, required, why):
    assert wrong_type({'it': {'references': 'box', 'on_delete': 'set_null',
                              **keywords}}, required=required) == [
        f'properties.it.on_delete: set_null is not valid because the property '
        f'{why}; use restrict or cascade']
    assert wrong_type({'it': {'references': 'box', 'on_delete': 'cascade',
                              **keywords}}, required=required) == []


# Properties named in keywords of the type

@pytest.mark.parametrize('word', ['required', 'unique', 'indexes'])
def test_a_type_keyword_can_name_only_existing_properties(word):
    def names(*properties):
        return list(properties) if word == 'required' else [list(properties)]
    place = word if word == 'required' else f'{word}[0]'
    assert wrong_type({'serial': TEXT, 'old': {'dropped': True}},
                      **{word: names('serail', 'old')}) == [
        f'{place}: names the dropped property "old"',
        f'{place}: names unknown property "serail"; did you mean "serial"?']


@pytest.mark.parametrize('word', ['unique', 'indexes'])
@pytest.mark.parametrize('kind', ['object', 'array'])
def test_a_key_cannot_contain_an_object_or_array(word, kind):
    assert wrong_type({'a': {'type': kind}, 'b': TEXT},
                      **{word: [['b', 'a']]}) == [
        f'{word}[0]: "a" is of type {kind}, which cannot be compared']


def test_a_key_cannot_contain_common_fields():
    """Each index has project_id and id; created_at has an index anyway."""
    assert wrong_type({'a': TEXT}, indexes=[['created_at']]) == [
        'indexes[0]: names unknown property "created_at"']


def text_of(length):
    return {'type': 'string', 'maxLength': length}


@pytest.mark.parametrize('word, scope, length, size', [
    ('indexes', 'project', 550, 2600), ('indexes', 'cloud', 614, 2600),
    ('unique', 'project', 586, 2600), ('unique', 'cloud', 650, 2600),
])
def test_an_index_entry_has_at_most_2600_bytes(word, scope, length, size):
    """4 per character, 256 for project_id, 144 for the id of an index."""
    assert wrong_type({'a': text_of(length)}, scope=scope,
                      required=['a'], **{word: [['a']]}) == []
    lines = wrong_type({'a': text_of(length + 1)}, scope=scope,
                       required=['a'], **{word: [['a']]})
    assert len(lines) == 1
    assert lines[0].startswith(f'{word}[0]: an index entry can take '
                               f'{size + 4} bytes')
    assert ('project_id' in lines[0]) is (scope == 'project')
    assert (' id;' in lines[0]) is (word == 'indexes')


@pytest.mark.parametrize(('lengths', 'names', 'required', 'size'), [
    ((620, 1), ['a'], [], 2480 + 144),
    ((1, 620), ['a', 'b'], ['a', 'b'], 2480 + 144),
    ((620, 1), ['a', 'b'], ['a', 'b'], None)])
def test_the_size_of_a_unique_tuple_with_an_index_includes_the_id(
        lengths, names, required, size):
    """A tuple with a nullable column has an index for sorting, and the
    second column of a tuple has an index for filters."""
    lines = wrong_type(dict(zip('ab', map(text_of, lengths), strict=True)),
                       scope='cloud', required=required, unique=[names])
    assert [line.partition(' (')[0] for line in lines] == (
        [f'unique[0]: an index entry can take {size} bytes'] if size else [])


def test_the_size_of_an_index_entry_includes_columns_of_each_kind():
    kinds = {'t': WHEN, 'i': {'type': 'integer'}, 'n': {'type': 'number'},
             'b': {'type': 'boolean'}, 'r': {'references': 'box'}}
    rest = 2600 - 256 - 144 - 4 * 8 - 144
    assert rest % 4 == 0
    names = [*kinds, 's']
    assert wrong_type({**kinds, 's': text_of(rest // 4)},
                      indexes=[names]) == []
    assert len(wrong_type({**kinds, 's': text_of(rest // 4 + 1)},
                          indexes=[names])) == 1


def test_a_row_must_fit_in_every_database():
    """MariaDB counts each VARCHAR of a row towards 65535 bytes."""
    def row(count, length):
        return wrong_type({f'p{i}': text_of(length) for i in range(count)})
    assert row(63, 255) == []
    assert len(row(64, 255)) == 1
    assert row(15, 1024) == []
    assert len(row(16, 1024)) == 1
    assert row(100, 1025) == []


def test_a_type_has_at_most_100_properties_and_50_keys():
    numbers = {f'p{i}': {'type': 'integer'} for i in range(101)}
    assert wrong_type(numbers) == [
        'properties: there are 101; the maximum is 100']
    numbers.pop('p100')
    keys = [[f'p{i}'] for i in range(50)]
    assert wrong_type(numbers, indexes=keys) == []
    assert wrong_type(numbers, indexes=keys, unique=[['p1', 'p2']]) == [
        'unique, indexes, exclusive and references together need 52 database '
        'indexes; the maximum is 50']


def test_a_filter_column_that_leads_no_tuple_counts_as_an_index():
    names = [f'p{i}' for i in range(51)]
    numbers = {name: {'type': 'integer'} for name in names}
    tuples = [names[start:start + 13] for start in range(0, 51, 13)]
    assert wrong_type(numbers, indexes=[*tuples[:3], tuples[3][:-1]]) == []
    assert wrong_type(numbers, indexes=tuples) == [
        'unique, indexes, exclusive and references together need 51 database '
        'indexes; the maximum is 50']


# Exclusive, quota, policy, tombstones

@pytest.mark.parametrize('rule, mistakes', [
    ({'period': ['a', 'b'], 'over': ['r']}, []),
    ({'period': ['a', 'b']}, []),
    ({'period': ['a', 'n'], 'over': ['o']}, [
        'exclusive[0].over: "o" is of type object, which cannot be '
        'compared',
        'exclusive[0].period: "n" must be a property of format '
        'date-time']),
    ({'period': ['a', 'x'], 'over': ['old', 'y']}, [
        'exclusive[0].over: names the dropped property "old"',
        'exclusive[0].over: names unknown property "y"',
        'exclusive[0].period: names unknown property "x"']),
    ({'period': ['a', 'b'], 'over': ['a']}, [
        'exclusive[0].over: "a" is also in "period"; remove it from one '
        'of the two']),
    ({'period': ['a', 'b'], 'when': {
        's': ['x'], 'f': [True], 'i': [1, 2], 'e': ['on']}}, []),
    ({'period': ['a', 'b'], 'when': {
        'a': ['2026-01-01T00:00:00Z'], 'o': ['x'], 'y': [1], 'old': [1],
        's': ['long'], 'f': [1], 'i': ['1'], 'e': ['on', 'of']}}, [
        'exclusive[0].when.a: "a" must be a property of type string '
        '(not date-time), integer or boolean',
        'exclusive[0].when.e: "of" is not in the enum ["on", "off"]',
        'exclusive[0].when.f: 1 is not of type "boolean"',
        'exclusive[0].when.i: "1" is not of type "integer"',
        'exclusive[0].when.o: "o" must be a property of type string '
        '(not date-time), integer or boolean',
        'exclusive[0].when.s: "long" is longer than 3 characters',
        'exclusive[0].when: names the dropped property "old"',
        'exclusive[0].when: names unknown property "y"']),
    ({'period': ['a', 'b'], 'over': ['t']}, [
        'exclusive[0]: an index entry can take 4408 bytes (4 per character) '
        'with project_id and id; the maximum is 2600: lower the maxLength of '
        'the strings']),
])
def test_exclusive_needs_two_times_and_comparable_properties(rule,
                                                             mistakes):
    properties = {'a': WHEN, 'b': WHEN, 'n': {'type': 'integer'},
                  'o': {'type': 'object'}, 'r': {'references': 'box'},
                  'old': {'dropped': True}, 'f': {'type': 'boolean'},
                  'i': {'type': 'integer'},
                  's': {'type': 'string', 'maxLength': 3},
                  't': {'type': 'string', 'maxLength': 1000},
                  'e': {'type': 'string', 'enum': ['on', 'off']}}
    assert wrong_type(properties, exclusive=[rule]) == mistakes
    assert wrong_type(properties, exclusive=rule) == [
        line.replace('exclusive[0]', 'exclusive') for line in mistakes]


def test_a_quota_is_valid_for_scope_project_only():
    assert wrong_type(quota=0) == []
    assert wrong_type(quota=5, scope='cloud') == [
        'quota: is valid for scope project only; records of scope cloud '
        'belong to no project']


def test_a_policy_needs_known_actions_and_rules_that_are_not_empty():
    assert wrong_type(policy={'create': 'role:admin', 'list': '@',
                              'delete': '!', 'create_any': 'role:x'}) == []
    assert wrong_type(policy={'creat': 'role:admin', 'list': ' ',
                              'zap': '@'}) == [
        'policy.list: is empty, which would allow everybody; write "@" to '
        'allow everybody or "!" to allow nobody',
        'policy: unknown action "creat"; did you mean "create"?',
        'policy: unknown action "zap"; valid: list, show, create, replace, '
        'patch, delete, create_any, list_any, show_tags, update_tags, '
        'show_metadata, update_metadata, list_revisions, show_revision, '
        'revert']


def test_a_policy_can_name_actions_of_a_controller():
    assert wrong_type(policy={'retire': 'role:admin'},
                      controller='site.hosts:Actions') == []


def test_the_plural_must_differ_from_the_name():
    assert wrong_type(plural='box') == [
        'plural: "box" is also the name; the two must differ, because they '
        'are the keys of a list and of one record']


def test_a_dropped_type_or_property_can_keep_only_name_and_description():
    assert wrong_type({'a': {'dropped': True, 'description': 'Gone.'}}) == []
    assert wrong_type({'a': {'dropped': True, 'type': 'string'}}) == [
        'properties.a.type: is not valid beside "dropped: true"; remove it']
    assert wrong_type({'a': TEXT}, dropped=True) == [
        'properties: is not valid beside "dropped: true"; remove it']


def test_dropped_false_has_no_effect():
    assert wrong(type='string', dropped=False) == []
    assert wrong_type(dropped=False) == []


def test_a_malformed_keyword_hides_no_other_mistake_of_its_property():
    assert wrong(type='string', minLength='3', maxLength=2, default='abc',
                 read_roles='x') == [
        'default: "abc" is longer than 2 characters',
        'minLength: must be an integer from 0 to 2147483647, not "3"',
        'read_roles: must be a list of different role names, such as '
        '[admin], not "x"']


def test_a_malformed_property_is_not_reported_as_unknown_elsewhere():
    assert wrong_type({'a': {'type': 'text'}, 'b': 'string'},
                      required=['a', 'b'], unique=[['a']],
                      indexes=[['b']]) == [
        'properties.a.type: must be one of string, integer, number, '
        'boolean, object, array, not "text"',
        'properties.b: must be a mapping of keywords such as {type: string}, '
        'not "string"']
