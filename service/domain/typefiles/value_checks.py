# SPDX-License-Identifier: Apache-2.0
"""Checks that the JSON Schema keywords of a property allow some value.

The checks apply to a property and to every schema inside it.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jsonschema_rs

from service.domain.documents import timestamps
from service.domain.errors import printable
from service.domain.typefiles import vocabulary
from service.domain.typefiles.mistakes import Mistake, Place, shown


def mistakes(place: Place, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    """Yield the mistakes of one schema and of the schemas inside it."""
    for check in _CHECKS:
        yield from check(place, schema)
    for keyword in ('items', 'additionalProperties'):
        if isinstance(schema.get(keyword), dict):
            yield from _inner((*place, keyword), schema[keyword])
    for name, inner in schema.get('properties', {}).items():
        yield from _inner((*place, 'properties', name), inner)


def _inner(place: Place, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    yield from mistakes(place, schema)
    if 'const' in schema:
        yield from violations((*place, 'const'), schema, (schema['const'],))
    for index, value in enumerate(schema.get('enum', ())):
        yield from violations((*place, 'enum', index), schema, (value,))


def violations(place: Place, schema: Mapping[str, Any],
               candidates: tuple[Any, ...]) -> Iterator[Mistake]:
    """Yield a mistake for each value in the file that its schema refuses.

    A date-time goes through the service's own parser, which accepts other
    texts than the JSON Schema format.
    """
    is_time = schema.get('format') == 'date-time'
    validator = _validator(schema, _TEXT_KEYWORDS if is_time else ())
    for value in candidates:
        for error in validator.iter_errors(value) if validator else ():
            yield Mistake(place, printable(error.message[:200]))
        if is_time and isinstance(value, str):
            yield from _timestamp(place, value)


def _timestamp(place: Place, value: str) -> Iterator[Mistake]:
    try:
        timestamps.canonical(value)
    except ValueError as exc:
        yield Mistake(place, f'{shown(value)} {exc}')


#: The keywords about the text of a string, ``format`` first.
_TEXT_KEYWORDS = ('format', 'pattern', 'minLength', 'maxLength')


def _validator(schema: Mapping[str, Any],
               without: tuple[str, ...]) -> jsonschema_rs.Validator | None:
    """Return None if the schema does not compile; another check reports it.
    """
    try:
        return jsonschema_rs.validator_for(
            {keyword: value for keyword, value in schema.items()
             if keyword not in ('const', 'enum', *without)},
            validate_formats=True, pattern_options=vocabulary.REGEX_OPTIONS,
            offline=True)
    except jsonschema_rs.ValidationError:
        return None


# The checks

#: Lower bound, upper bound, required relation, text if it does not hold.
_BOUNDS: tuple[tuple[str, str, Callable[[Any, Any], bool], str], ...] = (
    ('minLength', 'maxLength', operator.le, 'above'),
    ('minItems', 'maxItems', operator.le, 'above'),
    ('minimum', 'maximum', operator.le, 'above'),
    ('minimum', 'exclusiveMaximum', operator.lt, 'not below'),
    ('exclusiveMinimum', 'maximum', operator.lt, 'not below'),
    ('exclusiveMinimum', 'exclusiveMaximum', operator.lt, 'not below'),
)
_NUMERIC = ('minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum',
            'multipleOf')


def _bounds(place: Place, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    for low, high, holds, relation in _BOUNDS:
        if low in schema and high in schema and not holds(
                schema[low], schema[high]):
            yield Mistake((*place, low), f'{shown(schema[low])} is '
                          f'{relation} {high} {shown(schema[high])}')


def _integer_bounds(place: Place,
                    schema: Mapping[str, Any]) -> Iterator[Mistake]:
    """Bounds of integers must be integers; databases store 64 bits, signed.
    """
    if schema.get('type') != 'integer':
        return
    for keyword in _NUMERIC:
        value = schema.get(keyword, 0)
        if isinstance(value, float):
            yield Mistake((*place, keyword), f'must be an integer without a '
                          f'decimal point or exponent, not {shown(value)}')


def _pattern(place: Place, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    """Compile the pattern with the engine that matches it later.

    SECURITY: the engine runs in linear time, so no pattern can block a
    worker. It has no look-around and no back-references; a pattern with one
    must fail when the file is read, not in the first request.
    """
    if 'pattern' not in schema:
        return
    try:
        jsonschema_rs.validator_for({'pattern': schema['pattern']},
                                    pattern_options=vocabulary.REGEX_OPTIONS)
    except jsonschema_rs.ValidationError:
        yield Mistake((*place, 'pattern'), f'{shown(schema["pattern"])} does '
                      f'not compile: it is not a valid regular expression, '
                      f'is too large, or uses look-around or back-references, '
                      f'which are not supported')


def _required(place: Place, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    members = schema.get('properties', {})
    for name in schema.get('required', ()):
        if name not in members:
            yield Mistake((*place, 'required'), f'{shown(name)} is not among '
                          f'the "properties" beside it')


def _enum(place: Place, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    if 'enum' in schema and 'const' in schema:
        yield Mistake(place, 'has both "enum" and "const"; remove one')


def _time(place: Place, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    """Refuse keywords about the text of a time: one instant has many texts.
    """
    if schema.get('format') != 'date-time':
        return
    for keyword in ('enum', 'const', *_TEXT_KEYWORDS[1:]):
        if keyword in schema:
            yield Mistake((*place, keyword),
                          'is not valid for format date-time')


_CHECKS = (_bounds, _integer_bounds, _pattern, _required, _enum, _time)

