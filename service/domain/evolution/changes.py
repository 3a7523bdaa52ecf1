# SPDX-License-Identifier: Apache-2.0
"""What one catalogue says otherwise than another, word by word.

Each change has a place in the files. With ``affects_table`` the table changes
too: ``storage.schema`` sees there whether anything is to be done. Where a
word takes less than before, ``check`` is what stored values must now meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import jsonschema_rs

from service.domain.catalogue.exclusive_periods import ExclusivePeriod
from service.domain.catalogue.microversion import Version
from service.domain.catalogue.types import (
    MISSING,
    Catalogue,
    Choice,
    Property,
    ResourceType,
)
from service.domain.documents import timestamps, values
from service.domain.evolution import narrowing
from service.domain.typefiles import vocabulary
from service.domain.typefiles.mistakes import shown


class Change(NamedTuple):
    """One word that turned; ``column`` is whose values ``check`` is for."""

    type: str
    place: str
    message: str
    affects_table: bool = False
    column: str = ''
    check: Mapping[str, Any] | None = None


def compare(before: Catalogue | None,
            after: Catalogue) -> tuple[Change, ...]:
    """Every change, type by type, in the order of the files' words.

    A tombstone says nothing once what it named is gone, so that it may stay
    or go. ``before`` is None where nothing was ever applied.
    """
    old = {} if before is None else {one.name: one for one in before.live}
    new = {one.name: one for one in after.live}
    return (*(Change(name, name, 'is dropped', True)
              for name in old if name not in new),
            *(change for name, declared in new.items()
              for change in _of(old.get(name), declared)))


def _of(old: ResourceType | None, new: ResourceType) -> Iterator[Change]:
    if old is None:
        yield Change(new.name, new.name, 'is new', True)
        return
    yield from _words(old, new)
    yield from _properties(old, new)


def _words(old: ResourceType, new: ResourceType) -> Iterator[Change]:
    for word, affects_table in _TYPE_WORDS.items():
        turned = _turned(word, getattr(old, word), getattr(new, word))
        if turned:
            yield Change(new.name, f'{new.name}.{word}', turned, affects_table)


def _properties(old: ResourceType, new: ResourceType) -> Iterator[Change]:
    known = {one.name: one for one in old.live}
    kept = set()
    for prop in new.live:
        place = f'{new.name}.{prop.name}'
        was = predecessor(known, new, prop)
        if was is None:
            yield Change(new.name, place, 'is new', True)
            continue
        kept.add(was.name)
        if was.name != prop.name:
            yield Change(new.name, place, f'was {was.name}', True)
        yield from _property(new, was, prop)
    for name in known:
        if name not in kept:
            yield Change(new.name, f'{new.name}.{name}', 'is dropped', True)


def predecessor(known: Mapping[str, Property], declared: ResourceType,
                prop: Property) -> Property | None:
    """The property that has the values which ``prop`` goes on with.

    Whoever goes back to files from before a rename gets the old name back,
    and not a new property beside one that vanished.
    """
    if prop.name in known:
        return known[prop.name]
    if prop.renamed_from is not None and prop.renamed_from in known:
        return known[prop.renamed_from]
    live = {one.name for one in declared.live}
    return next((one for one in known.values()
                 if one.renamed_from == prop.name and one.name not in live),
                None)


def _property(declared: ResourceType, old: Property,
              new: Property) -> Iterator[Change]:
    place = f'{declared.name}.{new.name}'
    for word, affects_table in _PROPERTY_WORDS.items():
        turned = _turned(word, getattr(old, word), getattr(new, word))
        if turned:
            yield Change(declared.name, place, turned, affects_table)
    for what, check in _choices(old, new):
        yield Change(declared.name, place, what, False, new.name, check)
    for word in (*old.schema, *(one for one in new.schema
                                if one not in old.schema)):
        turned = _turned(word, old.schema.get(word, MISSING),
                         new.schema.get(word, MISSING))
        if turned:
            yield Change(declared.name, place, turned,
                         _in_the_table(word, old, new), new.name,
                         _check(word, old.schema, new.schema))


def _in_the_table(word: str, old: Property, new: Property) -> bool:
    """Whether a word of JSON Schema decides what column there is."""
    if word == 'format':
        return ('date-time' in (old.format, new.format)
                or old.references != new.references)
    return word in ('type', 'maxLength')


def _choices(old: Property, new: Property
             ) -> Iterator[tuple[str, Mapping[str, Any] | None]]:
    """A value that has an ``until`` is still one that records may hold."""
    turned = _turned('enum', old.enum, new.enum)
    if not turned:
        return
    before, after = ([choice.const for choice in one.enum]
                     for one in (old, new))
    gone = {values.canonical(one) for one in before} - {
        values.canonical(one) for one in after}
    narrower = bool(after) and (not before or bool(gone))
    yield turned, {'enum': after} if narrower else None


def _check(word: str, old: Mapping[str, Any],
           new: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The words to hold stored values to, where the word takes less now.

    Words about members say something only together.
    """
    if word in _MEMBERS:
        return new
    kind = {'type': new.get('type')}
    before, after = ({**kind, **({word: one[word]} if word in one else {})}
                     for one in (old, new))
    if word == 'type' or any(narrowing.words(before, after)):
        return after
    return None


def validator(check: Mapping[str, Any]) -> Callable[[Any], bool]:
    """Whether a stored value meets a check."""
    if check.get('format') == 'date-time':
        return _moment
    found = jsonschema_rs.validator_for(
        dict(check), validate_formats=True,
        pattern_options=vocabulary.REGEX_OPTIONS, offline=True)
    return found.is_valid


def _moment(value: Any) -> bool:
    """Only the one form of a time can be stored as one."""
    try:
        return bool(timestamps.canonical(value) == value)
    except ValueError:
        return False


# What is compared, and how it is said

#: The words of a type; whether the table is made by them.
_TYPE_WORDS: Mapping[str, bool] = {
    'plural': True, 'scope': True, 'description': False, 'since': False,
    'until': False, 'controller': False, 'unique': True, 'indexes': True,
    'exclusive': True, 'quota': False, 'policy': False}

#: The words of a property that are not JSON Schema's.
_PROPERTY_WORDS: Mapping[str, bool] = {
    'description': False, 'default': False, 'required': True,
    'immutable': False, 'references': True, 'on_delete': False,
    'since': False, 'until': False, 'renamed_from': False,
    'backfill': False, 'read_roles': False, 'write_roles': False}

#: The words about what is inside an object or array.
_MEMBERS = frozenset(('properties', 'required', 'additionalProperties',
                      'items'))


def _turned(word: str, old: Any, new: Any) -> str:
    before, after = _plain(old), _plain(new)
    if values.canonical([before]) == values.canonical([after]):
        return ''
    return f'{word} turns from {_shown(before)} to {_shown(after)}'


def _shown(value: Any) -> str:
    """None is a word that is not there."""
    return 'absent' if value is None else shown(value)


def _plain(value: Any) -> Any:
    """A declared value as a file could have it."""
    for kind, plain in _PLAIN:
        if isinstance(value, kind):
            return plain(value)
    return None if value is MISSING else value


def _list(value: Iterable[Any]) -> list[Any]:
    return [_plain(one) for one in value]


_PLAIN: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (Version, str),
    (Choice, lambda one: {'const': one.const, 'since': str(one.since),
                          **({'until': str(one.until)} if one.until
                             else {})}),
    (ExclusivePeriod, lambda one: {'period': _list(one.period),
                                   'over': _list(one.over),
                                   'when': _list(one.when)}),
    (Mapping, lambda one: {name: _plain(inner)
                           for name, inner in one.items()}),
    ((tuple, list), _list),
)
