# SPDX-License-Identifier: Apache-2.0
"""Validate bodies against a type, and turn them into column values.

A Schema is compiled once for each shape, the type at a range of versions.
Which members a client may write also depends on the caller's roles. An error
has all mistakes of a body, each with a pointer.
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Collection,
    Iterator,
    Mapping,
    Sequence,
)
from itertools import chain, islice
from types import MappingProxyType
from typing import Any

import jsonschema_rs
import orjson

from service.domain.catalogue.types import MISSING, Property, Shape
from service.domain.documents import pointers, values
from service.domain.errors import (
    MAX_VIOLATIONS,
    Invalid,
    Violation,
    shorten,
)
from service.domain.typefiles.vocabulary import REGEX_OPTIONS

#: Above this size, only the first mistake of a value is reported.
LARGE_BYTES = 2 ** 14

#: Names that no URL can contain: clients resolve them as path segments.
_DOT_SEGMENTS = {'enum': ['.', '..']}

TAG: dict[str, Any] = {'type': 'string', 'minLength': 1, 'maxLength': 60,
                       'pattern': '^[^/,]*$', 'not': _DOT_SEGMENTS}
TAGS: dict[str, Any] = {'type': 'array', 'items': TAG, 'uniqueItems': True,
                        'maxItems': 50}
METADATA_KEY: dict[str, Any] = {'type': 'string', 'minLength': 1,
                                'maxLength': 255, 'not': _DOT_SEGMENTS}
METADATA_VALUE: dict[str, Any] = {'type': 'string', 'maxLength': 255}
METADATA: dict[str, Any] = {'type': 'object', 'maxProperties': 128,
                            'propertyNames': METADATA_KEY,
                            'additionalProperties': METADATA_VALUE}


def compile_schema(schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
    """Return the validator of a JSON Schema.

    SECURITY: its patterns match in linear time, and it fetches no URL.
    """
    return jsonschema_rs.validator_for(
        dict(schema), validate_formats=True, ignore_unknown_formats=False,
        pattern_options=REGEX_OPTIONS, offline=True)


def of_property(prop: Property, shape: Shape) -> dict[str, Any]:
    """Return the JSON Schema of a property's value at a shape's versions."""
    schema: dict[str, Any] = {'type': prop.kind, **_mutable(prop.schema)}
    if prop.references is not None:
        schema['format'] = 'uuid'
    if prop.max_length is not None:
        schema['maxLength'] = prop.max_length
    if prop.enum:
        schema['enum'] = list(shape.choices(prop))
    if prop.nullable:
        schema['type'] = [prop.kind, 'null']
        if prop.enum:
            schema['enum'].append(None)
    return schema


def of_shape(shape: Shape) -> dict[str, Any]:
    """Return the JSON Schema of a record in a body at a shape's versions."""
    return {
        'type': 'object',
        'properties': {
            **{name: of_property(prop, shape)
               for name, prop in shape.properties.items()},
            'tags': TAGS, 'metadata': METADATA},
        'required': required_names(shape),
        'additionalProperties': False,
    }


def required_names(shape: Shape) -> list[str]:
    """Return the names of the properties that a new record must have."""
    return [name for name, prop in shape.properties.items()
            if prop.required and prop.default is MISSING]


class Schema:
    """Turns the bodies of one shape into column values."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._required = required_names(shape)
        self._validator = compile_schema({**of_shape(shape), 'required': []})

    def new_columns(self, members: Mapping[str, Any], pointer: str,
                    bad: Sequence[Violation] = ()) -> dict[str, Any]:
        """Return every column of a new record, also those of other versions.
        """
        defaults = {prop.name: _value(prop, MISSING)
                    for prop in self.shape.declared.live}
        return {**defaults, **self.columns(members, pointer, bad)}

    def columns(self, members: Mapping[str, Any], pointer: str,
                bad: Sequence[Violation] = (),
                unchanged: Collection[str] = (),
                current: Mapping[str, Any] = MappingProxyType({})
                ) -> dict[str, Any]:
        """Return the columns of the shape, except the ``unchanged`` names.

        Omitted members get their defaults. ``bad`` are violations that the
        caller has found; Invalid reports them together with those found
        here. ``current`` is the record that the columns will change.
        """
        members = dict(members)
        violations = list(islice(
            chain(bad, self._violations(members, pointer, unchanged)),
            MAX_VIOLATIONS))
        if violations:
            raise Invalid(violations)
        columns = {prop.name: _value(prop, members.get(name, MISSING))
                   for name, prop in self.shape.properties.items()
                   if name not in unchanged}
        for name, empty in (('tags', []), ('metadata', {})):
            if name not in unchanged:
                columns[name] = members.get(name, empty)
        violations = list(_inverted_periods(
            self.shape, {**current, **columns}, pointer))
        if violations:
            raise Invalid(violations)
        return columns

    def _violations(self, members: dict[str, Any], pointer: str,
                    unchanged: Collection[str]) -> Iterator[Violation]:
        """Yield every violation.

        Also replaces times and integers in ``members`` by their normal form.
        """
        malformed = [*values.normalize_times(self.shape, members, pointer),
                     *values.normalize_integers(self.shape, members, pointer)]
        yield from malformed
        reported = {violation.pointer for violation in malformed}
        for violation in violations(self._validator, members, pointer):
            if violation.pointer not in reported:
                yield violation
        for name in self._required:
            if name not in members and name not in unchanged:
                yield Violation(f'{name} is required',
                                pointers.child(pointer, name))


def check(validator: jsonschema_rs.Validator, value: Any,
          pointer: str = '') -> None:
    """Raise Invalid, with every violation, if a value breaks the schema."""
    bad = list(islice(violations(validator, value, pointer), MAX_VIOLATIONS))
    if bad:
        raise Invalid(bad)


def violations(validator: jsonschema_rs.Validator, value: Any, pointer: str
               ) -> Iterator[Violation]:
    """Yield every violation; for a large value, those of the first error only.

    SECURITY: the validator collects all errors before it returns the first. A
    megabyte can have half a million errors, which take five seconds.
    """
    if len(orjson.dumps(value)) <= LARGE_BYTES:
        for error in validator.iter_errors(value):
            yield from violations_of(error, pointer)
        return
    try:
        validator.validate(value)
    except jsonschema_rs.ValidationError as error:
        yield from violations_of(error, pointer)


def violations_of(error: jsonschema_rs.ValidationError, pointer: str
                  ) -> Iterator[Violation]:
    """Yield one violation for each member that a schema error is about."""
    place = pointer
    for step in error.instance_path:
        place = pointers.child(place, step)
    describe = _VIOLATIONS.get(error.kind.name)
    if describe is not None:
        yield from describe(error.kind, place)
        return
    steps = '.'.join(map(str, error.instance_path))
    subject = shorten(steps) or place[1:].replace('/', '.') or 'The body'
    yield Violation(f'{subject}: {_text(error)}', place)


def _absent(kind: Any, place: str) -> Iterator[Violation]:
    yield Violation(f'{kind.property} is required',
                    pointers.child(place, kind.property))


def _unexpected(kind: Any, place: str) -> Iterator[Violation]:
    for name in kind.unexpected:
        yield Violation(f'{values.quoted(name)} is not a property here',
                        pointers.child(place, name))


_VIOLATIONS: Mapping[str, Callable[[Any, str], Iterator[Violation]]] = {
    'required': _absent, 'additionalProperties': _unexpected}


def _text(error: jsonschema_rs.ValidationError) -> str:
    """Return a schema error's text, shortened if it quotes a long value."""
    inner = getattr(error.kind, 'error', error)
    if inner.kind.name == 'not':
        return (f'{values.quoted(inner.instance)} cannot be named in a URL, '
                'where clients resolve it as a path segment; choose another '
                'name')
    message = error.message
    return message if len(message) <= 200 else (
        f'{message[:80]}...{message[-100:]}')


def default(prop: Property) -> Any:
    """Return the value of a property that a new record does not set."""
    return None if prop.default is MISSING else prop.default


def _value(prop: Property, value: Any) -> Any:
    if value is MISSING:
        return default(prop)
    return values.normalize(prop, value)


def _inverted_periods(shape: Shape, columns: Mapping[str, Any], pointer: str
                      ) -> Iterator[Violation]:
    """Yield a violation for each period that ends before its start (D27).

    A period that ends at its start is a violation too.
    """
    for rule in shape.declared.exclusive:
        start, end = (columns.get(name) for name in rule.period)
        if start is not None and end is not None and start >= end:
            name = shape.name_of(rule.period[1])
            yield Violation(
                f'{name} must be later than {shape.name_of(rule.period[0])}',
                f'{pointer}/{name}')


def _mutable(value: Any) -> Any:
    """Return dicts and lists, which a schema needs, for mappings and tuples.
    """
    if isinstance(value, Mapping):
        return {name: _mutable(member) for name, member in value.items()}
    if isinstance(value, (tuple, list)):
        return [_mutable(item) for item in value]
    return value
