# SPDX-License-Identifier: Apache-2.0
"""ResourceType -> body schema, compiled once for each shape.

What a body may say depends on the version (its shape) and on the caller's
roles; what it becomes is a value for every column. All mistakes of a body are
told at once, each with a pointer.
"""

from __future__ import annotations

from collections.abc import (
    Callable,
    Collection,
    Iterable,
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
    FieldForbidden,
    Invalid,
    Violation,
    shorten,
)
from service.domain.typefiles.vocabulary import REGEX_OPTIONS

#: Members of a document that the service alone writes.
READ_ONLY = ('id', 'project_id', 'generation', 'created_at', 'updated_at',
             'links')

#: So many bytes of JSON have no more errors than can be made in a moment.
LARGE_BYTES = 2 ** 14

#: What a URL cannot name: clients take it for a step in the path.
_PATH_STEPS = {'enum': ['.', '..']}

TAG: dict[str, Any] = {'type': 'string', 'minLength': 1, 'maxLength': 60,
                       'pattern': '^[^/,]*$', 'not': _PATH_STEPS}
TAGS: dict[str, Any] = {'type': 'array', 'items': TAG, 'uniqueItems': True,
                        'maxItems': 50}
METADATA_KEY: dict[str, Any] = {'type': 'string', 'minLength': 1,
                                'maxLength': 255, 'not': _PATH_STEPS}
METADATA_VALUE: dict[str, Any] = {'type': 'string', 'maxLength': 255}
METADATA: dict[str, Any] = {'type': 'object', 'maxProperties': 128,
                            'propertyNames': METADATA_KEY,
                            'additionalProperties': METADATA_VALUE}


def compiled(schema: Mapping[str, Any]) -> jsonschema_rs.Validator:
    """A validator whose patterns run in linear time and that fetches nothing.
    """
    return jsonschema_rs.validator_for(
        dict(schema), validate_formats=True, ignore_unknown_formats=False,
        pattern_options=REGEX_OPTIONS, offline=True)


def of_property(prop: Property, shape: Shape) -> dict[str, Any]:
    """The JSON Schema of a property's value at a shape's versions."""
    schema: dict[str, Any] = {'type': prop.kind, **_thawed(prop.schema)}
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
    """The JSON Schema of what a client may write at a shape's versions."""
    return {
        'type': 'object',
        'properties': {
            **{name: of_property(prop, shape)
               for name, prop in shape.properties.items()},
            'tags': TAGS, 'metadata': METADATA},
        'required': required(shape),
        'additionalProperties': False,
    }


def required(shape: Shape) -> list[str]:
    return [name for name, prop in shape.properties.items()
            if prop.required and prop.default is MISSING]


class Schema:
    """Reads the bodies of one shape into columns."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self._required = required(shape)
        self._validator = compiled({**of_shape(shape), 'required': []})

    def created(self, members: Mapping[str, Any], pointer: str,
                bad: Sequence[Violation] = ()) -> dict[str, Any]:
        """Every column of a new record: also those of other versions."""
        unseen = {prop.name: _value(prop, MISSING)
                  for prop in self.shape.declared.live}
        return {**unseen, **self.columns(members, pointer, bad)}

    def columns(self, members: Mapping[str, Any], pointer: str,
                bad: Sequence[Violation] = (),
                kept: Collection[str] = (),
                current: Mapping[str, Any] = MappingProxyType({})
                ) -> dict[str, Any]:
        """The value of each visible column but those of ``kept`` names.

        What is left out has its default. ``bad`` is what is wrong already:
        Invalid tells every violation at once. ``current`` is the record
        whose columns these shall be.
        """
        given = dict(members)
        found = list(islice(chain(bad, self._wrong(given, pointer, kept)),
                            MAX_VIOLATIONS))
        if found:
            raise Invalid(found)
        columns = {prop.name: _value(prop, given.get(name, MISSING))
                   for name, prop in self.shape.properties.items()
                   if name not in kept}
        for name, empty in (('tags', []), ('metadata', {})):
            if name not in kept:
                columns[name] = given.get(name, empty)
        found = list(_inverted_periods(self.shape, {**current, **columns},
                                       pointer))
        if found:
            raise Invalid(found)
        return columns

    def _wrong(self, given: dict[str, Any], pointer: str,
               kept: Collection[str]) -> Iterator[Violation]:
        """Every violation; times and integers get their one form."""
        first = [*values.normalize_times(self.shape, given, pointer),
                 *values.normalize_integers(self.shape, given, pointer)]
        yield from first
        told = {one.pointer for one in first}
        for one in violations(self._validator, given, pointer):
            if one.pointer not in told:
                yield one
        for name in self._required:
            if name not in given and name not in kept:
                yield Violation(f'{name} is required',
                                pointers.child(pointer, name))


def check(validator: jsonschema_rs.Validator, value: Any,
          pointer: str = '') -> None:
    """Raise Invalid, with every violation, where a body is not as it must be.
    """
    bad = list(islice(violations(validator, value, pointer), MAX_VIOLATIONS))
    if bad:
        raise Invalid(bad)


def violations(validator: jsonschema_rs.Validator, value: Any, pointer: str
             ) -> Iterator[Violation]:
    """Every violation; of a large value those at the first place only.

    SECURITY: the validator makes all its errors before it gives the first. A
    megabyte may have half a million, which take it five seconds.
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
    """One violation for each thing a schema error is about."""
    where = pointer
    for step in error.instance_path:
        where = pointers.child(where, step)
    tell = _VIOLATIONS.get(error.kind.name)
    if tell is not None:
        yield from tell(error.kind, where)
        return
    steps = '.'.join(map(str, error.instance_path))
    subject = shorten(steps) or where[1:].replace('/', '.') or 'The body'
    yield Violation(f'{subject}: {_text(error)}', where)


def _absent(kind: Any, where: str) -> Iterator[Violation]:
    yield Violation(f'{kind.property} is required',
                    pointers.child(where, kind.property))


def _unexpected(kind: Any, where: str) -> Iterator[Violation]:
    for name in kind.unexpected:
        yield Violation(f'{values.quoted(name)} is not a property here',
                        pointers.child(where, name))


_VIOLATIONS: Mapping[str, Callable[[Any, str], Iterator[Violation]]] = {
    'required': _absent, 'additionalProperties': _unexpected}


def _text(error: jsonschema_rs.ValidationError) -> str:
    """A schema error's text without more than a line of the client's own."""
    inner = getattr(error.kind, 'error', error)
    if inner.kind.name == 'not':
        return (f'{values.quoted(inner.instance)} is a step in a path to '
                'clients, who cannot name it in a URL; any other name will do')
    message = error.message
    return message if len(message) <= 200 else (
        f'{message[:80]}...{message[-100:]}')


def default(prop: Property) -> Any:
    """What a property has that nobody gave a value."""
    return None if prop.default is MISSING else prop.default


def _value(prop: Property, given: Any) -> Any:
    if given is MISSING:
        return default(prop)
    return values.normalize(prop, given)


def _inverted_periods(shape: Shape, columns: Mapping[str, Any], pointer: str
               ) -> Iterator[Violation]:
    """Periods that end before they start, or at once (D27)."""
    for rule in shape.declared.exclusive:
        start, end = (columns.get(name) for name in rule.period)
        if start is not None and end is not None and start >= end:
            name = shape.name_of(rule.period[1])
            yield Violation(
                f'{name} must be later than {shape.name_of(rule.period[0])}',
                f'{pointer}/{name}')


def writable(members: Mapping[str, Any], full: Mapping[str, Any],
            locked: Collection[str], pointer: str
            ) -> tuple[dict[str, Any], list[Violation]]:
    """The members a client may write, and those it may not but would change.

    ``full`` is the document as the client would read it. A client that sends
    back what it read, with one member changed, says nothing about the rest
    (D15). Raises FieldForbidden for what only other roles may write.
    """
    touched = [name for name, value in members.items()
               if name in locked and (name not in full
                                      or not values.same(full[name], value))]
    return {name: value for name, value in members.items()
            if name not in locked}, refused_changes(touched, pointer,
                                                    'written')


def refused_changes(names: Iterable[str], pointer: str,
                done: str) -> list[Violation]:
    """What is wrong with changing these names, where nobody may; raises
    FieldForbidden for those that other roles may."""
    told = [(name, pointers.child(pointer, name)) for name in names]
    forbidden = [Violation(f'{name} cannot be {done} by your roles', where)
                 for name, where in told if name not in READ_ONLY]
    if forbidden:
        raise FieldForbidden(forbidden)
    return [Violation(f'{name} cannot be {done}', where)
            for name, where in told]


def read_only(shape: Shape, roles: frozenset[str]) -> frozenset[str]:
    """The names a caller of these roles may not write."""
    return frozenset(READ_ONLY) | {
        name for name, prop in shape.properties.items()
        if not prop.writable(roles)}


def _thawed(value: Any) -> Any:
    """Frozen mappings and tuples as the dicts and lists a schema wants."""
    if isinstance(value, Mapping):
        return {name: _thawed(one) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [_thawed(one) for one in value]
    return value
