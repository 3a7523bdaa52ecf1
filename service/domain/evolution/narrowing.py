# SPDX-License-Identifier: Apache-2.0
"""How the values of a property changed, as its clients meet them.

A writer is broken where less is taken than before, a reader where more can
come back than it was promised. A longer maxLength breaks neither here: no
reader counts on it. A new enum value does: readers branch on those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from service.domain.documents import values
from service.domain.typefiles.mistakes import shown

Schema = Mapping[str, Any]


def words(old: Schema, new: Schema) -> Iterator[str]:
    """What breaks a client between two mappings of JSON Schema words."""
    if old == new:
        return
    if old.get('type') != new.get('type'):
        yield _turned('type', old, new)
        return
    for word, narrower in _NARROWER.items():
        if word in new and old.get(word) != new[word] and (
                word not in old or narrower(old[word], new[word])):
            yield _turned(word, old, new)
    yield from _fixed(old, new)
    yield from _inside(old, new)


def choices(old: Sequence[Any], new: Sequence[Any]) -> Iterator[str]:
    """What breaks between two enums; an empty one allows every value."""
    if not old and not new:
        return
    if not old or not new:
        yield ('enum is new: other values are refused' if new else
               'enum is gone: any value may come back')
        return
    for one in _without(old, new):
        yield f'enum value {shown(one)} is gone'
    for one in _without(new, old):
        yield f'enum value {shown(one)} is new'


def _without(some: Sequence[Any], others: Sequence[Any]) -> Iterator[Any]:
    known = {values.canonical(one) for one in others}
    return (one for one in some if values.canonical(one) not in known)


def _turned(word: str, old: Schema, new: Schema) -> str:
    before, after = (shown(one[word]) if word in one else 'absent'
                     for one in (old, new))
    return f'{word} turns from {before} to {after}'


def _lower(old: Any, new: Any) -> bool:
    return bool(new < old)


def _higher(old: Any, new: Any) -> bool:
    return bool(new > old)


def _other(old: Any, new: Any) -> bool:
    return True


#: When the new value of a word takes less than the old one; a word that was
#: absent always does.
_NARROWER: Mapping[str, Callable[[Any, Any], bool]] = {
    'maxLength': _lower, 'minLength': _higher, 'maxItems': _lower,
    'minItems': _higher, 'maximum': _lower, 'minimum': _higher,
    'exclusiveMaximum': _lower, 'exclusiveMinimum': _higher,
    'pattern': _other, 'format': _other, 'multipleOf': _other,
    'uniqueItems': _higher,
}

#: Words whose absence means this; no change of them is harmless.
_DEFAULTS: Mapping[str, Any] = {'required': [], 'const': None}


def _fixed(old: Schema, new: Schema) -> Iterator[str]:
    for word, absent in _DEFAULTS.items():
        if _unordered(old.get(word, absent)) != _unordered(
                new.get(word, absent)):
            yield _turned(word, old, new)
    yield from choices(old.get('enum', ()), new.get('enum', ()))


def _unordered(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value


def _inside(old: Schema, new: Schema) -> Iterator[str]:
    """Objects and arrays, down to their last member."""
    for what in words(old.get('items', {}), new.get('items', {})):
        yield f'items: {what}'
    before, after = old.get('properties', {}), new.get('properties', {})
    for name in sorted(before.keys() | after.keys()):
        yield from _member(name, before.get(name), after.get(name))
    yield from _others(*(one.get('additionalProperties', True)
                         for one in (old, new)))


def _member(name: str, old: Schema | None,
            new: Schema | None) -> Iterator[str]:
    if old is None or new is None:
        yield f'properties: {shown(name)} is {"new" if new else "gone"}'
        return
    for what in words(old, new):
        yield f'properties.{name}: {what}'


def _others(old: Any, new: Any) -> Iterator[str]:
    """``true`` is the mapping without words; ``false`` takes nothing."""
    if new is True or old is False or old == new:
        return
    if new is False:
        yield 'additionalProperties turns to false'
        return
    for what in words({} if old is True else old, new):
        yield f'additionalProperties: {what}'
