# SPDX-License-Identifier: Apache-2.0
"""Each keyword of a type file: where it is valid, and its valid values."""

import json

import pytest

from service.domain.typefiles import vocabulary
from tests.unit.domain.declared import box, mistakes, text, wrong, wrong_type

KIND_OF = {'string': {'type': 'string'}, 'integer': {'type': 'integer'},
           'number': {'type': 'number'}, 'boolean': {'type': 'boolean'},
           'array': {'type': 'array'}, 'object': {'type': 'object'},
           'reference': {'references': 'box'}}

BAD_VERSIONS = [1.1, 1, '1', '01.1', '1.01', '0.9', '1.', 'v1.1', '1.2.3',
                '-1.0', '1.1\n', ' 1.1', 'latest', '', None, ['1.1'],
                '1.' + '9' * 30]
BAD_NAMES = ['', 'A', 'aB', '1a', '_a', 'a-b', 'a b', 'ä', 'a\n', 'a' * 49,
             None, 7, ['a']]
BAD_FLAGS = ['true', 'yes', 1, 0, None]
BAD_COUNTS = [-1, 1.5, '1', None, True, 2 ** 31]
BAD_TEXTS = [1, None, True, ['a']]
BAD_LISTS = ['a', {'a': 1}, None, [1], ['a', 'a']]

#: Invalid values by keyword.
TYPE_BAD = {
    'name': BAD_NAMES,
    'plural': [*BAD_NAMES, 'a_', 'a__b'],
    'description': BAD_TEXTS,
    'scope': ['Project', 'domain', None, ''],
    'since': BAD_VERSIONS,
    'until': BAD_VERSIONS,
    'controller': ['a', 'a.b', ':C', 'a:', 'a b:C', 'a:b:C', '../a:C', None],
    'dropped': BAD_FLAGS,
    'properties': [[], 'a', None, 1],
    'required': BAD_LISTS,
    'unique': [['a'], 'a', [[]], [['a', 'a']], [['a'], ['a']], [[1]], None],
    'indexes': [['a'], 'a', [[]], [['a', 'a']], [['a'], ['a']], [[1]], None,
                [[f'p{i}' for i in range(15)]]],
    'exclusive': [{}, [{}], [{'period': ['a']}], [{'period': ['a', 'a']}],
                  [{'period': ['a', 'b', 'c']}], [['a', 'b']], None,
                  [{'period': ['a', 'b'], 'over': 'c'}],
                  [{'period': ['a', 'b'], 'per': ['c']}],
                  {'period': ['a', 'b'], 'when': {}},
                  {'period': ['a', 'b'], 'when': {'c': []}},
                  {'period': ['a', 'b'], 'when': {'c': 'd'}},
                  {'period': ['a', 'b'], 'when': {'c': [None]}},
                  {'period': ['a', 'b'], 'when': ['c']}],
    'quota': BAD_COUNTS,
    'policy': ['role:admin', [], None, {'create': None}, {'create': ['a']}],
}
NUMERIC_BAD = ['1', None, True, [1]]
PROPERTY_BAD = {
    'type': ['text', 'null', ['string'], ['string', 'null'], None, 1, ''],
    'description': BAD_TEXTS,
    'enum': ['a', [], None, {'const': 'a'}, [None], [['a']], [{}],
             [{'const': None}], [{'const': 'a', 'sinse': '1.1'}],
             [{'const': 'a', 'since': 1.1}], [{'value': 'a'}]],
    'const': [None, [], {}],
    'pattern': [1, None, 'a' * 1001],
    'minLength': BAD_COUNTS,
    'maxLength': [*BAD_COUNTS, 65536],
    'format': ['email ', 'int32', 'color', 'password', '', None, 1],
    'minimum': NUMERIC_BAD, 'maximum': NUMERIC_BAD,
    'exclusiveMinimum': NUMERIC_BAD, 'exclusiveMaximum': NUMERIC_BAD,
    'multipleOf': [*NUMERIC_BAD, 0, -1],
    'items': [True, False, [], ['string'], 'string', None],
    'minItems': BAD_COUNTS, 'maxItems': BAD_COUNTS,
    'uniqueItems': BAD_FLAGS,
    'properties': [[], 'a', None, {'': {}}, {'a' * 256: {}}],
    'required': BAD_LISTS,
    'additionalProperties': ['true', None, [], 1],
    'default': [None],
    'backfill': [None],
    'immutable': BAD_FLAGS,
    'references': BAD_NAMES,
    'on_delete': ['CASCADE', 'set null', 'no action', None, True],
    'since': BAD_VERSIONS,
    'until': BAD_VERSIONS,
    'renamed_from': BAD_NAMES,
    'read_roles': ['admin', [], [''], [' '], ['a', 'a'], [1], None],
    'write_roles': ['admin', [], [''], [' '], ['a', 'a'], [1], None],
    'dropped': BAD_FLAGS,
}


def pairs(table):
    return [pytest.param(word, value, id=f'{word}-{json.dumps(value)[:30]}')
            for word, values in table.items() for value in values]


def test_every_keyword_has_invalid_values_in_these_tests():
    assert TYPE_BAD.keys() == vocabulary.TYPE_KEYWORDS.keys()
    assert PROPERTY_BAD.keys() == vocabulary.PROPERTY_KEYWORDS.keys()


@pytest.mark.parametrize('word, value', pairs(TYPE_BAD))
def test_a_malformed_type_keyword_is_one_mistake(word, value):
    """Other keywords that refer to the malformed one add no mistake."""
    keywords = {'name': 'box', 'plural': 'boxes', word: value}
    if word == 'properties':
        keywords |= {'required': ['a'], 'indexes': [['b']]}
    lines = mistakes(box=text(keywords))
    assert len(lines) == 1
    assert lines[0].startswith(f'box.yaml: {word}: must be '), lines


@pytest.mark.parametrize('word, value', pairs(PROPERTY_BAD))
def test_a_malformed_property_keyword_is_one_mistake(word, value):
    kind = next(name for name in KIND_OF
                if name in vocabulary.PROPERTY_KEYWORDS[word].kinds)
    lines = wrong(**{**KIND_OF[kind], word: value})
    assert len(lines) == 1
    assert lines[0].startswith(f'{word}: must be '), lines


@pytest.mark.parametrize('word', vocabulary.PROPERTY_KEYWORDS)
@pytest.mark.parametrize('kind', KIND_OF)
def test_a_keyword_is_valid_only_for_its_kinds(word, kind):
    """Elsewhere the mistake is the place, even if the value is malformed."""
    wanted = vocabulary.PROPERTY_KEYWORDS[word].kinds
    keywords = {word: {'odd': None}, **KIND_OF[kind]}
    lines = [line for line in wrong(**keywords) if 'is valid for' in line]
    misplaced = kind not in wanted and word not in KIND_OF[kind]
    assert bool(lines) is misplaced, lines


def test_the_mistake_of_a_misplaced_keyword_names_the_valid_kinds():
    assert wrong(type='integer', minLength=3) == [
        'minLength: is valid for string, not for integer']
    assert wrong(references='box', type='string') == [
        'type: is valid for string, integer, number, boolean, object, array, '
        'not for reference']


@pytest.mark.parametrize('keywords, mistake', [
    ({'defalt': 1}, 'unknown keyword "defalt"; did you mean "default"?'),
    ({'min_length': 1}, 'unknown keyword "min_length"; did you mean '
                        '"minLength"?'),
    ({'oneOf': []}, 'unknown keyword "oneOf"'),
    ({'$ref': 'http://x'}, '"$ref" is not supported; write the referenced '
                           'keywords here'),
    ({'a\nb': 1}, 'unknown keyword "a\\nb"'),
])
def test_the_mistake_of_an_unknown_keyword_suggests_a_similar_one(
        keywords, mistake):
    assert wrong(type='string', **keywords) == [mistake]


def test_an_unknown_keyword_of_a_type_is_a_mistake():
    assert wrong_type(scop='cloud') == [
        'unknown keyword "scop"; did you mean "scope"?']


def test_only_json_schema_keywords_are_valid_inside_objects_and_arrays():
    lines = wrong(type='object', additionalProperties={
        'type': 'array', 'items': {'type': 'string', 'immutable': True}},
        properties={'a': {'$ref': 'x'}, 'b': {'type': 'integer',
                                              'maxLength': 2}, 'c': 'text'})
    assert lines == [
        'additionalProperties.items: unknown keyword "immutable"',
        'properties.a: "$ref" is not supported; write the referenced keywords '
        'here',
        'properties.b.maxLength: is valid for string, not for integer',
        'properties.c: must be a mapping of keywords such as {type: string}, '
        'not "text"']


def test_an_inner_keyword_of_one_kind_needs_a_type_beside_it():
    assert wrong(type='array', items={'minLength': 1}) == [
        'items.minLength: needs a "type" beside it (string)']


def test_an_inner_schema_without_keywords_allows_any_value():
    assert wrong(type='array', items={}) == []
    assert wrong(type='array', items={'enum': [1, 'a', None, [2]]}) == []
    assert wrong(type='object', additionalProperties=False) == []


@pytest.mark.parametrize('content, mistake', [
    ('', 'is empty; it must declare a type'),
    ('- a', 'must be a mapping of keywords such as {name: rack, plural: '
            'racks}, not ["a"]'),
    ('just text', 'must be a mapping of keywords such as {name: rack, '
                  'plural: racks}, not "just text"'),
])
def test_a_file_must_be_a_mapping(content, mistake):
    assert mistakes(box=content) == [f'box.yaml: {mistake}']


def test_a_type_must_have_a_name_and_a_plural():
    assert mistakes(box='scope: cloud') == [
        'box.yaml: lacks the required keyword "name"',
        'box.yaml: lacks the required keyword "plural"']


def test_a_property_must_be_a_mapping_with_a_type_or_a_reference():
    assert mistakes(box=box({'a': 'string', 'b': {'minLength': 3}})) == [
        'box.yaml: properties.a: must be a mapping of keywords such as {type: '
        'string}, not "string"',
        'box.yaml: properties.b: needs a "type" (string, integer, number, '
        'boolean, object, array) or "references"']


@pytest.mark.parametrize('name', sorted(vocabulary.RESERVED_NAMES))
def test_a_property_cannot_have_a_reserved_name(name):
    assert wrong_type({name: {'type': 'string'}}) == [
        f'properties.{name}: the name is reserved; choose another '
        'name']
    assert wrong_type({'it': {'type': 'string', 'since': '1.1',
                              'renamed_from': name}}) == [
        f'properties.it.renamed_from: "{name}" is a reserved name']


def test_fields_parameters_and_own_collections_are_reserved_names():
    common = {'id', 'project_id', 'generation', 'created_at', 'updated_at',
              'tags', 'metadata', 'links'}
    parameters = {'limit', 'marker', 'sort', 'sort_key', 'sort_dir',
                  'fields', 'with_count', 'all_projects', 'dry_run',
                  'revision', 'tags', 'tags_any', 'not_tags', 'not_tags_any'}
    collections = {'types', 'test', 'quotas', 'docs', 'metrics', 'errors'}
    assert common | parameters <= vocabulary.RESERVED_NAMES
    assert common | parameters | collections <= vocabulary.RESERVED_PLURALS


@pytest.mark.parametrize('plural', sorted(vocabulary.RESERVED_PLURALS))
def test_a_type_cannot_have_a_reserved_plural(plural):
    assert wrong_type(plural=plural) == [
        f'plural: "{plural}" is reserved; choose another plural']


def test_a_type_cannot_have_the_name_of_quota_changes_in_the_history():
    assert wrong_type(name='quota') == [
        'name: "quota" is reserved; choose another name']


@pytest.mark.parametrize('name', [
    name for name in BAD_NAMES if isinstance(name, str)])
def test_a_malformed_property_name_is_a_mistake(name):
    lines = wrong_type({name: {'type': 'string'}})
    assert len(lines) == 1
    assert 'the property name must be 1 to 48 lower-case letters' in lines[0]
    assert '\n' not in lines[0]


@pytest.mark.parametrize('name', ['a', 'a1', 'a_b', 'a__b_', 'a' * 48])
def test_a_well_formed_property_name_is_valid(name):
    assert wrong_type({name: {'type': 'string'}}) == []
