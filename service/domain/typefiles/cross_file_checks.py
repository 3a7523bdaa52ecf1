# SPDX-License-Identifier: Apache-2.0
"""What must hold between type files: names once, references that resolve."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from service.domain.catalogue.types import Property, ResourceType
from service.domain.errors import printable
from service.domain.typefiles.build import Draft
from service.domain.typefiles.mistakes import Mistake, shown
from service.domain.typefiles.property_checks import born


def mistakes(drafts: Sequence[Draft],
             doubtful: Set[str]) -> Iterator[tuple[str, Mistake]]:
    """Mistakes with their files; ``doubtful`` are types whose file could not
    be read: something is there, so a reference to it is no mistake of its
    own."""
    types = {one.declared.name: one.declared for one in reversed(drafts)}
    for word in ('name', 'plural'):
        yield from _twice(drafts, word)
    for draft in drafts:
        for prop in draft.declared.live:
            for mistake in _reference(draft, prop, types, doubtful):
                yield draft.file, mistake


def _twice(drafts: Sequence[Draft],
           word: str) -> Iterator[tuple[str, Mistake]]:
    """The first file keeps the name; each later one is told of it.

    A dropped type's plural is free, its table goes.
    """
    first: dict[str, str] = {}
    for draft in drafts:
        name = draft.raw.get(word)
        if name is None or (word == 'plural' and draft.declared.dropped):
            continue
        if name in first:
            yield draft.file, Mistake(
                (word,), f'{shown(name)} is already declared in '
                         f'{printable(first[name])}')
        first.setdefault(name, draft.file)


def _reference(draft: Draft, prop: Property,
               types: Mapping[str, ResourceType],
               doubtful: Set[str]) -> Iterator[Mistake]:
    if prop.references is None:
        return
    place = ('properties', prop.name)
    target = types.get(prop.references)
    if target is None and prop.references not in doubtful:
        yield Mistake(place, f'references unknown type '
                      f'{shown(prop.references)}')
    elif target is not None and target.dropped:
        yield Mistake(place, f'references {shown(target.name)}, which is '
                             f'dropped')
    elif target is not None:
        for what in _misfits(draft, prop, target):
            yield Mistake(place, what)


def _misfits(draft: Draft, prop: Property,
             target: ResourceType) -> Iterator[str]:
    """Who sees the reference must be able to see what it points at."""
    if not draft.declared.owned and target.owned:
        yield (f'references {shown(target.name)}, whose records belong to '
               f'projects; a type of scope cloud may not')
    first = born(draft, prop)
    if target.since > first:
        yield (f'is there since {first}, but {shown(target.name)}, which it '
               f'references, only since {target.since}')
    if target.until is None:
        return
    ends = [one for one in (prop.until, draft.declared.until) if one]
    if not ends or min(ends) > target.until:
        yield (f'references {shown(target.name)}, which ends at '
               f'{target.until}; it needs an until no higher')
