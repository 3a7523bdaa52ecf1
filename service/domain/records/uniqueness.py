# SPDX-License-Identifier: Apache-2.0
"""What only one record may have: unique values, and periods.

Looked at inside the write's transaction, for all of its records at once. A
rival may be stored already, or stand in the same request.
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
    """A record that is to be, and whom it gets in the way of."""

    placed: PlacedRecord
    other: str


def check(rows: Rows, shape: Shape, caller: Caller,
          placed: Sequence[PlacedRecord], among: Collection[str]) -> None:
    """Refuse values or a period that another record holds.

    ``among`` are the columns that are new. Properties are named as the
    caller's version names them, and the rival by its id where the caller may
    know of it (D26). SECURITY: what the caller may not read is not named,
    and nobody who has it.
    """
    declared = shape.declared
    hidden = shape.hidden(caller.roles)
    for names in declared.unique:
        for one, other in _duplicates(rows, declared, names, placed, among):
            raise errors.NotUnique(
                type=declared.name,
                properties=_names_text(shape, names, hidden) or 'values',
                conflicting=_rival_text(one, other, caller,
                                        _any_in(names, hidden)),
                pointer=_pointer(shape, names, one.pointer))
    for rule in declared.exclusive:
        for one, other in _overlaps(rows, declared, rule, placed, among):
            same = _names_text(shape, rule.over, hidden)
            raise errors.Overlapping(
                type=declared.name,
                period=_names_text(shape, rule.period, hidden) or 'this one',
                over=f' for the same {same}' if same else '',
                conflicting=_rival_text(one, other, caller,
                            _any_in(rule.columns, hidden)),
                pointer=one.pointer)


def _duplicates(rows: Rows, declared: ResourceType, names: tuple[str, ...],
           placed: Sequence[PlacedRecord],
           among: Collection[str]) -> Iterator[_Collision]:
    """Records with the same values; null is like nothing else."""
    if not _any_in(names, among):
        return
    first: dict[tuple[object, ...], PlacedRecord] = {}
    for one in placed:
        if any(one.record[name] is None for name in names):
            continue
        key = declared.key(names, one.record)
        if key in first:
            yield _Collision(one, _other_item(first[key]))
        first[key] = one
    found = {declared.key(names, other): other['id'] for other in rows.twins(
        declared, names, _records(first.values()))}
    yield from (_Collision(one, found[key]) for key, one in first.items()
                if key in found)


def _overlaps(rows: Rows, declared: ResourceType, rule: ExclusivePeriod,
              placed: Sequence[PlacedRecord],
              among: Collection[str]) -> Iterator[_Collision]:
    """Records whose periods overlap, if both are bound by the rule."""
    if not _any_in(rule.columns, among):
        return
    bound = [one for one in placed if rule.applies_to(one.record)]
    yield from _overlaps_within(declared, rule, bound)
    other = rows.overlapping(declared, rule, _records(bound))
    if other is not None:
        yield from (_Collision(one, other['id']) for one in bound
                    if declared.key(rule.over, one.record)
                    == declared.key(rule.over, other)
                    and rule.overlap(one.record, other))


def _overlaps_within(declared: ResourceType, rule: ExclusivePeriod,
                     bound: Iterable[PlacedRecord]) -> Iterator[_Collision]:
    """In the order of their starts, who overlaps anybody overlaps the next.
    """
    rivals: dict[tuple[object, ...], list[PlacedRecord]] = {}
    for one in bound:
        rivals.setdefault(declared.key(rule.over, one.record), []).append(one)
    for some in rivals.values():
        some.sort(key=lambda one: one.record[rule.period[0]] or '')
        yield from (_Collision(one, _other_item(before))
                    for before, one in pairwise(some)
                    if rule.overlap(before.record, one.record))


def _records(placed: Iterable[PlacedRecord]) -> list[Record]:
    return [one.record for one in placed]


def _other_item(placed: PlacedRecord) -> str:
    return f'{placed.pointer} in this request'


def _rival_text(one: PlacedRecord, other: str, caller: Caller,
                secret: bool) -> str:
    """Who is in the way: of the same project, or of none, as ``one`` is."""
    known = not secret and may_see(caller.owner, one.record)
    return f': {other}' if known else ''


def _any_in(names: Iterable[str], among: Collection[str]) -> bool:
    return any(name in among for name in names)


def _names_text(shape: Shape, names: Iterable[str],
            hidden: Collection[str]) -> str:
    return ' and '.join(shape.name_of(one) or one for one in names
                        if one not in hidden)


def _pointer(shape: Shape, names: Sequence[str], pointer: str) -> str:
    """The property, where there is only one to blame; else the record."""
    name = shape.name_of(names[0]) if len(names) == 1 else None
    return f'{pointer}/{name}' if name else pointer
