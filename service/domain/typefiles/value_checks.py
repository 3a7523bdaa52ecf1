# SPDX-License-Identifier: Apache-2.0
"""JSON Schema words that stand together: what no value could ever meet.

For a property and, all the way down, for what is inside an object or array.
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
    """What is wrong between the words of one mapping, and inside it."""
    for check in _CHECKS:
        yield from check(place, schema)
    for word in ('items', 'additionalProperties'):
        if isinstance(schema.get(word), dict):
            yield from _inside((*place, word), schema[word])
    for name, inner in schema.get('properties', {}).items():
        yield from _inside((*place, 'properties', name), inner)


def _inside(place: Place, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    yield from mistakes(place, schema)
    yield from unmet((*place, 'const'), schema, _given(schema, 'const'))
    for index, one in enumerate(schema.get('enum', ())):
        yield from unmet((*place, 'enum', index), schema, (one,))


def _given(schema: Mapping[str, Any], word: str) -> tuple[Any, ...]:
    return (schema[word],) if word in schema else ()


def unmet(place: Place, schema: Mapping[str, Any],
          given: tuple[Any, ...]) -> Iterator[Mistake]:
    """A value the file gives that its own words would refuse.

    A moment is read by our own parser, which knows more than the format.
    """
    moment = schema.get('format') == 'date-time'
    validator = _validator(schema, _TEXTUAL if moment else ())
    for value in given:
        for error in validator.iter_errors(value) if validator else ():
            yield Mistake(place, printable(error.message[:200]))
        if moment and isinstance(value, str):
            yield from _instant(place, value)


def _instant(place: Place, value: str) -> Iterator[Mistake]:
    try:
        timestamps.canonical(value)
    except ValueError as exc:
        yield Mistake(place, f'{shown(value)} {exc}')


#: The words about a text, the format first.
_TEXTUAL = ('format', 'pattern', 'minLength', 'maxLength')


def _validator(schema: Mapping[str, Any],
               without: tuple[str, ...]) -> jsonschema_rs.Validator | None:
    """None where the words themselves cannot be compiled: told elsewhere."""
    try:
        return jsonschema_rs.validator_for(
            {word: value for word, value in schema.items()
             if word not in ('const', 'enum', *without)},
            validate_formats=True, pattern_options=vocabulary.REGEX_OPTIONS,
            offline=True)
    except jsonschema_rs.ValidationError:
        return None


# The checks

#: Two bounds and what must hold between them.
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
    for low, high, holds, wrong in _BOUNDS:
        if low in schema and high in schema and not holds(
                schema[low], schema[high]):
            yield Mistake((*place, low), f'{shown(schema[low])} is {wrong} '
                          f'{high} {shown(schema[high])}')


def _whole(place: Place, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    """An integer is a signed 64-bit one in every database."""
    if schema.get('type') != 'integer':
        return
    for word in _NUMERIC:
        value = schema.get(word, 0)
        if isinstance(value, float):
            yield Mistake((*place, word), f'must be a whole number written '
                          f'without a point or exponent, not {shown(value)}')


def _pattern(place: Place, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    """No pattern may hang a worker, so the engine runs in linear time.

    It has no look-around and no back-reference; a declaration with one must
    be told at load, not with its first request.
    """
    if 'pattern' not in schema:
        return
    try:
        jsonschema_rs.validator_for({'pattern': schema['pattern']},
                                    pattern_options=vocabulary.REGEX_OPTIONS)
    except jsonschema_rs.ValidationError:
        yield Mistake((*place, 'pattern'), f'{shown(schema["pattern"])} does '
                      f'not compile: it is not a regular expression, '
                      f'too large, or has a look-around or back-reference')


def _required(place: Place, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    known = schema.get('properties', {})
    for name in schema.get('required', ()):
        if name not in known:
            yield Mistake((*place, 'required'), f'{shown(name)} is not in '
                          f'the properties beside it')


def _choice(place: Place, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    if 'enum' in schema and 'const' in schema:
        yield Mistake(place, 'has both "enum" and "const"; one is enough')


def _time(place: Place, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    """One moment has many texts, so words about the text mean nothing."""
    if schema.get('format') != 'date-time':
        return
    for word in ('enum', 'const', *_TEXTUAL[1:]):
        if word in schema:
            yield Mistake((*place, word), 'is not for the format date-time')


_CHECKS = (_bounds, _whole, _pattern, _required, _choice, _time)

