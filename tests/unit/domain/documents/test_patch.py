# SPDX-License-Identifier: Apache-2.0
"""Merge patches follow RFC 7396, JSON Patches RFC 6902, within limits."""

import copy
import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain import errors
from service.domain.documents import patch, pointers, values

TEXTS = st.text(st.characters(exclude_categories=['Cs'],
                              exclude_characters='\0'), max_size=4)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-2 ** 63, 2 ** 63 - 1),
    st.floats(allow_nan=False, allow_infinity=False), TEXTS)
NAMES = st.one_of(st.sampled_from(['a', 'b', '~', '/', '']), TEXTS)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(NAMES, inner, max_size=4)), max_leaves=12)
OBJECTS = st.dictionaries(NAMES, DOCUMENTS, max_size=4)


# Merge patch

#: RFC 7396, appendix A: target, patch, result.
MERGES = [
    ({'a': 'b'}, {'a': 'c'}, {'a': 'c'}),
    ({'a': 'b'}, {'b': 'c'}, {'a': 'b', 'b': 'c'}),
    ({'a': 'b'}, {'a': None}, {}),
    ({'a': 'b', 'b': 'c'}, {'a': None}, {'b': 'c'}),
    ({'a': ['b']}, {'a': 'c'}, {'a': 'c'}),
    ({'a': 'c'}, {'a': ['b']}, {'a': ['b']}),
    ({'a': {'b': 'c'}}, {'a': {'b': 'd', 'c': None}}, {'a': {'b': 'd'}}),
    ({'a': [{'b': 'c'}]}, {'a': [1]}, {'a': [1]}),
    (['a', 'b'], ['c', 'd'], ['c', 'd']),
    ({'a': 'b'}, ['c'], ['c']),
    ({'a': 'foo'}, None, None),
    ({'a': 'foo'}, 'bar', 'bar'),
    ({'e': None}, {'a': 1}, {'e': None, 'a': 1}),
    ([1, 2], {'a': 'b', 'c': None}, {'a': 'b'}),
    ({}, {'a': {'bb': {'ccc': None}}}, {'a': {'bb': {}}}),
]


@pytest.mark.parametrize(('target', 'change', 'result'), MERGES)
def test_merge_gives_the_results_of_the_rfc_examples(target, change, result):
    assert patch.merge(target, change) == result


def without_nulls(value):
    if not isinstance(value, dict):
        return value
    return {name: without_nulls(member) for name, member in value.items()
            if member is not None}


def difference(document, other):
    """Return the merge patch that changes one object into another."""
    change = {name: None for name in document if name not in other}
    for name, value in other.items():
        if isinstance(value, dict) and isinstance(document.get(name), dict):
            change[name] = difference(document[name], value)
        else:
            change[name] = value
    return change


@settings(deadline=None)
@given(OBJECTS.map(without_nulls), OBJECTS.map(without_nulls))
def test_a_merge_patch_can_change_any_object_into_any_other(document, other):
    assert patch.equal(
        patch.merge(document, difference(document, other)), other)


@settings(deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_merging_is_idempotent_and_leaves_its_arguments(target, change):
    before = copy.deepcopy((target, change))
    merged = patch.merge(target, change)
    assert patch.merge(merged, change) == merged
    assert (target, change) == before


# JSON Patch

def op(name, path, **members):
    if 'source' in members:
        members['from'] = members.pop('source')
    return {'op': name, 'path': path, **members}


#: Examples of RFC 6902, appendix A, and cases of its sections 4.1 to 4.6.
PATCHES = {
    'A.1': ({'foo': 'bar'}, [op('add', '/baz', value='qux')],
            {'baz': 'qux', 'foo': 'bar'}),
    'A.2': ({'foo': ['bar', 'baz']}, [op('add', '/foo/1', value='qux')],
            {'foo': ['bar', 'qux', 'baz']}),
    'A.3': ({'baz': 'qux', 'foo': 'bar'}, [op('remove', '/baz')],
            {'foo': 'bar'}),
    'A.4': ({'foo': ['bar', 'qux', 'baz']}, [op('remove', '/foo/1')],
            {'foo': ['bar', 'baz']}),
    'A.5': ({'baz': 'qux', 'foo': 'bar'},
            [op('replace', '/baz', value='boo')],
            {'baz': 'boo', 'foo': 'bar'}),
    'A.6': ({'foo': {'bar': 'baz', 'waldo': 'fred'},
             'qux': {'corge': 'grault'}},
            [op('move', '/qux/thud', source='/foo/waldo')],
            {'foo': {'bar': 'baz'},
             'qux': {'corge': 'grault', 'thud': 'fred'}}),
    'A.7': ({'foo': ['all', 'grass', 'cows', 'eat']},
            [op('move', '/foo/3', source='/foo/1')],
            {'foo': ['all', 'cows', 'eat', 'grass']}),
    'A.8': ({'baz': 'qux', 'foo': ['a', 2, 'c']},
            [op('test', '/baz', value='qux'), op('test', '/foo/1', value=2)],
            {'baz': 'qux', 'foo': ['a', 2, 'c']}),
    'A.10': ({'foo': 'bar'}, [op('add', '/child', value={'grandchild': {}})],
             {'foo': 'bar', 'child': {'grandchild': {}}}),
    'A.11': ({'foo': 'bar'}, [op('add', '/baz', value='qux', xyz=123)],
             {'foo': 'bar', 'baz': 'qux'}),
    'A.14': ({'/': 9, '~1': 10}, [op('test', '/~01', value=10)],
             {'/': 9, '~1': 10}),
    'A.16': ({'foo': ['bar']}, [op('add', '/foo/-', value=['abc', 'def'])],
             {'foo': ['bar', ['abc', 'def']]}),
    'no operations': ({'a': 1}, [], {'a': 1}),
    'add over a member': ({'a': 1}, [op('add', '/a', value=2)], {'a': 2}),
    'add null': ({}, [op('add', '/a', value=None)], {'a': None}),
    'add at the end': ([1], [op('add', '/1', value=2)], [1, 2]),
    'add the whole': ({'a': 1}, [op('add', '', value=[])], []),
    'replace the whole': ({'a': 1}, [op('replace', '', value={'b': 2})],
                          {'b': 2}),
    'replace an element': ([1, 2], [op('replace', '/0', value=9)], [9, 2]),
    'copy': ({'a': {'b': 1}}, [op('copy', '/c', source='/a'),
                               op('replace', '/c/b', value=2)],
             {'a': {'b': 1}, 'c': {'b': 2}}),
    'copy into itself': ({'a': {}}, [op('copy', '/a/b', source='/a')],
                         {'a': {'b': {}}}),
    'copy from the whole': ({'a': 1}, [op('copy', '/b', source='')],
                            {'a': 1, 'b': {'a': 1}}),
    'move to the same place': ({'a': 1}, [op('move', '/a', source='/a')],
                               {'a': 1}),
    'move over its parent': ({'a': {'b': 1}},
                             [op('move', '/a', source='/a/b')], {'a': 1}),
    'move to the end': ([1, 2, 3], [op('move', '/-', source='/0')],
                        [2, 3, 1]),
    'a name that looks like an index': (
        {'0': 1}, [op('replace', '/0', value=2)], {'0': 2}),
    'a name that is a dash': ({}, [op('add', '/-', value=1)], {'-': 1}),
    'an empty name': ({'': 1}, [op('remove', '/')], {}),
    'members that the operation does not need': (
        {'a': 1}, [op('remove', '/a', value=1, source='~')], {}),
}


@pytest.mark.parametrize(('document', 'operations', 'result'),
                         PATCHES.values(), ids=PATCHES)
def test_json_patch_gives_the_results_of_the_rfc_examples(
        document, operations, result):
    assert patch.apply(document, operations) == result


#: Document, operations, path of the failing test. A.9 and A.15 are examples
#: of the RFC.
FAILING = {
    'A.9': ({'baz': 'qux'}, [op('test', '/baz', value='bar')], '/baz'),
    'A.15': ({'/': 9, '~1': 10}, [op('test', '/~01', value='10')], '/~01'),
    'missing member': ({}, [op('test', '/a', value=None)], '/a'),
    'index past the end': ([1], [op('test', '/1', value=1)], '/1'),
    'after a change': ({'a': 1}, [op('replace', '/a', value=2),
                                  op('test', '/a', value=1)], '/a'),
    'true is not 1': ({'a': 1}, [op('test', '/a', value=True)], '/a'),
    'false is not 0': ({'a': [0]}, [op('test', '', value={'a': [False]})],
                       ''),
    'null is not false': ({'a': None}, [op('test', '/a', value=False)], '/a'),
}


@pytest.mark.parametrize(('document', 'operations', 'path'),
                         FAILING.values(), ids=FAILING)
def test_a_failing_test_operation_raises_test_failed_with_its_path(
        document, operations, path):
    """J08"""
    with pytest.raises(errors.TestFailed, match=f'"{path}"'):
        patch.apply(document, operations)


@pytest.mark.parametrize(('value', 'other', 'same'), [
    (1, 1.0, True), (0, -0.0, True), (2 ** 53 + 1, float(2 ** 53), False),
    (1, True, False), (0, False, False), (0, None, False), ('1', 1, False),
    ({'a': 1, 'b': [2]}, {'b': [2.0], 'a': 1.0}, True),
    ({'a': 1}, {'a': True}, False), ({'a': 1}, {'a': 1, 'b': None}, False),
    ([1, 2], [2, 1], False), ([1], [1, 1], False), ([], {}, False),
    ('\u00e9', 'e\u0301', False),
])
def test_equality_follows_json(value, other, same):
    assert patch.equal(value, other) is same
    assert patch.equal(other, value) is same


#: Document, operations, pointer to the mistake, part of the error text.
REFUSED = {
    'A.12': ({'foo': 'bar'}, [op('add', '/baz/bat', value='qux')],
             '/0/path', 'nothing at'),
    'no array': ({}, {'op': 'add'}, '', 'array of operations'),
    'no object': ({}, ['add'], '/0', 'not an object'),
    'no op': ({}, [{'path': '/a'}], '/0', '"op" must be'),
    'unknown op': ({}, [op('append', '/a', value=1)], '/0/op', 'test'),
    'op is a list': ({}, [op([], '/a')], '/0/op', '"op" must be'),
    'no path': ({}, [{'op': 'remove'}], '/0', '"path" is missing'),
    'path is null': ({}, [op('remove', None)], '/0/path', 'not a string'),
    'no value': ({}, [op('add', '/a')], '/0', '"value" is missing'),
    'no from': ({}, [op('move', '/a')], '/0', '"from" is missing'),
    'no slash': ({'a': 1}, [op('remove', 'a')], '/0/path', 'begin'),
    '~2': ({'~2': 1}, [op('remove', '/~2')], '/0/path', '~'),
    '~2 in from': ({'~2': 1}, [op('copy', '/a', source='/~2')],
                   '/0/from', '~'),
    '~2 in test': ({'~2': 1}, [op('test', '/~2', value=1)], '/0/path', '~'),
    'remove nothing': ({}, [op('remove', '/a')], '/0/path', '"/a"'),
    'remove the whole': ({}, [op('remove', '')], '/0/path', 'whole'),
    'replace nothing': ({}, [op('replace', '/a', value=1)],
                        '/0/path', 'nothing at'),
    'copy from nothing': ({}, [op('copy', '/b', source='/a')],
                          '/0/from', 'nothing at'),
    'move from nothing': ({}, [op('move', '/a', source='/a')],
                          '/0/from', 'nothing at'),
    'into a scalar': ({'a': 'text'}, [op('add', '/a/0', value=1)],
                      '/0/path', 'nothing at'),
    'into null': ({'a': None}, [op('add', '/a/b', value=1)],
                  '/0/path', 'nothing at'),
    'leading zero': ([1, 2], [op('remove', '/01')], '/0/path', 'not an index'),
    'minus': ([1, 2], [op('remove', '/-1')], '/0/path', 'not an index'),
    'plus': ([1, 2], [op('remove', '/+1')], '/0/path', 'not an index'),
    'a name in an array': ([1], [op('add', '/x', value=1)],
                           '/0/path', 'not an index'),
    'other digits': ([1, 2], [op('remove', '/١')], '/0/path', 'not an index'),
    'digits without end': ([1], [op('remove', '/' + '9' * 5000)],
                           '/0/path', 'not an index'),
    'past the end': ([1], [op('add', '/2', value=1)], '/0/path', 'past'),
    'one past the last': ([1], [op('replace', '/1', value=1)],
                          '/0/path', 'past'),
    'replace at the dash': ([1], [op('replace', '/-', value=1)],
                            '/0/path', 'not an index'),
    'through the dash': ([{}], [op('add', '/-/a', value=1)],
                         '/0/path', 'not an index'),
    'move into its child': ({'a': {'b': {}}},
                            [op('move', '/a/b/c', source='/a')],
                            '/0/path', 'into itself'),
    'move the whole': ({'a': 1}, [op('move', '/a', source='')],
                       '/0/path', 'into itself'),
    'the second': ({'a': 1}, [op('test', '/a', value=1), op('remove', '/b')],
                   '/1/path', 'Operation 1 (remove)'),
}


@pytest.mark.parametrize(('document', 'operations', 'pointer', 'text'),
                         REFUSED.values(), ids=REFUSED)
def test_an_invalid_operation_is_named_and_changes_nothing(
        document, operations, pointer, text):
    """J08"""
    before = copy.deepcopy((document, operations))
    with pytest.raises(errors.Invalid) as caught:
        patch.apply(document, operations)
    violation, = caught.value.violations
    assert violation.pointer == pointer
    assert text in violation.detail
    assert (document, operations) == before


def test_every_malformed_operation_is_named_at_once():
    operations = [op('remove', '/a'), op('jump', '/a'), op('move', 'x'),
                  op('add', '/~', value=1)]
    with pytest.raises(errors.Invalid) as caught:
        patch.apply({}, operations)
    assert [violation.pointer for violation in caught.value.violations] == [
        '/1/op', '/2/path', '/2', '/3/path']


def test_a_failing_operation_undoes_the_earlier_operations():
    """J08"""
    document = {'a': {'list': [1, 2]}, 'b': 1}
    before = copy.deepcopy(document)
    with pytest.raises(errors.TestFailed):
        patch.apply(document, [op('add', '/a/list/-', value=3),
                               op('remove', '/b'),
                               op('test', '/a', value={})])
    assert document == before


def test_a_later_operation_does_not_change_the_value_in_an_earlier_one():
    operations = [op('add', '/a', value={'x': 1}),
                  op('add', '/a/y', value=2)]
    assert patch.apply({}, operations) == {'a': {'x': 1, 'y': 2}}
    assert operations[0]['value'] == {'x': 1}


def test_a_patch_may_have_a_thousand_operations_and_no_more():
    """J08"""
    allowed = [op('add', '/a', value=n) for n in range(1000)]
    assert patch.apply({}, allowed) == {'a': 999}
    with pytest.raises(errors.Invalid, match='at most 1000'):
        patch.apply({}, [*allowed, op('remove', '/a')])


def test_repeated_copies_of_a_document_into_itself_are_refused_early():
    """J08: a thousand operations each double the document."""
    document = {'a': 'x' * 1000, 'b': []}
    bomb = [op('copy', '/b/-', source='') for _ in range(1000)]
    began = time.process_time()
    with pytest.raises(errors.Invalid) as caught:
        patch.apply(document, bomb)
    assert time.process_time() - began < 2
    violation, = caught.value.violations
    assert 'writes more than 1048576 characters' in violation.detail
    assert int(violation.pointer.split('/')[1]) < 20


def test_alternating_copies_and_removals_are_bounded():
    """J08: the document stays small, but the work would not."""
    document = {'a': list(range(20_000))}
    turns = [op('copy', '/b', source='/a'), op('remove', '/b')] * 500
    with pytest.raises(errors.Invalid, match='writes more than'):
        patch.apply(document, turns)


def test_the_limit_on_written_characters_is_exact():
    change = [op('add', '/a', value='12345678')]
    assert patch.apply({}, change, max_written=10) == {'a': '12345678'}
    with pytest.raises(errors.Invalid, match='more than 9 characters'):
        patch.apply({}, change, max_written=9)


@pytest.mark.parametrize('round_', [
    [op('copy', '/a/a', source='/a')],
    [op('add', '/b', value={}), op('move', '/b/a', source='/a'),
     op('move', '/a', source='/b')],
    [op('add', '/b', value={'a': {}}), op('copy', '/b/a', source='/a'),
     op('move', '/a', source='/b')],
], ids=['copy', 'move', 'both'])
def test_a_patch_cannot_nest_deeper_than_a_body(round_):
    """J02, J08"""
    with pytest.raises(errors.Invalid, match='more than 32 deep'):
        patch.apply({'a': {}}, round_ * 40)


def test_a_patch_may_nest_as_deep_as_a_body():
    value = {}
    for _ in range(30):
        value = {'a': value}
    result = patch.apply({}, [op('add', '/a', value=value)])
    assert list(values.storage_flaws(result)) == []
    with pytest.raises(errors.Invalid, match='more than 32 deep'):
        patch.apply({}, [op('add', '/a', value={'a': value})])


PATHS = st.one_of(
    st.sampled_from(['', '/a', '/b', '/a/0', '/a/-', '/b/~0', '/a/b', '/~1',
                     '/', 'a', '/~', '/0', '/-']), TEXTS)
OPERATIONS = st.one_of(DOCUMENTS, st.fixed_dictionaries(
    {'op': st.sampled_from(['add', 'remove', 'replace', 'move', 'copy',
                            'test', 'x']),
     'path': PATHS},
    optional={'from': PATHS, 'value': DOCUMENTS}))


@settings(deadline=None, max_examples=300)
@given(DOCUMENTS, st.one_of(DOCUMENTS, st.lists(OPERATIONS, max_size=6)))
def test_any_patch_gives_a_storable_document_or_an_error(document,
                                                         operations):
    before = json.dumps((document, operations))
    try:
        result = patch.apply(document, operations)
    except (errors.Invalid, errors.TestFailed) as exc:
        assert exc.violations
    else:
        assert list(values.storage_flaws(result)) == []
    assert json.dumps((document, operations)) == before


@settings(deadline=None)
@given(OBJECTS, DOCUMENTS, NAMES.map(lambda name: 'new' + name))
def test_an_added_value_can_be_tested_and_removed(document, value, name):
    path = pointers.child('', name)
    changes = [op('add', path, value=value), op('test', path, value=value)]
    added = patch.apply(document, changes)
    assert patch.equal(added, {**document, name: value})
    assert patch.equal(patch.apply(added, [op('remove', path)]), document)


@settings(deadline=None)
@given(DOCUMENTS)
def test_every_value_of_a_document_is_found_by_its_pointer(document):
    for container in pointers.containers(document):
        assert patch.apply(document, [op(
            'test', container.pointer, value=container.value)]) == document
