# SPDX-License-Identifier: Apache-2.0
"""One filter of a list: a column, an operator and typed values.

A property without a value is null. Null equals only null, so ``neq:a`` and
``nin:a,b`` match records whose value is null, and each operator matches
exactly the records that its negation does not. Null has no order: ``gt``,
``gte``, ``lt`` and ``lte`` never match it.
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

#: The common properties that every list can be filtered by.
COMMON: Mapping[str, Property] = {prop.name: prop for prop in (
    Property('id', 'string'),
    Property('project_id', 'string'),
    Property('created_at', 'string', format='date-time'),
    Property('updated_at', 'string', format='date-time'),
)}

#: The texts of booleans, in lower case.
BOOLEANS = {'true': True, 'false': False, '1': True, '0': False}


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on one column.

    ``operator`` is eq, neq, in, nin, gt, gte, lt, lte, null or notnull. Null
    and notnull have no values. None among the values of in and nin is null.
    """

    column: str
    operator: str
    values: tuple[Any, ...] = ()


def filterable(shape: Shape, hidden: Sequence[str] = ()
               ) -> Mapping[str, Property]:
    """Return the properties that lists of this shape filter by, by name.

    These are the properties of an index or a unique tuple, and the common
    ones. SECURITY: ``hidden`` columns, which the caller may not read, are
    left out, because a filter would reveal their values.
    """
    declared = shape.declared
    columns = {*indexes.filterable_columns(declared)}.difference(hidden)
    named = {name: prop for name, prop in shape.properties.items()
             if prop.name in columns}
    common = {name: COMMON[name] for name in declared.common
              if name in COMMON}
    return {**named, **common}


def parse(shape: Shape, prop: Property, text: str) -> Filter:
    """Parse a filter on ``prop``; raise InvalidParameter if it is invalid."""
    operand = filter_syntax.parse(text)
    if any(item.null for item in operand.items):
        return _null_filter(shape, prop, operand)
    return Filter(prop.name, operand.operator,
                  tuple(_values(shape, prop, operand)))


#: The operator that replaces another one whose only value is null.
_NULL = {'eq': 'null', 'in': 'null', 'neq': 'notnull', 'nin': 'notnull'}


def _null_filter(shape: Shape, prop: Property, operand: Operand) -> Filter:
    if operand.operator not in _NULL:
        raise InvalidParameter(
            f'compares with null by {operand.operator}, but null has no '
            'order; write "null" in double quotes for the text')
    rest = operand._replace(items=tuple(
        item for item in operand.items if not item.null))
    if not rest.items:
        return Filter(prop.name, _NULL[operand.operator])
    return Filter(prop.name, operand.operator,
                  (*_values(shape, prop, rest), None))


def _values(shape: Shape, prop: Property, operand: Operand) -> Iterator[Any]:
    """Return the items as values of the column, without duplicates."""
    kind = _kind(prop)
    if kind == 'boolean' and operand.operator not in _NULL:
        raise InvalidParameter(
            f'compares a boolean by {operand.operator}, but booleans have no '
            'order')
    parsed = dict.fromkeys(_PARSE[kind](item.text) for item in operand.items)
    if prop.enum and operand.operator in _NULL:
        _check_choices(parsed, shape.choices(prop))
    return iter(parsed)


def _check_choices(parsed: Mapping[Any, None],
                   choices: Sequence[Any]) -> None:
    """Refuse a misspelt choice, which would give an empty list."""
    for value in parsed:
        if value not in choices:
            raise InvalidParameter(
                f'has {values.quoted(value)}, which is not one of '
                f'{", ".join(map(str, choices))}')


def _kind(prop: Property) -> str:
    if prop.references is not None or prop.name == 'id':
        return 'id'
    return 'instant' if prop.format == 'date-time' else prop.kind


_ID = re.compile('[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}')
_INTEGER = re.compile('-?[0-9]+')
_NUMBER = re.compile(r'-?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?')
#: No 64-bit integer has more characters. SECURITY: int() is slow for a very
#: long text.
_MAX_INTEGER_LENGTH = 20


def parse_id(text: str) -> str:
    """Return a record's id; raise InvalidParameter if the form is wrong."""
    if not _ID.fullmatch(text):
        raise InvalidParameter(
            f'has {values.quoted(text)}, which is not a UUID in lower case '
            'with hyphens')
    return text


def parse_boolean(text: str) -> bool:
    """Return a boolean; raise InvalidParameter for any other text."""
    try:
        return BOOLEANS[text.lower()]
    except KeyError:
        raise InvalidParameter(
            f'has {values.quoted(text)}, which is neither true nor false'
            ) from None


def _parse_integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise InvalidParameter(
            f'has {values.quoted(text)}, which is not an integer')
    if len(text) <= _MAX_INTEGER_LENGTH and -2 ** 63 <= int(text) < 2 ** 63:
        return int(text)
    raise InvalidParameter(
        f'has {values.quoted(text)}, which is outside the 64-bit integers')


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
        raise InvalidParameter(
            f'has {values.quoted(text)}, which {exc}{hint}') from None


_PARSE: Mapping[str, Callable[[str], Any]] = {
    'id': parse_id,
    'instant': _parse_instant,
    'integer': _parse_integer,
    'number': _parse_number,
    'boolean': parse_boolean,
    'string': str,
}
