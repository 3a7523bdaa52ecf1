# SPDX-License-Identifier: Apache-2.0
"""The sort orders that a list offers, and the order a query asks for.

An order is a prefix of a tuple declared in ``indexes`` or ``unique``, or one
common key. The rest of the tuple breaks ties, so that the index of the tuple
returns rows in exactly this order. ``id`` breaks the remaining ties.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile, zip_longest

from service.domain.catalogue.types import Shape
from service.domain.documents import values
from service.domain.query.filter_syntax import InvalidParameter

#: The common properties that every list can be sorted by.
COMMON_KEYS = ('id', 'created_at', 'updated_at')

#: The directions of a key, and whether each is descending.
DESCENDING = {'asc': False, 'desc': True}


@dataclass(frozen=True, slots=True)
class SortKey:
    """One column of an order. Null sorts before every other value."""

    column: str
    descending: bool = False


DEFAULT = (SortKey('id'),)


def longest_orders(shape: Shape, hidden: Sequence[str] = ()
                   ) -> tuple[tuple[str, ...], ...]:
    """Return the longest orders that lists of this shape offer, by name.

    A client may ask for any prefix of an order, and may append ``id``.
    """
    named = (_names(shape, columns) for columns in _tuples(shape, hidden))
    common = ((name,) for name in COMMON_KEYS)
    return tuple(dict.fromkeys((*filter(len, named), *common)))


def total_order(shape: Shape, requested: Sequence[tuple[str, str]],
                hidden: Sequence[str] = ()) -> tuple[SortKey, ...]:
    """Return the total order for (name, direction) pairs.

    Directions may differ; an empty direction means ascending. Keys that are
    appended to make the order total take the direction of the last key, so
    that one index serves the order, read in one direction. Raises
    InvalidParameter if the order is not offered.
    """
    names = [name for name, _ in requested]
    if '' in names:
        raise InvalidParameter(
            f'has an empty key; {_offer_text(shape, hidden)}')
    columns = _columns(shape, names)
    descending = [_descending(direction) for _, direction in requested]
    completed = _complete(shape, columns, hidden)
    descending += descending[-1:] * (len(completed) - len(descending))
    return tuple(map(SortKey, completed, descending))


def split(text: str) -> list[tuple[str, str]]:
    """Return the (name, direction) pairs of a text such as ``a:desc,b``."""
    parts = (part.partition(':') for part in text.split(','))
    return [(name, direction) if colon else (name, '')
            for name, colon, direction in parts]


def pairs(keys: Sequence[str], directions: Sequence[str]
          ) -> list[tuple[str, str]]:
    """Return (name, direction) pairs of the older sort_key and sort_dir.

    The n-th sort_dir belongs to the n-th sort_key.
    """
    if len(directions) > len(keys):
        raise InvalidParameter(
            f'has more values ({len(directions)}) than sort_key '
            f'({len(keys)}); send at most one sort_dir for each sort_key')
    return list(zip_longest(keys, directions, fillvalue=''))


def _descending(direction: str) -> bool:
    if direction and direction not in DESCENDING:
        raise InvalidParameter(
            f'has the direction {values.quoted(direction)}, which is neither '
            'asc nor desc')
    return DESCENDING.get(direction, False)


def _columns(shape: Shape, names: Sequence[str]) -> tuple[str, ...]:
    """Return the column of each name; '' for a name that is unknown."""
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InvalidParameter(
            f'names the key {values.quoted(repeated[0])} twice; name each '
            'key once')
    return tuple(shape.properties[name].name if name in shape.properties
                 else name if name in COMMON_KEYS else '' for name in names)


def _complete(shape: Shape, columns: tuple[str, ...],
              hidden: Sequence[str]) -> tuple[str, ...]:
    """Return the declared tuple that begins with ``columns``, plus ``id``.

    A tuple that equals ``columns`` is preferred to a longer one. Columns
    that end in ``id`` are a total order already.
    """
    keys = columns[:-1] if columns[-1] == 'id' else columns
    offered = [*_tuples(shape, hidden), *((key,) for key in COMMON_KEYS), ()]
    matching = [order for order in offered if order[:len(keys)] == keys]
    if not matching or any(_unknown(shape, column) for column in keys):
        raise InvalidParameter('asks for an order that is not available; '
                               f'{_offer_text(shape, hidden)}')
    if columns[-1] == 'id':
        return columns
    best = keys if keys in matching else matching[0]
    return (*best, 'id')


def _unknown(shape: Shape, column: str) -> bool:
    return column not in COMMON_KEYS and shape.name_of(column) is None


def _tuples(shape: Shape, hidden: Sequence[str]
            ) -> Iterator[tuple[str, ...]]:
    """Yield each declared tuple up to the first hidden column."""
    declared = shape.declared
    for columns in (*declared.indexes, *declared.unique):
        yield tuple(takewhile(lambda column: column not in hidden, columns))


def _names(shape: Shape, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of ``columns`` up to the first without a name."""
    names = map(shape.name_of, columns)
    return tuple(name for name in takewhile(bool, names) if name)


def _offer_text(shape: Shape, hidden: Sequence[str]) -> str:
    orders = '; '.join(map(','.join, longest_orders(shape, hidden)))
    return f'sort by a leading part of one of: {orders}'
