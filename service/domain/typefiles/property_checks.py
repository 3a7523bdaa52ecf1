# SPDX-License-Identifier: Apache-2.0
"""What must hold for one property of a type, over all its versions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from service.domain.catalogue.microversion import Version
from service.domain.catalogue.types import MISSING, Choice, Property
from service.domain.documents import values
from service.domain.typefiles import value_checks, vocabulary
from service.domain.typefiles.build import Draft
from service.domain.typefiles.mistakes import Mistake, Place, shown

PropertyRule = Callable[[Draft, Property], Iterator[Mistake]]


def born(draft: Draft, prop: Property) -> Version:
    """The first version that knows the property, by whatever name."""
    if prop.renamed_from is not None:
        return draft.declared.since
    return prop.since


def _place(prop: Property, *rest: str | int) -> Place:
    return ('properties', prop.name, *rest)


def _span(draft: Draft, prop: Property) -> Iterator[Mistake]:
    declared = draft.declared
    if prop.since < declared.since:
        yield Mistake(_place(prop, 'since'), f'{prop.since} is below the '
                      f'type\'s own since {declared.since}')
    if prop.until is not None and prop.until <= prop.since:
        yield Mistake(_place(prop, 'until'), f'{prop.until} must be above '
                      f'since {prop.since}')
    if declared.until is not None and prop.since >= declared.until:
        yield Mistake(_place(prop, 'since'), f'{prop.since} is not below the '
                      f'type\'s own until {declared.until}')


def _rename(draft: Draft, prop: Property) -> Iterator[Mistake]:
    """Two columns must never have answered to one name."""
    old = prop.renamed_from
    if old is None:
        return
    place = _place(prop, 'renamed_from')
    if prop.since <= draft.declared.since:
        yield Mistake(place, 'needs a since above the type\'s own: below it '
                             'clients know the old name')
    if old in vocabulary.RESERVED_NAMES:
        yield Mistake(place, f'{shown(old)} is reserved')
    if old in draft.raw['properties']:
        yield Mistake(place, f'{shown(old)} is also the name of a property')
    if any(other.renamed_from == old for other in draft.declared.live
           if other is not prop):
        yield Mistake(place, f'{shown(old)} is the old name of two '
                             f'properties')


def _constraints(draft: Draft, prop: Property) -> Iterator[Mistake]:
    raw = draft.raw['properties'][prop.name]
    return value_checks.mistakes(_place(prop), {**raw, **prop.schema})


def _values(draft: Draft, prop: Property) -> Iterator[Mistake]:
    """What the file itself gives must be a value of the property."""
    word = _enum_word(draft, prop)
    for index, one in enumerate(prop.enum):
        place = _place(prop, word, *([index] if word == 'enum' else []))
        yield from value_checks.unmet(place, prop.schema, (one.const,))
    for name in ('default', 'backfill'):
        value = getattr(prop, name)
        if value is MISSING:
            continue
        wrong = list(value_checks.unmet(_place(prop, name), prop.schema,
                                       (value,)))
        yield from wrong
        if prop.enum and not wrong and not _among(value, prop.enum):
            yield Mistake(_place(prop, name), f'{shown(value)} is not in '
                                              f'the {word}')


def _among(value: Any, choices: tuple[Choice, ...]) -> bool:
    """As JSON has it, where true is not 1."""
    return any(values.same(value, one.const)
               and isinstance(value, bool) is isinstance(one.const, bool)
               for one in choices)


def _enum_word(draft: Draft, prop: Property) -> str:
    raw = draft.raw['properties'][prop.name]
    return 'enum' if 'enum' in raw else 'const'


def _enum(draft: Draft, prop: Property) -> Iterator[Mistake]:
    """Each value once, within the property's versions."""
    first = born(draft, prop)
    for index, one in enumerate(prop.enum):
        place = _place(prop, 'enum', index)
        if _among(one.const, prop.enum[:index]):
            yield Mistake(place, f'{shown(one.const)} is there twice')
        if one.since < first:
            yield Mistake(place, f'since {one.since} is below the '
                                 f'property\'s own, {first}')
        if one.until is not None and one.until <= one.since:
            yield Mistake(place, f'until {one.until} must be above since '
                                 f'{one.since}')


def _always(draft: Draft, prop: Property) -> Iterator[Mistake]:
    """At every version there is a value to choose, and the default is one."""
    missing = [point for point in _points(draft, prop)
               if not prop.choices(point)]
    if missing:
        yield Mistake(_place(prop, 'enum'), f'no value is known at '
                                            f'{missing[0]}')
    if prop.default is MISSING or not _among(prop.default, prop.enum):
        return
    unknown = [point for point in _points(draft, prop) if not _among(
        prop.default, tuple(one for one in prop.enum if one.known(point)))]
    if unknown and unknown[0] not in missing:
        yield Mistake(_place(prop, 'default'), f'{shown(prop.default)} is '
                      f'not known at {unknown[0]}; a default must be known '
                      f'wherever the property is')


def _points(draft: Draft, prop: Property) -> list[Version]:
    """The versions at which the enum may change, while the property is."""
    if not prop.enum:
        return []
    first = born(draft, prop)
    points = {first}
    for one in prop.enum:
        points |= {one.since, *(() if one.until is None else (one.until,))}
    return sorted(point for point in points if first <= point and (
        prop.until is None or point < prop.until))


def _required(draft: Draft, prop: Property) -> Iterator[Mistake]:
    """Clients of a version without the property create records as well."""
    if not prop.required or prop.default is not MISSING:
        return
    if born(draft, prop) > draft.declared.since:
        yield Mistake(_place(prop), f'is required since {prop.since} only, '
                      f'so it needs a default for clients of versions below')
    if prop.until is not None and prop.until != draft.declared.until:
        yield Mistake(_place(prop), f'is required until {prop.until}, so it '
                      f'needs a default for clients of versions above')


#: What set_null may not meet: the claim, and why null cannot be there.
_NEVER_NULL: tuple[tuple[Callable[[Property], bool], str], ...] = (
    (lambda prop: prop.required, 'is required'),
    (lambda prop: prop.immutable, 'is immutable'),
    (lambda prop: prop.default is not MISSING, 'has a default'),
)


def _reference(draft: Draft, prop: Property) -> Iterator[Mistake]:
    if prop.on_delete != 'set_null':
        return
    for holds, why in _NEVER_NULL:
        if holds(prop):
            yield Mistake(_place(prop, 'on_delete'), f'set_null cannot be: '
                          f'the property {why}; use restrict or cascade')


PROPERTY_RULES: tuple[PropertyRule, ...] = (
    _span, _rename, _constraints, _values, _enum, _always, _required,
    _reference)
