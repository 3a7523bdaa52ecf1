# SPDX-License-Identifier: Apache-2.0
"""Checks between the keywords of one type file.

Each rule yields the mistakes of a draft. ``cross_file_checks`` has the checks
between files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from service.domain.catalogue import indexes, key_sizes
from service.domain.catalogue.types import QUOTA_TYPE
from service.domain.typefiles import value_checks, vocabulary
from service.domain.typefiles.build import Draft, periods
from service.domain.typefiles.mistakes import (
    Mistake,
    Place,
    shown,
    suggestion,
)
from service.domain.typefiles.property_checks import PROPERTY_RULES

#: The pointers to about this many long texts fill a row of InnoDB.
MAX_PROPERTIES = 100
#: InnoDB allows 64 indexes in a table, some of which every table has.
MAX_KEYS = 50

Rule = Callable[[Draft], Iterator[Mistake]]


def mistakes(draft: Draft) -> Iterator[Mistake]:
    """Return the mistakes between the keywords of one file."""
    return chain.from_iterable(rule(draft) for rule in RULES)


def _properties(draft: Draft) -> Iterator[Mistake]:
    for prop in draft.declared.live:
        for rule in PROPERTY_RULES:
            yield from rule(draft, prop)


def _names(draft: Draft) -> Iterator[Mistake]:
    if draft.raw.get('name') == QUOTA_TYPE:
        yield Mistake(('name',), f'{shown(QUOTA_TYPE)} is reserved; choose '
                      f'another name')
    plural = draft.raw.get('plural')
    if plural in vocabulary.RESERVED_PLURALS:
        yield Mistake(('plural',), f'{shown(plural)} is reserved; choose '
                      f'another plural')
    if plural is not None and plural == draft.raw.get('name'):
        yield Mistake(('plural',), f'{shown(plural)} is also the name; the '
                      f'two must differ, because they are the keys of a list '
                      f'and of one record')


def _span(draft: Draft) -> Iterator[Mistake]:
    declared = draft.declared
    if declared.until is not None and declared.until <= declared.since:
        yield Mistake(('until',), f'{declared.until} must be above since '
                      f'{declared.since}')


def _quota(draft: Draft) -> Iterator[Mistake]:
    if draft.declared.quota is not None and not draft.declared.owned:
        yield Mistake(('quota',), 'is valid for scope project only; records '
                      'of scope cloud belong to no project')


def _policy(draft: Draft) -> Iterator[Mistake]:
    """Check the actions, and refuse an empty rule, which allows everybody."""
    for action, rule in draft.declared.policy.items():
        if not rule.strip():
            yield Mistake(('policy', action), 'is empty, which would allow '
                          'everybody; write "@" to allow everybody or "!" to '
                          'allow nobody')
        if action not in vocabulary.ACTIONS and not draft.declared.controller:
            yield Mistake(('policy',), f'unknown action {shown(action)}'
                          + (suggestion(action, vocabulary.ACTIONS) or
                             f'; valid: {", ".join(vocabulary.ACTIONS)}'))


def _required(draft: Draft) -> Iterator[Mistake]:
    for name in draft.raw.get('required', ()):
        yield from _exists(draft, ('required',), name)


def _keys(draft: Draft) -> Iterator[Mistake]:
    """Check the columns and the key sizes of unique and index tuples."""
    for keyword in ('unique', 'indexes'):
        for index, names in enumerate(draft.raw.get(keyword, ())):
            place: Place = (keyword, index)
            for name in names:
                yield from _column(draft, place, name)
            sorts_lists = keyword == 'indexes' or indexes.needs_list_index(
                draft.declared, names)
            yield from _key_size(draft, place, names, sorts_lists)
            indexed_alone = [
                name for name in names[1:]
                if (name,) in indexes.list_indexes(draft.declared)]
            for name in () if sorts_lists else indexed_alone:
                yield from _key_size(draft, place, [name], True)


def _key_size(draft: Draft, place: Place, names: list[str],
              with_id: bool) -> Iterator[Mistake]:
    columns = [prop for prop in map(draft.property, names) if prop]
    size = key_sizes.key_bytes(draft.declared, columns, with_id)
    if size > key_sizes.MAX_KEY_BYTES:
        counted = ['project_id'] * draft.declared.owned + ['id'] * with_id
        also = f' with {" and ".join(counted)}' if counted else ''
        yield Mistake(place, f'an index entry can take {size} bytes (4 per '
                      f'character){also}; the maximum is '
                      f'{key_sizes.MAX_KEY_BYTES}: lower the maxLength of '
                      f'the strings')


def _exclusive(draft: Draft) -> Iterator[Mistake]:
    for (place, _), rule in zip(periods(draft.raw), draft.declared.exclusive,
                                strict=True):
        for name in rule.period:
            yield from _time(draft, (*place, 'period'), name)
        for name in rule.over:
            yield from _column(draft, (*place, 'over'), name)
        for name in set(rule.over) & set(rule.period):
            yield Mistake((*place, 'over'), f'{shown(name)} is also in '
                          f'"period"; remove it from one of the two')
        for name, allowed in rule.when:
            yield from _condition(draft, (*place, 'when', name), name,
                                  allowed)
        yield from _key_size(draft, place, [*rule.over, rule.period[0]],
                             True)


def _condition(draft: Draft, place: Place, name: str,
               allowed: tuple[Any, ...]) -> Iterator[Mistake]:
    """Check that the values in ``when`` are valid values of the property."""
    yield from _exists(draft, place[:-1], name)
    prop = draft.property(name)
    if prop is None or prop.dropped:
        return
    if (prop.kind not in ('string', 'integer', 'boolean')
            or prop.format == 'date-time'):
        yield Mistake(place, f'{shown(name)} must be a property of type '
                      f'string (not date-time), integer or boolean')
        return
    yield from value_checks.violations(place, prop.schema, allowed)
    valid = [choice.const for choice in prop.enum]
    for value in allowed:
        if valid and value not in valid:
            yield Mistake(place, f'{shown(value)} is not in the enum '
                                 f'{shown(valid)}')


def _time(draft: Draft, place: Place, name: str) -> Iterator[Mistake]:
    yield from _exists(draft, place, name)
    prop = draft.property(name)
    if prop and not prop.dropped and prop.format != 'date-time':
        yield Mistake(place, f'{shown(name)} must be a property of format '
                             f'date-time')


def _column(draft: Draft, place: Place, name: str) -> Iterator[Mistake]:
    yield from _exists(draft, place, name)
    prop = draft.property(name)
    if prop and prop.kind in ('object', 'array'):
        yield Mistake(place, f'{shown(name)} is of type {prop.kind}, which '
                      f'cannot be compared')


def _exists(draft: Draft, place: Place, name: str) -> Iterator[Mistake]:
    prop = draft.property(name)
    if draft.unknown(name):
        yield Mistake(place, f'names unknown property {shown(name)}'
                      + suggestion(name, draft.raw['properties']))
    elif prop and prop.dropped:
        yield Mistake(place, f'names the dropped property {shown(name)}')


def _table_size(draft: Draft) -> Iterator[Mistake]:
    """Check the limits that every database has for one table."""
    declared = draft.declared
    live = list(declared.live)
    if len(live) > MAX_PROPERTIES:
        yield Mistake(('properties',), f'there are {len(live)}; the maximum '
                      f'is {MAX_PROPERTIES}')
    keys = indexes.key_count(declared)
    if keys > MAX_KEYS:
        yield Mistake((), f'unique, indexes, exclusive and references '
                      f'together need {keys} database indexes; the maximum '
                      f'is {MAX_KEYS}')
    size = key_sizes.row_bytes(declared)
    if size > key_sizes.MAX_ROW_BYTES:
        yield Mistake(('properties',), f'a row can take {size} bytes (4 per '
                      f'character); the maximum is '
                      f'{key_sizes.MAX_ROW_BYTES}: lower the maxLength of '
                      f'strings, or raise it above '
                      f'{key_sizes.MAX_INLINE_CHARS} to store a string '
                      f'outside the row')


RULES: tuple[Rule, ...] = (_properties, _names, _span, _quota, _policy,
                           _required, _keys, _exclusive, _table_size)
