# SPDX-License-Identifier: Apache-2.0
"""Checks of one property of a type, over all its versions."""

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


def first_version(draft: Draft, prop: Property) -> Version:
    """Return the first version of a property, under its old or new name."""
    if prop.renamed_from is not None:
        return draft.declared.since
    return prop.since


def _place(prop: Property, *rest: str | int) -> Place:
    return ('properties', prop.name, *rest)


def _span(draft: Draft, prop: Property) -> Iterator[Mistake]:
    declared = draft.declared
    if prop.since < declared.since:
        yield Mistake(_place(prop, 'since'), f'{prop.since} must not be below '
                      f'the type\'s since {declared.since}')
    if prop.until is not None and prop.until <= prop.since:
        yield Mistake(_place(prop, 'until'), f'{prop.until} must be above '
                      f'since {prop.since}')
    if declared.until is not None and prop.since >= declared.until:
        yield Mistake(_place(prop, 'since'), f'{prop.since} must be below '
                      f'the type\'s until {declared.until}')


def _rename(draft: Draft, prop: Property) -> Iterator[Mistake]:
    """Check that the old name means no other column in any version."""
    old = prop.renamed_from
    if old is None:
        return
    place = _place(prop, 'renamed_from')
    if prop.since <= draft.declared.since:
        yield Mistake(place, f'needs a since above the type\'s since '
                             f'{draft.declared.since}; clients below it use '
                             f'the old name')
    if old in vocabulary.RESERVED_NAMES:
        yield Mistake(place, f'{shown(old)} is a reserved name')
    if old in draft.raw['properties']:
        yield Mistake(place, f'{shown(old)} is also the name of a property; '
                             f'an old name must be unused')
    if any(other.renamed_from == old for other in draft.declared.live
           if other is not prop):
        yield Mistake(place, f'{shown(old)} is the old name of two '
                             f'properties')


def _constraints(draft: Draft, prop: Property) -> Iterator[Mistake]:
    raw = draft.raw['properties'][prop.name]
    return value_checks.mistakes(_place(prop), {**raw, **prop.schema})


def _values(draft: Draft, prop: Property) -> Iterator[Mistake]:
    """Check that each value in the file is a valid value of the property."""
    keyword = _enum_keyword(draft, prop)
    for index, choice in enumerate(prop.enum):
        place = _place(prop, keyword, *([index] if keyword == 'enum' else []))
        yield from value_checks.violations(place, prop.schema,
                                           (choice.const,))
    for name in ('default', 'backfill'):
        value = getattr(prop, name)
        if value is MISSING:
            continue
        place = _place(prop, name)
        invalid = list(value_checks.violations(place, prop.schema, (value,)))
        yield from invalid
        if prop.enum and not invalid and not _among(value, prop.enum):
            valid = ([choice.const for choice in prop.enum]
                     if keyword == 'enum' else prop.enum[0].const)
            yield Mistake(place, f'{shown(value)} is not in the {keyword} '
                                 f'{shown(valid)}')


def _among(value: Any, choices: tuple[Choice, ...]) -> bool:
    """Whether a value is a choice; in JSON, true does not equal 1."""
    return any(values.same(value, choice.const)
               and isinstance(value, bool) is isinstance(choice.const, bool)
               for choice in choices)


def _enum_keyword(draft: Draft, prop: Property) -> str:
    raw = draft.raw['properties'][prop.name]
    return 'enum' if 'enum' in raw else 'const'


def _enum(draft: Draft, prop: Property) -> Iterator[Mistake]:
    """Check for duplicates and for versions outside the property's."""
    first = first_version(draft, prop)
    for index, choice in enumerate(prop.enum):
        place = _place(prop, 'enum', index)
        if _among(choice.const, prop.enum[:index]):
            yield Mistake(place, f'{shown(choice.const)} is a duplicate')
        if choice.since < first:
            yield Mistake(place, f'since {choice.since} must not be below '
                                 f'the property\'s first version {first}')
        if choice.until is not None and choice.until <= choice.since:
            yield Mistake(place, f'until {choice.until} must be above since '
                                 f'{choice.since}')


def _enum_versions(draft: Draft, prop: Property) -> Iterator[Mistake]:
    """Check that each version has a valid value, and a valid default."""
    empty = [version for version in _versions(draft, prop)
             if not prop.choices(version)]
    if empty:
        yield Mistake(_place(prop, 'enum'), f'has no valid value in version '
                      f'{empty[0]}; each version needs at least one')
    if prop.default is MISSING or not _among(prop.default, prop.enum):
        return
    invalid = [version for version in _versions(draft, prop) if not _among(
        prop.default, tuple(choice for choice in prop.enum
                            if choice.known(version)))]
    if invalid and invalid[0] not in empty:
        yield Mistake(_place(prop, 'default'), f'{shown(prop.default)} is '
                      f'not valid in version {invalid[0]}; a default must be '
                      f'valid in each version of the property')


def _versions(draft: Draft, prop: Property) -> list[Version]:
    """The versions of the property in which its enum changes."""
    if not prop.enum:
        return []
    first = first_version(draft, prop)
    versions = {first}
    for choice in prop.enum:
        versions.add(choice.since)
        if choice.until is not None:
            versions.add(choice.until)
    return sorted(version for version in versions if first <= version and (
        prop.until is None or version < prop.until))


def _required(draft: Draft, prop: Property) -> Iterator[Mistake]:
    """Check for a default if some versions cannot send the property."""
    if not prop.required or prop.default is not MISSING:
        return
    if first_version(draft, prop) > draft.declared.since:
        yield Mistake(_place(prop), f'is required since {prop.since}; it '
                      f'needs a default, because clients of lower versions '
                      f'cannot send it')
    if prop.until is not None and prop.until != draft.declared.until:
        yield Mistake(_place(prop), f'is required until {prop.until}; it '
                      f'needs a default, because clients of higher versions '
                      f'cannot send it')


#: Properties that cannot be null: the test, and the reason for the message.
_NEVER_NULL: tuple[tuple[Callable[[Property], bool], str], ...] = (
    (lambda prop: prop.required, 'is required'),
    (lambda prop: prop.immutable, 'is immutable'),
    (lambda prop: prop.default is not MISSING, 'has a default'),
)


def _reference(draft: Draft, prop: Property) -> Iterator[Mistake]:
    if prop.on_delete != 'set_null':
        return
    for applies, reason in _NEVER_NULL:
        if applies(prop):
            yield Mistake(_place(prop, 'on_delete'), f'set_null is not valid '
                          f'because the property {reason}; use restrict or '
                          f'cascade')


PROPERTY_RULES: tuple[PropertyRule, ...] = (
    _span, _rename, _constraints, _values, _enum, _enum_versions, _required,
    _reference)
