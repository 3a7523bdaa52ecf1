# SPDX-License-Identifier: Apache-2.0
"""Check unique values and exclusive periods.

The checks run in the write's transaction, for all of its records at once. A
record may conflict with a stored record or with another record of the same
request.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from service.domain import errors
from service.domain.caller import Caller, may_see
from service.domain.catalogue.types import ExclusivePeriod, ResourceType, Shape
from service.domain.records.store import PlacedRecord, Record, Rows


class _Collision(NamedTuple):
    """A record to be written, and which record it conflicts with.

    ``other`` is the id of a stored record, or names an item of the request.
    """

    placed: PlacedRecord
    other: str


def check(rows: Rows, shape: Shape, caller: Caller,
          placed: Sequence[PlacedRecord], changed: Collection[str]) -> None:
    """Raise NotUnique or Overlapping if another record conflicts.

    ``changed`` are the columns that the write sets. The error names
    properties as the caller's version does, and the other record by its id
    if the caller may see it (D26). SECURITY: if a property involved is
    hidden from the caller, the error names neither the property nor the
    other record.
    """
    declared = shape.declared
    hidden = shape.hidden(caller.roles)
    for columns in declared.unique:
        for item, other in _duplicates(rows, declared, columns, placed,
                                       changed):
            raise errors.NotUnique(
                type=declared.name,
                properties=_names_text(shape, columns, hidden) or 'values',
                conflicting=_conflicting_text(item, other, caller,
                                        _any_in(columns, hidden)),
                pointer=_pointer(shape, columns, item.pointer))
    for rule in declared.exclusive:
        for item, other in _overlaps(rows, declared, rule, placed, changed):
            same = _names_text(shape, rule.over, hidden)
            raise errors.Overlapping(
                type=declared.name,
                period=_names_text(shape, rule.period, hidden) or 'this one',
                over=f' for the same {same}' if same else '',
                conflicting=_conflicting_text(item, other, caller,
                                        _any_in(rule.columns, hidden)),
                pointer=item.pointer)


def _duplicates(rows: Rows, declared: ResourceType, columns: tuple[str, ...],
                placed: Sequence[PlacedRecord],
                changed: Collection[str]) -> Iterator[_Collision]:
    """Yield records with equal values of ``columns``; null equals nothing."""
    if not _any_in(columns, changed):
        return
    by_key: dict[tuple[object, ...], PlacedRecord] = {}
    for item in placed:
        if any(item.record[column] is None for column in columns):
            continue
        key = declared.key(columns, item.record)
        if key in by_key:
            yield _Collision(item, _item_text(by_key[key]))
        by_key[key] = item
    stored = {declared.key(columns, other): other['id']
              for other in rows.twins(declared, columns,
                                      _records(by_key.values()))}
    yield from (_Collision(item, stored[key]) for key, item in by_key.items()
                if key in stored)


def _overlaps(rows: Rows, declared: ResourceType, rule: ExclusivePeriod,
              placed: Sequence[PlacedRecord],
              changed: Collection[str]) -> Iterator[_Collision]:
    """Yield records whose periods overlap and to which the rule applies."""
    if not _any_in(rule.columns, changed):
        return
    bound = [item for item in placed if rule.applies_to(item.record)]
    yield from _overlaps_within(declared, rule, bound)
    other = rows.overlapping(declared, rule, _records(bound))
    if other is not None:
        yield from (_Collision(item, other['id']) for item in bound
                    if declared.key(rule.over, item.record)
                    == declared.key(rule.over, other)
                    and rule.overlap(item.record, other))


def _overlaps_within(declared: ResourceType, rule: ExclusivePeriod,
                     bound: Iterable[PlacedRecord]) -> Iterator[_Collision]:
    """Yield overlaps between records of the same request.

    Sorted by start, a record that overlaps any later record overlaps the
    next one, so that only neighbours are compared.
    """
    by_key: dict[tuple[object, ...], list[PlacedRecord]] = {}
    for item in bound:
        by_key.setdefault(declared.key(rule.over, item.record),
                          []).append(item)
    for items in by_key.values():
        items.sort(key=lambda item: item.record[rule.period[0]] or '')
        yield from (_Collision(item, _item_text(previous))
                    for previous, item in pairwise(items)
                    if rule.overlap(previous.record, item.record))


def _records(placed: Iterable[PlacedRecord]) -> list[Record]:
    return [item.record for item in placed]


def _item_text(placed: PlacedRecord) -> str:
    return f'{placed.pointer} in this request'


def _conflicting_text(item: PlacedRecord, other: str, caller: Caller,
                hidden: bool) -> str:
    """Return ``: other``, or nothing if the caller may not see the other.

    The other record belongs to the project of ``item``, or to none.
    """
    visible = not hidden and may_see(caller.owner, item.record)
    return f': {other}' if visible else ''


def _any_in(columns: Iterable[str], collection: Collection[str]) -> bool:
    return any(column in collection for column in columns)


def _names_text(shape: Shape, columns: Iterable[str],
                hidden: Collection[str]) -> str:
    return ' and '.join(shape.name_of(column) or column for column in columns
                        if column not in hidden)


def _pointer(shape: Shape, columns: Sequence[str], pointer: str) -> str:
    """Return the pointer to a single property, else to the record."""
    name = shape.name_of(columns[0]) if len(columns) == 1 else None
    return f'{pointer}/{name}' if name else pointer
