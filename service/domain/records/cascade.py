# SPDX-License-Identifier: Apache-2.0
"""What goes when a record goes: who refers to it, and what becomes of them.

The database would cascade by itself, silently. Here every record that goes or
changes with another gets its own generation, time and revision (D14).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any

from service.domain import errors
from service.domain.caller import Caller, may_see
from service.domain.catalogue.types import Catalogue, Property, ResourceType
from service.domain.documents import timestamps
from service.domain.records import limits
from service.domain.records.store import (
    ConcurrentWrite,
    Record,
    Revision,
    Rows,
)

#: How many referring records a refusal names.
MAX_NAMED_REFERRERS = 3

#: A record among those of all types: clients choose ids, and two types may
#: have one of the same.
RecordKey = tuple[str, str]


@dataclass
class DeletePlan:
    """The records a delete touches, each with its type."""

    deleted: dict[RecordKey, tuple[ResourceType, Record]] = field(
        default_factory=dict)
    cleared: dict[RecordKey,
                  tuple[ResourceType, Record, dict[str, None]]] = field(
        default_factory=dict)
    refusing: dict[RecordKey, tuple[ResourceType, Record]] = field(
        default_factory=dict)

    @property
    def size(self) -> int:
        """How many records it touches besides the one asked for."""
        return len(self.deleted.keys() | self.cleared.keys()) - 1


def plan(rows: Rows, catalogue: Catalogue, declared: ResourceType,
         record: Record, owner: str | None, most: int) -> DeletePlan:
    """Follow references from ``record`` outwards, each record once.

    Raises StillReferred where a restricting record would be left behind, and
    Conflict where more than ``most`` records would be touched.
    """
    found = DeletePlan(deleted={(declared.name, record['id']): (declared,
                                                                record)})
    wave = {declared: [record['id']]}
    while wave:
        reached: dict[ResourceType, list[str]] = {}
        for target, ids in wave.items():
            for referrer in catalogue.referrers(target.name):
                _follow(rows, found, referrer.declared, referrer.property,
                        ids, reached, most)
        wave = reached
    _refuse(found, declared, record, owner)
    return found


def _follow(rows: Rows, found: DeletePlan, declared: ResourceType,
            prop: Property,
            ids: list[str], reached: dict[ResourceType, list[str]],
            most: int) -> None:
    for one in rows.referring(declared, prop, ids, most + 1):
        key = declared.name, one['id']
        if prop.on_delete == 'cascade' and key not in found.deleted:
            found.deleted[key] = (declared, one)
            reached.setdefault(declared, []).append(one['id'])
        elif prop.on_delete == 'set_null':
            _, _, columns = found.cleared.setdefault(
                key, (declared, one, {}))
            columns[prop.name] = None
        elif prop.on_delete == 'restrict':
            found.refusing[key] = (declared, one)
    if found.size > most:
        raise errors.Conflict(reason=(
            f'Deleting this would change more than {most} records that refer '
            f'to it; delete some of those first.'))


def _refuse(found: DeletePlan, declared: ResourceType, record: Record,
            owner: str | None) -> None:
    left = [pair for key, pair in found.refusing.items()
            if key not in found.deleted]
    if left:
        raise errors.StillReferred(type=declared.name, id=record['id'],
                                   referrers=_referrers_text(left, owner))


def _referrers_text(left: list[tuple[ResourceType, Record]],
          owner: str | None) -> str:
    """Who refers: by id if the caller may see them, else by number (D26)."""
    shown = [f'{declared.name} {one["id"]}' for declared, one in left
             if may_see(owner, one)]
    rest = len(left) - len(shown[:MAX_NAMED_REFERRERS])
    alone = 'one record' if rest == 1 else f'{rest} records'
    more = [f'{rest} more' if shown else alone] if rest else []
    return ' and '.join([*shown[:MAX_NAMED_REFERRERS], *more])


def apply(rows: Rows, found: DeletePlan, caller: Caller) -> None:
    """Carry the plan out, the farthest records first."""
    rows.defer_references(found.deleted.values())
    limits.release(rows, found.deleted.values())
    revisions = [*_clear(rows, found, caller), *_delete(rows, found, caller)]
    rows.revise(revisions)


def _clear(rows: Rows, found: DeletePlan,
           caller: Caller) -> Iterable[Revision]:
    for key, (declared, record, columns) in found.cleared.items():
        if key in found.deleted:
            continue
        changed: dict[str, Any] = {
            **columns, 'generation': record['generation'] + 1,
            'updated_at': timestamps.not_before(record['updated_at'])}
        if not rows.update(declared, record, changed):
            raise ConcurrentWrite
        yield Revision.of(declared, 'update', {**record, **changed}, caller)


def _delete(rows: Rows, found: DeletePlan,
            caller: Caller) -> Iterable[Revision]:
    for declared, record in _referrers_first(found.deleted):
        if not rows.delete(declared, record):
            raise ConcurrentWrite
        yield Revision.of(declared, 'delete', record, caller)


def _referrers_first(deleted: dict[RecordKey, tuple[ResourceType, Record]]
                     ) -> Iterable[tuple[ResourceType, Record]]:
    """Each record after those that must refer to it.

    MariaDB looks at each row as it goes. A ring of nothing but required
    references has no such order; the others take it in any.
    """
    order: TopologicalSorter[RecordKey] = TopologicalSorter()
    for key, (declared, record) in reversed(deleted.items()):
        order.add(key)
        for target in _required_targets(declared, record):
            if target != key and target in deleted:
                order.add(target, key)
    try:
        return [deleted[key] for key in order.static_order()]
    except CycleError:
        return reversed(deleted.values())


def _required_targets(declared: ResourceType,
                      record: Record) -> Iterable[RecordKey]:
    """What the record refers to and cannot but refer to."""
    return ((one.references, record[one.name]) for one in declared.live
            if one.references is not None and not one.nullable)
