# SPDX-License-Identifier: Apache-2.0
"""The syntax of a filter's value."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.query import filter_syntax
from service.domain.query.filter_syntax import InvalidParameter, Item, Operand


def single(text: str, quoted: bool = False,
           operator: str = 'eq') -> Operand:
    return Operand(operator, (Item(text, quoted),))


@pytest.mark.parametrize(('text', 'meaning'), [
    ('buzz', single('buzz')),
    ('', single('')),
    ('neq:buzz', single('buzz', operator='neq')),
    ('gt:8', single('8', operator='gt')),
    ('gte:8', single('8', operator='gte')),
    ('lt:8', single('8', operator='lt')),
    ('lte:8', single('8', operator='lte')),
    ('in:a,b', Operand('in', (Item('a'), Item('b')))),
    ('nin:a,b', Operand('nin', (Item('a'), Item('b')))),
    ('in:a', Operand('in', (Item('a'),))),
    ('in:', Operand('in', (Item(''),))),
    ('in:a,', Operand('in', (Item('a'), Item('')))),
    ('in:"a,bc",d', Operand('in', (Item('a,bc', True), Item('d')))),
    ('in:a,b,a', Operand('in', (Item('a'), Item('b')))),
    ('a,b', single('a,b')),
    ('neq:a,b', single('a,b', operator='neq')),
])
def test_an_operand_has_an_operator_and_items(
        text: str, meaning: Operand) -> None:
    assert filter_syntax.parse(text) == meaning


@pytest.mark.parametrize('text', [
    'gte', 'in', 'eq:x', 'GTE:1', 'like:x', 'fa:16:3e:00:00:01', 'fe80::1',
    '2026-01-01T00:00:00Z', ' gt:1', 'ge:1', ':', 'xin:a',
])
def test_a_prefix_that_is_no_operator_belongs_to_the_value(
        text: str) -> None:
    """FILT-4, FILT-6."""
    assert filter_syntax.parse(text) == single(text)


@pytest.mark.parametrize(('text', 'value'), [
    ('"gte:"', 'gte:'),
    ('"a\\"b\\\\c"', 'a"b\\c'),
    ('"a\\nb\\rc"', 'a\nb\rc'),
    ('""', ''),
    ('"a:b,c"', 'a:b,c'),
    ('"line\nline"', 'line\nline'),
    ('"null"', 'null'),
])
def test_double_quotes_enclose_text_with_four_escapes(
        text: str, value: str) -> None:
    """FILT-5."""
    assert filter_syntax.parse(text) == single(value, quoted=True)


def test_a_backslash_outside_quotes_is_literal() -> None:
    """FILT-5."""
    assert filter_syntax.parse(r'a\b') == single(r'a\b')
    assert filter_syntax.parse(r'in:a\,\n').items == (Item('a\\'), Item('\\n'))


@pytest.mark.parametrize('text', [
    'a"b', '"', '"a', 'a"', '"a"b', '"a""b"', 'in:a"b,c', 'in:"a"b,c',
    'in:a,"b', 'gt:"1', '"a\\"',
])
def test_a_misplaced_double_quote_is_refused(text: str) -> None:
    """FILT-5."""
    with pytest.raises(InvalidParameter,
                       match='has a misplaced double quote'):
        filter_syntax.parse(text)


@pytest.mark.parametrize('text', [r'"\t"', r'in:a,"\x"', r'"\,"'])
def test_an_unknown_escape_is_refused(text: str) -> None:
    with pytest.raises(InvalidParameter, match='has the escape'):
        filter_syntax.parse(text)


def test_only_an_unquoted_null_is_null() -> None:
    """FILT-8."""
    assert filter_syntax.parse('null').items[0].null
    assert not filter_syntax.parse('"null"').items[0].null
    assert not filter_syntax.parse('Null').items[0].null


def test_a_list_longer_than_the_limit_is_refused() -> None:
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
def test_any_texts_can_be_quoted_in_a_list(texts: list[str]) -> None:
    operand = filter_syntax.parse('nin:' + ','.join(map(quoted, texts)))
    assert operand == Operand('nin', tuple(Item(text, True)
                                           for text in texts))


@given(text=st.text(alphabet='ab",:\\nig \n'))
def test_any_text_is_an_operand_or_is_refused(text: str) -> None:
    try:
        operand = filter_syntax.parse(text)
    except InvalidParameter as exc:
        assert '"' in text and str(exc).startswith('has ')
    else:
        assert operand.items
