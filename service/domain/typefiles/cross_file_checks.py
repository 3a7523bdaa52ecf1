# SPDX-License-Identifier: Apache-2.0
"""Checks between type files: unique names, and references that resolve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from service.domain.catalogue.types import Property, ResourceType
from service.domain.errors import printable
from service.domain.typefiles.build import Draft
from service.domain.typefiles.mistakes import Mistake, shown, suggestion
from service.domain.typefiles.property_checks import first_version


def mistakes(drafts: Sequence[Draft],
             unreadable: Set[str]) -> Iterator[tuple[str, Mistake]]:
    """Yield mistakes with their files.

    ``unreadable`` are the types of files without a draft. These files have
    mistakes of their own, so a reference to such a type is not reported.
    """
    types = {draft.declared.name: draft.declared
             for draft in reversed(drafts)}
    for keyword in ('name', 'plural'):
        yield from _duplicates(drafts, keyword)
    for draft in drafts:
        for prop in draft.declared.live:
            for mistake in _reference(draft, prop, types, unreadable):
                yield draft.file, mistake


def _duplicates(drafts: Sequence[Draft],
                keyword: str) -> Iterator[tuple[str, Mistake]]:
    """Report each file that declares the name or plural of an earlier file.

    The plural of a dropped type may be reused, because its table is removed.
    """
    first: dict[str, str] = {}
    for draft in drafts:
        name = draft.raw.get(keyword)
        if name is None or (keyword == 'plural' and draft.declared.dropped):
            continue
        if name in first:
            yield draft.file, Mistake(
                (keyword,), f'{shown(name)} is already declared in '
                            f'{printable(first[name])}')
        first.setdefault(name, draft.file)


def _reference(draft: Draft, prop: Property,
               types: Mapping[str, ResourceType],
               unreadable: Set[str]) -> Iterator[Mistake]:
    if prop.references is None:
        return
    place = ('properties', prop.name)
    target = types.get(prop.references)
    if target is None and prop.references not in unreadable:
        live = (name for name, declared in types.items()
                if not declared.dropped)
        yield Mistake(place, f'references unknown type '
                      f'{shown(prop.references)}'
                      + suggestion(prop.references, live))
    elif target is not None and target.dropped:
        yield Mistake(place, f'references the dropped type '
                             f'{shown(target.name)}')
    elif target is not None:
        for message in _mismatches(draft, prop, target):
            yield Mistake(place, message)


def _mismatches(draft: Draft, prop: Property,
                target: ResourceType) -> Iterator[str]:
    """Report projects or versions that see the reference but not its type."""
    if not draft.declared.owned and target.owned:
        yield (f'references {shown(target.name)}, a type of scope project; '
               f'a type of scope cloud can only reference types of scope '
               f'cloud')
    first = first_version(draft, prop)
    if target.since > first:
        yield (f'exists since {first}, but references {shown(target.name)}, '
               f'which exists only since {target.since}')
    if target.until is None:
        return
    ends = [until for until in (prop.until, draft.declared.until) if until]
    if not ends or min(ends) > target.until:
        yield (f'references {shown(target.name)}, which ends at '
               f'{target.until}; the property needs an until of '
               f'{target.until} or lower')
