# SPDX-License-Identifier: Apache-2.0
"""The syntax of a filter's value: operator, quotes and commas.

    operand = [operator ":"] item *("," item)     commas separate items only
    item    = '"' text with \\" \\\\ \\n \\r '"'      for LIST_OPERATORS
            | text without a double quote, taken literally

This module does not use types: ``filters`` converts items to typed values.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from service.domain.documents import values

#: The operators a client may write as a prefix; no prefix means EQUALS.
OPERATORS = ('in', 'nin', 'neq', 'gt', 'gte', 'lt', 'lte')
EQUALS = 'eq'
#: The operators whose operand is a list.
LIST_OPERATORS = frozenset({'in', 'nin'})

#: The most values that all filters and tags of one list may name together.
#: SQLite takes no more than 32766 parameters, and plans suffer long before.
MAX_VALUES = 1000

_PREFIX = re.compile(f'({"|".join(OPERATORS)}):')
_QUOTED = r'"(?P<quoted>(?:[^"\\]|\\.)*)"'
_ITEM = re.compile(_QUOTED + r'|(?P<bare>[^"]*)', re.DOTALL)
_LISTED = re.compile(rf'(?:{_QUOTED}|(?P<bare>[^",]*))(?P<more>,|\Z)',
                     re.DOTALL)
_ESCAPE = re.compile(r'\\(.)', re.DOTALL)
_ESCAPED = {'"': '"', '\\': '\\', 'n': '\n', 'r': '\r'}


class InvalidParameter(Exception):
    """A query parameter is invalid.

    The text is a predicate that completes "The parameter ...".
    """


class Item(NamedTuple):
    """One value, with quotes and escapes resolved."""

    text: str
    quoted: bool = False

    @property
    def null(self) -> bool:
        """Whether the item is null; ``null`` in quotes is a text."""
        return self.text == 'null' and not self.quoted


class Operand(NamedTuple):
    """The value of a filter: an operator and its items."""

    operator: str
    items: tuple[Item, ...]


def parse(text: str) -> Operand:
    """Parse one operand; raise InvalidParameter if it is malformed.

    A prefix that is no operator belongs to the value, so that MAC addresses
    and times need no quotes.
    """
    prefix = _PREFIX.match(text)
    if prefix is None:
        return Operand(EQUALS, (_single_item(text),))
    rest = text[prefix.end():]
    if prefix[1] in LIST_OPERATORS:
        return Operand(prefix[1], _list_items(rest))
    return Operand(prefix[1], (_single_item(rest),))


def _single_item(text: str) -> Item:
    match = _ITEM.fullmatch(text)
    if match is None:
        raise InvalidParameter(_quote_reason(text))
    return _item(match)


def _list_items(text: str) -> tuple[Item, ...]:
    """Return the items in the order sent, without duplicates."""
    items: dict[Item, None] = {}
    position = 0
    while True:
        match = _LISTED.match(text, position)
        if match is None:
            raise InvalidParameter(_quote_reason(text[position:]))
        items[_item(match)] = None
        if len(items) > MAX_VALUES:
            raise InvalidParameter(f'lists more than {MAX_VALUES} values')
        if not match['more']:
            return tuple(items)
        position = match.end()


def _item(match: re.Match[str]) -> Item:
    if match['quoted'] is None:
        return Item(match['bare'])
    return Item(_ESCAPE.sub(_unescaped, match['quoted']), quoted=True)


def _unescaped(match: re.Match[str]) -> str:
    try:
        return _ESCAPED[match[1]]
    except KeyError:
        raise InvalidParameter(
            f'has the escape {match[0]} between double quotes; the escapes '
            'are \\" \\\\ \\n and \\r') from None


def _quote_reason(text: str) -> str:
    return (f'has a misplaced double quote at {values.quoted(text)}; enclose '
            'a value that contains double quotes in double quotes, and write '
            '\\" for each inner quote')


def parse_limit(text: str, maximum: int) -> int:
    """Return the page size that is asked for, but at most ``maximum``."""
    if not _LIMIT.fullmatch(text):
        raise InvalidParameter(
            f'has {values.quoted(text)}, which is not an integer of 1 or '
            'more')
    return min(int(text.lstrip('0')[:_LIMIT_DIGITS]), maximum)


_LIMIT = re.compile('0*[1-9][0-9]*')
#: More digits than any maximum has: a longer number exceeds the maximum
#: whatever its further digits are.
_LIMIT_DIGITS = 18
