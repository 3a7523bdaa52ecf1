# SPDX-License-Identifier: Apache-2.0
"""Find changes of a property's values that break its clients.

A client that writes breaks if fewer values are accepted. A client that reads
breaks if replies can hold values that it does not expect: a new enum value
breaks it, because clients branch on enum values. A longer maxLength breaks no
client.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from service.domain.documents import values
from service.domain.typefiles.mistakes import shown

Schema = Mapping[str, Any]


def schema_breaks(old: Schema, new: Schema) -> Iterator[str]:
    """The changes between two JSON Schemas that break a client."""
    if old == new:
        return
    if old.get('type') != new.get('type'):
        yield _difference('type', old, new)
        return
    for keyword, narrower in _NARROWER.items():
        if keyword in new and old.get(keyword) != new[keyword] and (
                keyword not in old or narrower(old[keyword], new[keyword])):
            yield _difference(keyword, old, new)
    yield from _strict(old, new)
    yield from _members(old, new)


def enum_breaks(old: Sequence[Any], new: Sequence[Any]) -> Iterator[str]:
    """The changes between two enums that break a client.

    An empty enum allows every value.
    """
    if not old and not new:
        return
    if not old or not new:
        yield ('enum is new; other values are refused' if new else
               'enum is removed; replies can hold any value')
        return
    for value in _missing_from(new, old):
        yield f'enum value {shown(value)} is removed'
    for value in _missing_from(old, new):
        yield f'enum value {shown(value)} is new'


def _missing_from(others: Sequence[Any],
                  candidates: Sequence[Any]) -> Iterator[Any]:
    known = {values.canonical(value) for value in others}
    return (value for value in candidates
            if values.canonical(value) not in known)


def _difference(keyword: str, old: Schema, new: Schema) -> str:
    before, after = (shown(schema[keyword]) if keyword in schema else 'absent'
                     for schema in (old, new))
    return f'{keyword} changes from {before} to {after}'


def _lower(old: Any, new: Any) -> bool:
    return bool(new < old)


def _higher(old: Any, new: Any) -> bool:
    return bool(new > old)


def _different(old: Any, new: Any) -> bool:
    return True


#: By keyword: whether the new value allows fewer values than the old one. A
#: keyword that was absent allows fewer in any case.
_NARROWER: Mapping[str, Callable[[Any, Any], bool]] = {
    'maxLength': _lower, 'minLength': _higher, 'maxItems': _lower,
    'minItems': _higher, 'maximum': _lower, 'minimum': _higher,
    'exclusiveMaximum': _lower, 'exclusiveMinimum': _higher,
    'pattern': _different, 'format': _different, 'multipleOf': _different,
    'uniqueItems': _higher,
}

#: Keywords of which every change breaks a client, with the value that their
#: absence stands for.
_DEFAULTS: Mapping[str, Any] = {'required': [], 'const': None}


def _strict(old: Schema, new: Schema) -> Iterator[str]:
    for keyword, absent in _DEFAULTS.items():
        if _unordered(old.get(keyword, absent)) != _unordered(
                new.get(keyword, absent)):
            yield _difference(keyword, old, new)
    yield from enum_breaks(old.get('enum', ()), new.get('enum', ()))


def _unordered(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


def _members(old: Schema, new: Schema) -> Iterator[str]:
    """Breaks inside objects and arrays, at any depth."""
    for message in schema_breaks(old.get('items', {}), new.get('items', {})):
        yield f'items: {message}'
    before, after = old.get('properties', {}), new.get('properties', {})
    for name in sorted(before.keys() | after.keys()):
        yield from _member(name, before.get(name), after.get(name))
    yield from _additional(*(schema.get('additionalProperties', True)
                             for schema in (old, new)))


def _member(name: str, old: Schema | None,
            new: Schema | None) -> Iterator[str]:
    if old is None or new is None:
        change = 'new' if old is None else 'removed'
        yield f'properties: {shown(name)} is {change}'
        return
    for message in schema_breaks(old, new):
        yield f'properties.{name}: {message}'


def _additional(old: Any, new: Any) -> Iterator[str]:
    """``true`` equals the empty schema; ``false`` allows no more members."""
    if new is True or old is False or old == new:
        return
    if new is False:
        yield 'additionalProperties changes to false'
        return
    for message in schema_breaks({} if old is True else old, new):
        yield f'additionalProperties: {message}'
