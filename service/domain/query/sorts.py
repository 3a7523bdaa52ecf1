# SPDX-License-Identifier: Apache-2.0
"""The order of a list: which orders a type offers, and the one asked for.

An order is a prefix of one declared tuple, of ``indexes`` or ``unique``, or
one common key. The rest of the tuple breaks the ties of a prefix, so that
its index holds the rows in just this order, and ``id`` breaks all ties.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile, zip_longest

from service.domain.catalogue.types import Shape
from service.domain.documents import values
from service.domain.query.filter_syntax import InvalidParameter

#: The common properties a list may be sorted by.
COMMON_KEYS = ('id', 'created_at', 'updated_at')

#: What may stand behind a key, and whether it means descending.
DESCENDING = {'asc': False, 'desc': True}


@dataclass(frozen=True, slots=True)
class SortKey:
    """One column of an order. Null comes first ascending, last descending."""

    column: str
    descending: bool = False


DEFAULT = (SortKey('id'),)


def longest_orders(shape: Shape, hidden: Sequence[str] = ()
            ) -> tuple[tuple[str, ...], ...]:
    """The longest orders of this shape, by its names.

    Any beginning of one may be asked for, and ``id`` behind it.
    """
    named = (_named(shape, columns) for columns in _tuples(shape, hidden))
    common = ((name,) for name in COMMON_KEYS)
    return tuple(dict.fromkeys((*filter(len, named), *common)))


def total_order(shape: Shape, asked: Sequence[tuple[str, str]],
         hidden: Sequence[str] = ()) -> tuple[SortKey, ...]:
    """The total order that (name, direction) pairs ask for.

    Directions may be mixed, and a missing one (the empty text) ascends.
    What is added to make the order total goes the way of the last key, so
    that one index read in one direction serves it.
    """
    names = [name for name, _ in asked]
    if '' in names:
        raise InvalidParameter(
            f'has an empty key; {_offer_text(shape, hidden)}')
    columns = _columns(shape, names)
    turns = [_descending(direction) for _, direction in asked]
    whole = _complete(shape, columns, hidden)
    turns += turns[-1:] * (len(whole) - len(turns))
    return tuple(map(SortKey, whole, turns))


def split(text: str) -> list[tuple[str, str]]:
    """``a:desc,b`` as pairs of a name and a direction."""
    pairs = (one.partition(':') for one in text.split(','))
    return [(name, direction) if colon else (name, '')
            for name, colon, direction in pairs]


def pairs(keys: Sequence[str], directions: Sequence[str]
          ) -> list[tuple[str, str]]:
    """The older spelling: the n-th sort_dir belongs to the n-th sort_key."""
    if len(directions) > len(keys):
        raise InvalidParameter(
            f'has {len(directions)} for {len(keys)} of sort_key; '
            'each is the direction of one sort_key')
    return list(zip_longest(keys, directions, fillvalue=''))


def _descending(direction: str) -> bool:
    if direction and direction not in DESCENDING:
        raise InvalidParameter(
            f'has the direction {values.quoted(direction)}, which '
            'is neither asc nor desc')
    return DESCENDING.get(direction, False)


def _columns(shape: Shape, names: Sequence[str]) -> tuple[str, ...]:
    """The columns that clients of this shape know by ``names``."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InvalidParameter(
            f'names a key twice, {values.quoted(twice[0])}; name '
            'each once')
    return tuple(shape.properties[name].name if name in shape.properties
                 else name if name in COMMON_KEYS else '' for name in names)


def _complete(shape: Shape, columns: tuple[str, ...],
               hidden: Sequence[str]) -> tuple[str, ...]:
    """The whole tuple that ``columns`` begin, ending in ``id``.

    An exact tuple goes before a longer one. Who names ``id`` has left
    nothing to add.
    """
    keys = columns[:-1] if columns[-1] == 'id' else columns
    whole = [*_tuples(shape, hidden), *((name,) for name in COMMON_KEYS), ()]
    fitting = [one for one in whole if one[:len(keys)] == keys]
    if not fitting or any(_unknown(shape, one) for one in keys):
        raise InvalidParameter(_refusal_text(shape, hidden))
    if columns[-1] == 'id':
        return columns
    best = keys if keys in fitting else fitting[0]
    return (*best, 'id')


def _unknown(shape: Shape, column: str) -> bool:
    return column not in COMMON_KEYS and shape.name_of(column) is None


def _tuples(shape: Shape, hidden: Sequence[str]
            ) -> Iterator[tuple[str, ...]]:
    """The declared tuples, each up to what the caller may not read."""
    declared = shape.declared
    for columns in (*declared.indexes, *declared.unique):
        yield tuple(takewhile(lambda one: one not in hidden, columns))


def _named(shape: Shape, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The names of ``columns``, up to what the asked version knows."""
    names = map(shape.name_of, columns)
    return tuple(name for name in takewhile(bool, names) if name)


def _refusal_text(shape: Shape, hidden: Sequence[str]) -> str:
    return ('asks for an order that is not offered; '
            f'{_offer_text(shape, hidden)}')


def _offer_text(shape: Shape, hidden: Sequence[str]) -> str:
    orders = '; '.join(','.join(one) for one in longest_orders(shape, hidden))
    return f'one may sort by any beginning of: {orders}'
