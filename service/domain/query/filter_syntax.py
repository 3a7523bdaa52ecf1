# SPDX-License-Identifier: Apache-2.0
"""The text behind a filter's equals sign: operator, quotes and commas.

    operand = [operator ":"] item *("," item)     commas part items only for
    item    = '"' text with \\" \\\\ \\n \\r '"'      the operators of LISTS
            | text without a double quote, taken as it stands

Nothing here knows a type: what the items mean is ``filters``' business.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from service.domain.documents import values

#: Every operator a client may write; no prefix at all means equals.
OPERATORS = ('in', 'nin', 'neq', 'gt', 'gte', 'lt', 'lte')
EQUALS = 'eq'
#: The operators whose operand is a list.
LIST_OPERATORS = frozenset({'in', 'nin'})

#: The most values all filters and tags of one list may name together.
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
    """A query parameter that says nothing; the text is the whole reason."""


class Item(NamedTuple):
    """One value as it was written, quotes and escapes resolved."""

    text: str
    quoted: bool = False

    @property
    def null(self) -> bool:
        """Bare ``null`` is a value never set; quoted it is those letters."""
        return self.text == 'null' and not self.quoted


class Operand(NamedTuple):
    operator: str
    items: tuple[Item, ...]


def parse(text: str) -> Operand:
    """Read one operand; Misread names what is wrong with it.

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
    found = _ITEM.fullmatch(text)
    if found is None:
        raise InvalidParameter(_quote_reason(text))
    return _item(found)


def _list_items(text: str) -> tuple[Item, ...]:
    """The items in the order given, each once."""
    items: dict[Item, None] = {}
    place = 0
    while True:
        found = _LISTED.match(text, place)
        if found is None:
            raise InvalidParameter(_quote_reason(text[place:]))
        items[_item(found)] = None
        if len(items) > MAX_VALUES:
            raise InvalidParameter(f'lists more than {MAX_VALUES} values')
        if not found['more']:
            return tuple(items)
        place = found.end()


def _item(found: re.Match[str]) -> Item:
    if found['quoted'] is None:
        return Item(found['bare'])
    return Item(_ESCAPE.sub(_unescaped, found['quoted']), quoted=True)


def _unescaped(found: re.Match[str]) -> str:
    try:
        return _ESCAPED[found[1]]
    except KeyError:
        raise InvalidParameter(
            f'has the escape {found[0]} between double quotes, where only '
            '\\" \\\\ \\n and \\r may stand') from None


def _quote_reason(text: str) -> str:
    return (f'has a double quote out of place at {values.quoted(text)}; a '
            'value with one in it is written between double quotes, with '
            '\\" for each of its own')


def parse_limit(text: str, maximum: int) -> int:
    """How many a page shall hold: what is asked for, or the most."""
    if not _LIMIT.fullmatch(text):
        raise InvalidParameter(
            f'has {values.quoted(text)}, which is not an integer '
            'from 1 on')
    return min(int(text.lstrip('0')[:_LIMIT_DIGITS]), maximum)


_LIMIT = re.compile('0*[1-9][0-9]*')
#: More digits than any maximum has: what is cut off was above it anyway.
_LIMIT_DIGITS = 18
