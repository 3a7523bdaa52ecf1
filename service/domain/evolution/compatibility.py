# SPDX-License-Identifier: Apache-2.0
"""Find changes of type files that break clients of existing versions.

A client asks for the version that it was written for. In that version the new
files must not remove anything, refuse anything that was accepted, or add
anything to a reply. Even a new optional property breaks a client: a PUT with
only the older properties would set the new property to null for all clients.
A new type breaks no client. Quotas and policies are not compared, because they
belong to the deployment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

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
    """One change that breaks clients, and the lowest version it breaks.

    ``place`` is a keyword of the type file, or a property under the name that
    it has in ``version``.
    """

    file: str
    place: str
    version: Version
    message: str

    def __str__(self) -> str:
        return f'{self.file}: {self.place}: {self.version}: {self.message}'


#: A place in the file, and the message.
Finding = tuple[str, str]


def breaches(old: Catalogue, new: Catalogue) -> list[Breach]:
    """Return every change that breaks a client of a version in ``old``."""
    lowest: dict[tuple[str, str, str], Version] = {}
    for declared in old.live:
        for version in _versions(declared, new, old.maximum):
            for place, message in _at(declared, new, version):
                lowest.setdefault((declared.file, place, message), version)
    breaks = [Breach(file, place, version, message)
              for (file, place, message), version in lowest.items()]
    if new.maximum < old.maximum:
        breaks.append(Breach(
            'all files', 'maximum version', old.maximum,
            f'falls to {new.maximum}; requests for {old.maximum} would be '
            f'refused'))
    return sorted(breaks)


def _versions(declared: ResourceType, new: Catalogue,
              maximum: Version) -> list[Version]:
    """The existing versions in which the old or new type looks different."""
    versions = set(declared.changes())
    if declared.name in new.types:
        versions.update(new.types[declared.name].changes())
    return [version for version in sorted(versions) if version <= maximum]


def _at(declared: ResourceType, new: Catalogue,
        version: Version) -> Iterator[Finding]:
    before = declared.at(version)
    replacement = new.types.get(declared.name)
    after = replacement.at(version) if replacement else None
    if before is None:
        return
    if after is None:
        yield 'name', f'the type {shown(declared.name)} is removed'
        return
    for rule in _RULES:
        yield from rule(before, after)


# The collection

def _collection(old: Shape, new: Shape) -> Iterator[Finding]:
    for keyword in ('plural', 'scope'):
        before, after = (getattr(shape.declared, keyword)
                         for shape in (old, new))
        if before != after:
            yield keyword, f'changes from {before} to {after}'
    if old.declared.controller and (old.declared.controller
                                    != new.declared.controller):
        yield 'controller', (f'{old.declared.controller} is removed, with '
                             f'its actions')


def _lists(old: Shape, new: Shape) -> Iterator[Finding]:
    """Filters and sort orders that lists lose."""
    before, after = map(list_query.list_options, (old, new))
    for name in before.filters:
        if name in new.properties and name not in after.filters:
            yield 'indexes', f'lists can no longer be filtered by {name}'
    for names in before.sorts:
        exist = all(name in new.properties or name not in old.properties
                    for name in names)
        if exist and not any(order[:len(names)] == names
                             for order in after.sorts):
            yield 'indexes', (f'lists can no longer be sorted by '
                              f'{", ".join(names)}')


def _uniques(old: Shape, new: Shape) -> Iterator[Finding]:
    """New unique tuples, except those with a column that stays null.

    Clients of this version do not know the column, and null never conflicts.
    """
    before = [_named(old, names) for names in old.declared.unique]
    for columns in new.declared.unique:
        if any(_stays_null(new, column) for column in columns):
            continue
        names = _named(new, columns)
        if not any(set(other) <= set(names) for other in before):
            yield 'unique', (f'[{", ".join(names)}] is new; records that '
                             f'were accepted can now be refused')


def _exclusives(old: Shape, new: Shape) -> Iterator[Finding]:
    """New exclusive rules, except those within an existing rule."""
    for rule in new.declared.exclusive:
        period = _named(new, rule.period)
        if not any(_within(new, rule, old, existing)
                   for existing in old.declared.exclusive):
            yield 'exclusive', (f'the rule for [{", ".join(period)}] is new '
                                f'or stricter; periods that were accepted '
                                f'can now be refused')


def _within(new: Shape, rule: ExclusivePeriod, old: Shape,
            existing: ExclusivePeriod) -> bool:
    """Whether every conflict under ``rule`` is one under ``existing``."""
    conditions = dict(_conditions(new, rule))
    return (_named(new, rule.period) == _named(old, existing.period)
            and {*_named(old, existing.over)} <= {*_named(new, rule.over)}
            and all(name in conditions
                    and {*conditions[name]} <= {*allowed}
                    for name, allowed in _conditions(old, existing)))


def _conditions(shape: Shape, rule: ExclusivePeriod
                ) -> Iterator[tuple[str, tuple[Any, ...]]]:
    names = _named(shape, tuple(column for column, _ in rule.when))
    return zip(names, (allowed for _, allowed in rule.when), strict=True)


def _named(shape: Shape, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The names of columns in this version, so that a rename changes none."""
    return tuple(shape.name_of(column) or column for column in columns)


def _stays_null(shape: Shape, column: str) -> bool:
    return (shape.name_of(column) is None
            and shape.declared.properties[column].nullable)


# Properties

def _properties(old: Shape, new: Shape) -> Iterator[Finding]:
    for name, prop in old.properties.items():
        place = f'properties.{name}'
        if name not in new.properties:
            yield place, 'is removed'
            continue
        for message in _property(prop, new.properties[name], old, new):
            yield place, message
    for name in new.properties:
        if name not in old.properties:
            yield f'properties.{name}', (
                'is new to clients of this version; give it a since above '
                'the current maximum version')


def _property(old: Property, new: Property, before: Shape,
              after: Shape) -> Iterator[str]:
    if old.references != new.references:
        yield (f'references changes from {old.references or "absent"} to '
               f'{new.references or "absent"}')
        return
    if old.references and old.on_delete != new.on_delete:
        yield f'on_delete changes from {old.on_delete} to {new.on_delete}'
    yield from narrowing.schema_breaks(old.schema, new.schema)
    yield from narrowing.enum_breaks(before.choices(old), after.choices(new))
    for breaks, message in _PROPERTY_BREAKS:
        if breaks(old, new):
            yield message
    yield from _default(old, new)
    for keyword in ('read_roles', 'write_roles'):
        yield from _roles(keyword, getattr(old, keyword),
                          getattr(new, keyword))


def _must_be_sent(prop: Property) -> bool:
    return prop.required and prop.default is MISSING


_PROPERTY_BREAKS: tuple[
    tuple[Callable[[Property, Property], bool], str], ...] = (
    (lambda old, new: _must_be_sent(new) and not _must_be_sent(old),
     'is now required'),
    (lambda old, new: old.nullable and not new.nullable,
     'null is now refused'),
    (lambda old, new: new.nullable and not old.nullable,
     'may now be null in replies'),
    (lambda old, new: new.immutable and not old.immutable,
     'is now immutable'),
)


def _default(old: Property, new: Property) -> Iterator[str]:
    if MISSING in (old.default, new.default):
        return
    if old.default != new.default:
        yield (f'default changes from {shown(old.default)} to '
               f'{shown(new.default)}')


def _roles(keyword: str, old: tuple[str, ...],
           new: tuple[str, ...]) -> Iterator[str]:
    """A change that removes a role; no roles means that all are allowed."""
    if new and (not old or set(old) - set(new)):
        yield (f'{keyword} changes from {", ".join(old) or "everybody"} to '
               f'{", ".join(new)}')


_RULES: tuple[Callable[[Shape, Shape], Iterator[Finding]], ...] = (
    _collection, _properties, _lists, _uniques, _exclusives)
