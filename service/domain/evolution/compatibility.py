# SPDX-License-Identifier: Apache-2.0
"""What a change of type files does to the clients of existing versions.

A client says the version it was written for. Whatever the new files are, at
that version it must find what it found: nothing gone, nothing refused that
was taken, nothing in a reply that was not there. Also an optional property
is refused its place at an old version: a client that replaces a record by
what it knows of it would empty the property for everybody. A new type
breaks nobody, and quotas and policies are the deployment's own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from service.domain.catalogue.microversion import Version
from service.domain.catalogue.types import (
    MISSING,
    Catalogue,
    ExclusivePeriod,
    Property,
    ResourceType,
    Shape,
)
from service.domain.evolution import narrowing
from service.domain.query import list_query
from service.domain.typefiles.mistakes import shown


class Breach(NamedTuple):
    """One change that breaks clients of ``version``, the first one hurt.

    ``place`` is where it stands in the file: a property by the name those
    clients know, or a word of the type.
    """

    file: str
    place: str
    version: Version
    message: str

    def __str__(self) -> str:
        return f'{self.file}: {self.place}: {self.version}: {self.message}'


#: A place in the file, and what happens there.
Told = tuple[str, str]


def breaches(old: Catalogue, new: Catalogue) -> list[Breach]:
    """Every change that breaks a client of a version ``old`` offers."""
    found: dict[tuple[str, str, str], Version] = {}
    for declared in old.live:
        for version in _versions(declared, new, old.maximum):
            for place, what in _at(declared, new, version):
                found.setdefault((declared.file, place, what), version)
    breaks = [Breach(file, place, version, what)
              for (file, place, what), version in found.items()]
    if new.maximum < old.maximum:
        breaks.append(Breach(
            'all files', 'maximum version', old.maximum,
            f'falls to {new.maximum}: requests for {old.maximum} are '
            f'refused'))
    return sorted(breaks)


def _versions(declared: ResourceType, new: Catalogue,
              maximum: Version) -> list[Version]:
    """The versions of existing clients at which something may differ."""
    points = set(declared.changes())
    if declared.name in new.types:
        points.update(new.types[declared.name].changes())
    return [one for one in sorted(points) if one <= maximum]


def _at(declared: ResourceType, new: Catalogue,
        version: Version) -> Iterator[Told]:
    before = declared.at(version)
    other = new.types.get(declared.name)
    after = other.at(version) if other else None
    if before is None:
        return
    if after is None:
        yield 'name', f'the type {shown(declared.name)} is gone'
        return
    for rule in _RULES:
        yield from rule(before, after)


# The collection

def _collection(old: Shape, new: Shape) -> Iterator[Told]:
    for word in ('plural', 'scope'):
        before, after = (getattr(one.declared, word) for one in (old, new))
        if before != after:
            yield word, f'turns from {before} to {after}'
    if old.declared.controller and (old.declared.controller
                                    != new.declared.controller):
        yield 'controller', (f'{old.declared.controller} is gone, with the '
                             f'actions it brought')


def _lists(old: Shape, new: Shape) -> Iterator[Told]:
    """What a list could be filtered and sorted by."""
    before, after = list_query.list_options(old), list_query.list_options(new)
    for name in before.filters:
        if name in new.properties and name not in after.filters:
            yield 'indexes', f'lists cannot be filtered by {name} any more'
    for names in before.sorts:
        known = all(name in new.properties or name not in old.properties
                    for name in names)
        if known and not any(one[:len(names)] == names
                             for one in after.sorts):
            yield 'indexes', (f'lists cannot be sorted by '
                              f'{", ".join(names)} any more')


def _uniques(old: Shape, new: Shape) -> Iterator[Told]:
    """A tuple with a column these clients leave null never collides."""
    before = [_named(old, names) for names in old.declared.unique]
    for names in new.declared.unique:
        if any(_left_null(new, one) for one in names):
            continue
        told = _named(new, names)
        if not any(set(one) <= set(told) for one in before):
            yield 'unique', (f'[{", ".join(told)}] is new: records that were '
                             f'taken are refused')


def _exclusives(old: Shape, new: Shape) -> Iterator[Told]:
    """A rule that binds no more records than one before refuses nothing."""
    for one in new.declared.exclusive:
        period = _named(new, one.period)
        if not any(_within(new, one, old, other)
                   for other in old.declared.exclusive):
            yield 'exclusive', (f'[{", ".join(period)}] is new: periods that '
                                f'were taken are refused')


def _within(new: Shape, one: ExclusivePeriod, old: Shape,
            other: ExclusivePeriod) -> bool:
    """Whom ``one`` binds to each other, ``other`` did too."""
    held = dict(zip(_named(new, tuple(name for name, _ in one.when)),
                    (given for _, given in one.when), strict=True))
    asked = zip(_named(old, tuple(name for name, _ in other.when)),
                (given for _, given in other.when), strict=True)
    return (_named(new, one.period) == _named(old, other.period)
            and {*_named(old, other.over)} <= {*_named(new, one.over)}
            and all(name in held and {*held[name]} <= {*given}
                    for name, given in asked))


def _named(shape: Shape, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The names of this version, so that a rename is no change."""
    return tuple(shape.name_of(one) or one for one in columns)


def _left_null(shape: Shape, column: str) -> bool:
    return (shape.name_of(column) is None
            and shape.declared.properties[column].nullable)


# Properties

def _properties(old: Shape, new: Shape) -> Iterator[Told]:
    for name, prop in old.properties.items():
        place = f'properties.{name}'
        if name not in new.properties:
            yield place, 'is gone'
            continue
        for what in _property(prop, new.properties[name], old, new):
            yield place, what
    for name in new.properties:
        if name not in old.properties:
            yield f'properties.{name}', (
                'is new to clients of this version; declare it with a since '
                'above the present maximum')


def _property(old: Property, new: Property, before: Shape,
              after: Shape) -> Iterator[str]:
    if old.references != new.references:
        yield (f'references turns from {old.references or "absent"} to '
               f'{new.references or "absent"}')
        return
    if old.references and old.on_delete != new.on_delete:
        yield f'on_delete turns from {old.on_delete} to {new.on_delete}'
    yield from narrowing.words(old.schema, new.schema)
    yield from narrowing.choices(before.choices(old), after.choices(new))
    for holds, what in _TURNS:
        if holds(old, new):
            yield what
    yield from _default(old, new)
    for word in ('read_roles', 'write_roles'):
        yield from _roles(word, getattr(old, word), getattr(new, word))


def _sent(prop: Property) -> bool:
    """A client has to send it."""
    return prop.required and prop.default is MISSING


_TURNS: tuple[tuple[Callable[[Property, Property], bool], str], ...] = (
    (lambda old, new: _sent(new) and not _sent(old), 'is required now'),
    (lambda old, new: old.nullable and not new.nullable,
     'null is refused now'),
    (lambda old, new: new.nullable and not old.nullable,
     'may be null in replies now'),
    (lambda old, new: new.immutable and not old.immutable,
     'is immutable now'),
)


def _default(old: Property, new: Property) -> Iterator[str]:
    if MISSING in (old.default, new.default):
        return
    if old.default != new.default:
        yield (f'default turns from {shown(old.default)} to '
               f'{shown(new.default)}')


def _roles(word: str, old: tuple[str, ...],
           new: tuple[str, ...]) -> Iterator[str]:
    """None named is all; fewer than before shut somebody out."""
    if new and (not old or set(old) - set(new)):
        yield (f'{word} turns from {", ".join(old) or "everybody"} to '
               f'{", ".join(new)}')


_RULES: tuple[Callable[[Shape, Shape], Iterator[Told]], ...] = (
    _collection, _properties, _lists, _uniques, _exclusives)
