# SPDX-License-Identifier: Apache-2.0
"""The text of a type file: what YAML would let pass and we do not."""

import pytest

from service.domain.typefiles import yaml_text


def why(text: str) -> list[str]:
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
def test_a_word_is_what_json_would_say(text, value):
    got = yaml_text.load(f'key: {text}\n')['key']
    assert got == value and type(got) is type(value)


@pytest.mark.parametrize('text', [
    'yes', 'no', 'on', 'off', 'True', '010', '0x1f', '0o7', '1_000', '1:30',
    '2026-01-01', '2026-01-01T00:00:00Z', '.inf', '.nan', '1.', '.5', '=',
])
def test_what_only_yaml_takes_for_something_else_stays_text(text):
    assert yaml_text.load(f'key: {text}\n') == {'key': text}


def test_a_key_is_text_whatever_it_looks_like():
    assert yaml_text.load('on: 1\n12: 2\ntrue: 3\n<<: {}\n') == {
        'on': 1, '12': 2, 'true': 3, '<<': {}}


def test_every_duplicate_key_is_told_with_both_lines():
    assert why('a: 1\nb: 2\na: 3\nc: {d: 1,\n  d: 2}\n') == [
        'line 3: duplicate key "a", first on line 1',
        'line 5: duplicate key "d", first on line 4']


def test_keys_of_two_mappings_are_no_duplicates():
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
def test_a_text_that_says_no_plain_value_is_refused(text, mistakes):
    assert why(text) == mistakes


def test_a_syntax_error_hides_no_mistake_before_it():
    assert why('a: 1\na: 2\nb: [\n') == [
        'line 2: duplicate key "a", first on line 1',
        'line 4: not valid YAML: did not find expected node content']


def test_the_largest_file_is_still_read():
    assert yaml_text.load('#' * (256 * 1024)) is None


def test_nesting_ends_at_32_whatever_follows():
    """A parser that followed 200000 brackets would take a minute."""
    assert yaml_text.load('[' * 32 + ']' * 32)
    assert why('[' * 33 + ']' * 33) == ['line 1: nested more than 32 deep']
    assert why('[' * 200_000) == ['line 1: nested more than 32 deep']


def test_an_alias_bomb_is_refused_and_never_unfolded():
    bomb = 'a: &a [x, x]\n' + ''.join(
        f'{new}: &{new} [*{old}, *{old}]\n'
        for old, new in zip('abcdefghijkl', 'bcdefghijklm', strict=True))
    assert len(why(bomb)) == 13 + 24
