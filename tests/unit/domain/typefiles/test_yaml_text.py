# SPDX-License-Identifier: Apache-2.0
"""The text of a type file: YAML features that are accepted or refused."""

import pytest

from service.domain.typefiles import yaml_text


def mistakes_of(text: str) -> list[str]:
    with pytest.raises(yaml_text.InvalidText) as caught:
        yaml_text.load(text)
    return list(caught.value.mistakes)


@pytest.mark.parametrize('text, value', [
    ('', None), ('~', None), ('null', None), ('true', True),
    ('false', False), ('0', 0), ('-7', -7), ('+7', 7),
    ('9223372036854775807', 2 ** 63 - 1), ('-9223372036854775808', -2 ** 63),
    ('1.5', 1.5), ('-1.5e3', -1500.0), ('"1"', '1'), ("'true'", 'true'),
    ('|-\n  a\n  b', 'a\nb'), ('a # comment', 'a'),
])
def test_null_booleans_and_json_numbers_are_converted(text, value):
    got = yaml_text.load(f'key: {text}\n')['key']
    assert got == value and type(got) is type(value)


@pytest.mark.parametrize('text', [
    'yes', 'no', 'on', 'off', 'True', '010', '0x1f', '0o7', '1_000', '1:30',
    '2026-01-01', '2026-01-01T00:00:00Z', '.inf', '.nan', '1.', '.5', '=',
])
def test_words_that_only_yaml_would_convert_stay_strings(text):
    assert yaml_text.load(f'key: {text}\n') == {'key': text}


def test_a_key_is_always_a_string():
    assert yaml_text.load('on: 1\n12: 2\ntrue: 3\n<<: {}\n') == {
        'on': 1, '12': 2, 'true': 3, '<<': {}}


def test_every_duplicate_key_is_reported_with_both_lines():
    assert mistakes_of('a: 1\nb: 2\na: 3\nc: {d: 1,\n  d: 2}\n') == [
        'line 3: duplicate key "a", first on line 1',
        'line 5: duplicate key "d", first on line 4']


def test_equal_keys_in_two_mappings_are_no_duplicates():
    assert yaml_text.load('- {a: 1}\n- {a: 2}\n') == [{'a': 1}, {'a': 2}]


@pytest.mark.parametrize('text, mistakes', [
    ('a: &x 1\nb: *x\n', [
        'line 1: the anchor &x is not allowed; remove it',
        'line 2: the alias *x is not allowed; repeat the value instead']),
    ('a: !!python/object/apply:os.system [id]\n', [
        'line 1: the tag tag:yaml.org,2002:python/object/apply:os.system '
        'is not allowed; remove it']),
    ('a: !!str 1\n', ['line 1: the tag tag:yaml.org,2002:str is not '
                      'allowed; remove it']),
    ('? [a]\n: 1\n', ['line 1: a key must be a string']),
    ('a: 1\n---\nb: 2\n', [
        'line 2: a second document begins; a file must declare exactly one '
        'type']),
    ('a: 9223372036854775808\n', [
        'line 1: 9223372036854775808 is outside the range of 64-bit '
        'integers']),
    ('a: ' + '9' * 5000, [
        'line 1: 999999999999999999999999 is outside the range of 64-bit '
        'integers']),
    ('a: 1e999\n', ['line 1: 1e999 is outside the range of double-precision '
                    'numbers']),
    ('a: "\\0"\n', ['line 1: the text contains a NUL or a lone '
                    'surrogate']),
    ('a: b: c\n', ['line 1: not valid YAML: mapping values are not allowed '
                   'in this context']),
    ('\x00', ['not valid YAML: control characters are not allowed']),
    ('a: \ud800', ['is not UTF-8 text']),
    ('#' * (256 * 1024 + 1), ['is larger than 256 KiB, the maximum']),
])
def test_text_that_json_cannot_represent_is_refused(text, mistakes):
    assert mistakes_of(text) == mistakes


def test_mistakes_before_a_syntax_error_are_reported_too():
    assert mistakes_of('a: 1\na: 2\nb: [\n') == [
        'line 2: duplicate key "a", first on line 1',
        'line 4: not valid YAML: did not find expected node content']


def test_a_file_of_the_maximum_size_is_read():
    assert yaml_text.load('#' * (256 * 1024)) is None


def test_nesting_deeper_than_32_is_refused_at_once():
    """Parsing 200000 brackets to the end would take a minute."""
    assert yaml_text.load('[' * 32 + ']' * 32)
    deep = ['line 1: nested more than 32 deep']
    assert mistakes_of('[' * 33 + ']' * 33) == deep
    assert mistakes_of('[' * 200_000) == deep


def test_nested_aliases_are_refused_and_never_expanded():
    bomb = 'a: &a [x, x]\n' + ''.join(
        f'{new}: &{new} [*{old}, *{old}]\n'
        for old, new in zip('abcdefghijkl', 'bcdefghijklm', strict=True))
    assert len(mistakes_of(bomb)) == 13 + 24
