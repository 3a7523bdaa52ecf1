# SPDX-License-Identifier: Apache-2.0
"""What must hold between the words of one type file.

Each rule takes a draft and tells the mistakes it finds. What must hold
between files is in ``relations``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from service.domain.catalogue import indexes, key_sizes
from service.domain.catalogue.types import QUOTA_TYPE
from service.domain.typefiles import value_checks, vocabulary
from service.domain.typefiles.build import Draft, periods
from service.domain.typefiles.mistakes import Mistake, Place, nearest, shown
from service.domain.typefiles.property_checks import PROPERTY_RULES

#: InnoDB keeps about this many texts a row before their pointers fill it,
#: and takes 64 keys a table, some of which every table has.
MAX_PROPERTIES = 100
MAX_KEYS = 50

Rule = Callable[[Draft], Iterator[Mistake]]


def mistakes(draft: Draft) -> Iterator[Mistake]:
    """Everything wrong in one file whose words have each their form."""
    return chain.from_iterable(rule(draft) for rule in RULES)


def _properties(draft: Draft) -> Iterator[Mistake]:
    for prop in draft.declared.live:
        for rule in PROPERTY_RULES:
            yield from rule(draft, prop)


def _names(draft: Draft) -> Iterator[Mistake]:
    if draft.raw.get('name') == QUOTA_TYPE:
        yield Mistake(('name',), f'{shown(QUOTA_TYPE)} is reserved')
    plural = draft.raw.get('plural')
    if plural in vocabulary.RESERVED_PLURALS:
        yield Mistake(('plural',), f'{shown(plural)} is reserved')
    if plural is not None and plural == draft.raw.get('name'):
        yield Mistake(('plural',), f'{shown(plural)} is also the name; '
                      f'clients tell one record from a list by the word')


def _span(draft: Draft) -> Iterator[Mistake]:
    declared = draft.declared
    if declared.until is not None and declared.until <= declared.since:
        yield Mistake(('until',), f'{declared.until} must be above since '
                      f'{declared.since}')


def _quota(draft: Draft) -> Iterator[Mistake]:
    if draft.declared.quota is not None and not draft.declared.owned:
        yield Mistake(('quota',), 'is for scope project; records of scope '
                      'cloud belong to no project')


def _policy(draft: Draft) -> Iterator[Mistake]:
    """An empty rule lets everybody in, which nobody writes on purpose."""
    for action, rule in draft.declared.policy.items():
        if not rule.strip():
            yield Mistake(('policy', action), 'is empty, which would allow '
                          'everybody; write "@" if that is meant')
        if action not in vocabulary.ACTIONS and not draft.declared.controller:
            yield Mistake(('policy',), f'unknown action {shown(action)}'
                          + (nearest(action, vocabulary.ACTIONS) or
                             f'; known: {", ".join(vocabulary.ACTIONS)}'))


def _required(draft: Draft) -> Iterator[Mistake]:
    for name in draft.raw.get('required', ()):
        yield from _named(draft, ('required',), name)


def _keys(draft: Draft) -> Iterator[Mistake]:
    """Unique and index tuples: columns a database can put in a key."""
    for word in ('unique', 'indexes'):
        for index, names in enumerate(draft.raw.get(word, ())):
            place: Place = (word, index)
            for name in names:
                yield from _column(draft, place, name)
            apart = word == 'indexes' or indexes.needs_list_index(
                draft.declared, names)
            yield from _key_size(draft, place, names, apart)
            alone = [one for one in names[1:]
                     if (one,) in indexes.list_indexes(draft.declared)]
            for name in () if apart else alone:
                yield from _key_size(draft, place, [name], True)


def _key_size(draft: Draft, place: Place, names: list[str],
              with_id: bool) -> Iterator[Mistake]:
    columns = [prop for prop in map(draft.property, names) if prop]
    size = key_sizes.key_bytes(draft.declared, columns, with_id)
    if size > key_sizes.MAX_KEY_BYTES:
        counted = ['project_id'] * draft.declared.owned + ['id'] * with_id
        also = f' with {" and ".join(counted)}' if counted else ''
        yield Mistake(place, f'a key may take {size} bytes (4 a character)'
                      f'{also}; the most is {key_sizes.MAX_KEY_BYTES}: give '
                      f'the strings a smaller maxLength')


def _exclusive(draft: Draft) -> Iterator[Mistake]:
    for (place, _), one in zip(periods(draft.raw), draft.declared.exclusive,
                               strict=True):
        for name in one.period:
            yield from _moment(draft, (*place, 'period'), name)
        for name in one.over:
            yield from _column(draft, (*place, 'over'), name)
        for name in set(one.over) & set(one.period):
            yield Mistake((*place, 'over'), f'{shown(name)} is in the period')
        for name, given in one.when:
            yield from _choice(draft, (*place, 'when', name), name, given)
        yield from _key_size(draft, place, [*one.over, one.period[0]], True)


def _choice(draft: Draft, place: Place, name: str,
            given: tuple[Any, ...]) -> Iterator[Mistake]:
    """What ``when`` names must be a value the property can have."""
    yield from _named(draft, place[:-1], name)
    prop = draft.property(name)
    if prop is None or prop.dropped:
        return
    if (prop.kind not in ('string', 'integer', 'boolean')
            or prop.format == 'date-time'):
        yield Mistake(place, f'{shown(name)} must be text, an integer or a '
                             f'boolean')
        return
    yield from value_checks.unmet(place, prop.schema, given)
    for value in given:
        if prop.enum and value not in [one.const for one in prop.enum]:
            yield Mistake(place, f'{shown(value)} is not in the enum')


def _moment(draft: Draft, place: Place, name: str) -> Iterator[Mistake]:
    yield from _named(draft, place, name)
    prop = draft.property(name)
    if prop and not prop.dropped and prop.format != 'date-time':
        yield Mistake(place, f'{shown(name)} must be of the format date-time')


def _column(draft: Draft, place: Place, name: str) -> Iterator[Mistake]:
    yield from _named(draft, place, name)
    prop = draft.property(name)
    if prop and prop.kind in ('object', 'array'):
        yield Mistake(place, f'{shown(name)} is of the type {prop.kind}, '
                      f'which cannot be compared')


def _named(draft: Draft, place: Place, name: str) -> Iterator[Mistake]:
    prop = draft.property(name)
    if draft.unknown(name):
        yield Mistake(place, f'names unknown property {shown(name)}'
                      + nearest(name, draft.raw['properties']))
    elif prop and prop.dropped:
        yield Mistake(place, f'names {shown(name)}, which is dropped')


def _amount(draft: Draft) -> Iterator[Mistake]:
    """What a table can hold in every database."""
    declared = draft.declared
    live = list(declared.live)
    if len(live) > MAX_PROPERTIES:
        yield Mistake(('properties',), f'are {len(live)}; the most is '
                      f'{MAX_PROPERTIES}')
    keys = indexes.key_count(declared)
    if keys > MAX_KEYS:
        yield Mistake((), f'unique, indexes, exclusive and references need '
                      f'{keys} keys together; the most is {MAX_KEYS}')
    size = key_sizes.row_bytes(declared)
    if size > key_sizes.MAX_ROW_BYTES:
        yield Mistake(('properties',), f'a row may take {size} bytes (4 a '
                      f'character); the most is {key_sizes.MAX_ROW_BYTES}: '
                      f'give the strings a smaller maxLength, or one above '
                      f'{key_sizes.MAX_INLINE_CHARS}, which is stored apart')


#: A dropped type has nothing but its name left to judge.
RULES: tuple[Rule, ...] = (_properties, _names, _span, _quota, _policy,
                           _required, _keys, _exclusive, _amount)
