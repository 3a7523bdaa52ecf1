# SPDX-License-Identifier: Apache-2.0
"""The text behind a filter's equals sign."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.query import filter_syntax
from service.domain.query.filter_syntax import InvalidParameter, Item, Operand


def one(text: str, quoted: bool = False,
        operator: str = 'eq') -> Operand:
    return Operand(operator, (Item(text, quoted),))


@pytest.mark.parametrize(('text', 'meaning'), [
    ('buzz', one('buzz')),
    ('', one('')),
    ('neq:buzz', one('buzz', operator='neq')),
    ('gt:8', one('8', operator='gt')),
    ('gte:8', one('8', operator='gte')),
    ('lt:8', one('8', operator='lt')),
    ('lte:8', one('8', operator='lte')),
    ('in:a,b', Operand('in', (Item('a'), Item('b')))),
    ('nin:a,b', Operand('nin', (Item('a'), Item('b')))),
    ('in:a', Operand('in', (Item('a'),))),
    ('in:', Operand('in', (Item(''),))),
    ('in:a,', Operand('in', (Item('a'), Item('')))),
    ('in:"a,bc",d', Operand('in', (Item('a,bc', True), Item('d')))),
    ('in:a,b,a', Operand('in', (Item('a'), Item('b')))),
    ('a,b', one('a,b')),
    ('neq:a,b', one('a,b', operator='neq')),
])
def test_an_operand_is_an_operator_and_its_items(
        text: str, meaning: Operand) -> None:
    assert filter_syntax.parse(text) == meaning


@pytest.mark.parametrize('text', [
    'gte', 'in', 'eq:x', 'GTE:1', 'like:x', 'fa:16:3e:00:00:01', 'fe80::1',
    '2026-01-01T00:00:00Z', ' gt:1', 'ge:1', ':', 'xin:a',
])
def test_a_prefix_that_is_no_operator_is_part_of_the_value(
        text: str) -> None:
    """FILT-4, FILT-6."""
    assert filter_syntax.parse(text) == one(text)


@pytest.mark.parametrize(('text', 'value'), [
    ('"gte:"', 'gte:'),
    ('"a\\"b\\\\c"', 'a"b\\c'),
    ('"a\\nb\\rc"', 'a\nb\rc'),
    ('""', ''),
    ('"a:b,c"', 'a:b,c'),
    ('"line\nline"', 'line\nline'),
    ('"null"', 'null'),
])
def test_between_double_quotes_all_is_text_but_four_escapes(
        text: str, value: str) -> None:
    """FILT-5."""
    assert filter_syntax.parse(text) == one(value, quoted=True)


def test_a_backslash_outside_quotes_is_a_backslash() -> None:
    """FILT-5."""
    assert filter_syntax.parse(r'a\b') == one(r'a\b')
    assert filter_syntax.parse(r'in:a\,\n').items == (Item('a\\'), Item('\\n'))


@pytest.mark.parametrize('text', [
    'a"b', '"', '"a', 'a"', '"a"b', '"a""b"', 'in:a"b,c', 'in:"a"b,c',
    'in:a,"b', 'gt:"1', '"a\\"',
])
def test_a_double_quote_out_of_place_is_told(text: str) -> None:
    """FILT-5."""
    with pytest.raises(InvalidParameter,
                       match='has a double quote out of place'):
        filter_syntax.parse(text)


@pytest.mark.parametrize('text', [r'"\t"', r'in:a,"\x"', r'"\,"'])
def test_an_unknown_escape_is_told(text: str) -> None:
    with pytest.raises(InvalidParameter, match='has the escape'):
        filter_syntax.parse(text)


def test_only_a_bare_null_is_never_set() -> None:
    """FILT-8."""
    assert filter_syntax.parse('null').items[0].null
    assert not filter_syntax.parse('"null"').items[0].null
    assert not filter_syntax.parse('Null').items[0].null


def test_a_list_longer_than_the_limit_is_told() -> None:
    """R10."""
    most = ','.join(map(str, range(filter_syntax.MAX_VALUES)))
    assert len(filter_syntax.parse(f'in:{most}').items) == (
        filter_syntax.MAX_VALUES)
    with pytest.raises(InvalidParameter, match='lists more than 1000 values'):
        filter_syntax.parse(f'in:{most},more')


def quoted(text: str) -> str:
    escaped = text.replace('\\', '\\\\').replace('"', '\\"')
    return f'"{escaped}"'


@given(texts=st.lists(st.text(), min_size=1, unique=True))
def test_any_texts_can_be_written_as_a_list(texts: list[str]) -> None:
    found = filter_syntax.parse('nin:' + ','.join(map(quoted, texts)))
    assert found == Operand('nin', tuple(Item(one, True) for one in texts))


@given(text=st.text(alphabet='ab",:\\nig \n'))
def test_any_text_is_an_operand_or_told_to_be_none(text: str) -> None:
    try:
        found = filter_syntax.parse(text)
    except InvalidParameter as exc:
        assert '"' in text and str(exc).startswith('has ')
    else:
        assert found.items
