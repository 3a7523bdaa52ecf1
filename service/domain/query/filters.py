# SPDX-License-Identifier: Apache-2.0
"""One filter of a list: a column, an operator and typed values.

A value never set is null. It equals only null, so ``neq:a`` and ``nin:a,b``
find it too, and each of them finds exactly what its opposite does not. No
order holds for it: ``gt`` and its kin never find it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.domain.catalogue import indexes
from service.domain.catalogue.types import Property, Shape
from service.domain.documents import timestamps, values
from service.domain.query import filter_syntax
from service.domain.query.filter_syntax import InvalidParameter, Operand

#: The common properties a list may filter by.
COMMON: Mapping[str, Property] = {one.name: one for one in (
    Property('id', 'string'),
    Property('project_id', 'string'),
    Property('created_at', 'string', format='date-time'),
    Property('updated_at', 'string', format='date-time'),
)}

#: true and false as clients send them, whatever the case.
BOOLEANS = {'true': True, 'false': False, '1': True, '0': False}


@dataclass(frozen=True, slots=True)
class Filter:
    """What a column must hold.

    ``operator`` is eq, neq, in, nin, gt, gte, lt, lte, null or notnull. The
    last two have no values; among those of in and nin, None is null.
    """

    column: str
    operator: str
    values: tuple[Any, ...] = ()


def filterable(shape: Shape, hidden: Sequence[str] = ()
            ) -> Mapping[str, Property]:
    """The properties a list of this shape may be filtered by, by name.

    Those of an index or a unique tuple and the common ones; ``hidden`` are
    the columns this caller may not read, and so may not ask about.
    """
    declared = shape.declared
    columns = {*indexes.filterable_columns(declared)}.difference(hidden)
    named = {name: one for name, one in shape.properties.items()
             if one.name in columns}
    common = {name: COMMON[name] for name in declared.common
              if name in COMMON}
    return {**named, **common}


def parse(shape: Shape, prop: Property, text: str) -> Filter:
    """The filter a parameter means; Misread says why it means none."""
    operand = filter_syntax.parse(text)
    if any(item.null for item in operand.items):
        return _nulls(shape, prop, operand)
    found = tuple(_values(shape, prop, operand))
    return Filter(prop.name, operand.operator, found)


#: What remains of an operator when its one value is null.
_NULL = {'eq': 'null', 'in': 'null', 'neq': 'notnull', 'nin': 'notnull'}


def _nulls(shape: Shape, prop: Property, operand: Operand) -> Filter:
    if operand.operator not in _NULL:
        raise InvalidParameter(
            f'compares with null by {operand.operator}, and null '
            'has no order; quoted, "null" is the text')
    rest = operand._replace(items=tuple(
        item for item in operand.items if not item.null))
    if not rest.items:
        return Filter(prop.name, _NULL[operand.operator])
    return Filter(prop.name, operand.operator,
                  (*_values(shape, prop, rest), None))


def _values(shape: Shape, prop: Property, operand: Operand) -> Iterator[Any]:
    """Each item as the column's values are, each value once."""
    kind = _kind(prop)
    if kind == 'boolean' and operand.operator not in _NULL:
        raise InvalidParameter(
            f'compares a boolean by {operand.operator}, and '
            'booleans have no order here')
    found = dict.fromkeys(_PARSE[kind](item.text) for item in operand.items)
    if prop.enum and operand.operator in _NULL:
        _check_choices(found, shape.choices(prop))
    return iter(found)


def _check_choices(found: Mapping[Any, None], choices: Sequence[Any]) -> None:
    """A misspelt choice is told, and not answered with an empty list."""
    for value in found:
        if value not in choices:
            raise InvalidParameter(
                f'has {values.quoted(value)}, which is none of '
                f'{", ".join(map(str, choices))}')


def _kind(prop: Property) -> str:
    if prop.references is not None or prop.name == 'id':
        return 'id'
    return 'instant' if prop.format == 'date-time' else prop.kind


_ID = re.compile('[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')
_INTEGER = re.compile('-?[0-9]+')
_NUMBER = re.compile(r'-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?')
#: No integer of 64 bits is longer; int() of a very long text is slow.
_INTEGER_LENGTH = 20


def parse_id(text: str) -> str:
    """A record's id, in the one form that ids are stored in."""
    if not _ID.fullmatch(text):
        raise InvalidParameter(
            f'has {values.quoted(text)}, which is not a UUID in '
            'lower case with hyphens')
    return text


def parse_boolean(text: str) -> bool:
    try:
        return BOOLEANS[text.lower()]
    except KeyError:
        raise InvalidParameter(
            f'has {values.quoted(text)}, which is neither true '
            'nor false') from None


def _parse_integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise InvalidParameter(
            f'has {values.quoted(text)}, which is not an integer')
    if len(text) <= _INTEGER_LENGTH and -2 ** 63 <= int(text) < 2 ** 63:
        return int(text)
    raise InvalidParameter(
        f'has {values.quoted(text)}, which is outside the 64-bit '
        'integers')


def _parse_number(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise InvalidParameter(
            f'has {values.quoted(text)}, which is not a number')
    value = float(text)
    if math.isinf(value):
        raise InvalidParameter(
            f'has {values.quoted(text)}, which is outside the '
            'double-precision numbers')
    return value + 0.0


def _parse_instant(text: str) -> str:
    try:
        return timestamps.canonical(text)
    except ValueError as exc:
        hint = ('; in a URL the + of an offset is written %2B'
                if ' ' in text else '')
        raise InvalidParameter(f'has {values.quoted(text)}, which {exc}{hint}'
                      ) from None


_PARSE: Mapping[str, Callable[[str], Any]] = {
    'id': parse_id,
    'instant': _parse_instant,
    'integer': _parse_integer,
    'number': _parse_number,
    'boolean': parse_boolean,
    'string': str,
}
