# SPDX-License-Identifier: Apache-2.0
"""Plan and apply the deletion of a record and of records that refer to it.

A cascade of the database would leave no trace. Here each record that is
deleted or changed because of another deletion gets its own generation, time
and revision (D14).
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

#: How many referring records an error names.
MAX_NAMED_REFERRERS = 3

#: (type, id). The id alone is ambiguous: clients choose ids, and records of
#: two types may have the same id.
RecordKey = tuple[str, str]


@dataclass
class DeletePlan:
    """The records affected by a deletion.

    ``deleted`` are deleted, ``cleared`` have references set to null, and
    ``restricting`` forbid the deletion unless they are deleted too.
    """

    deleted: dict[RecordKey, tuple[ResourceType, Record]] = field(
        default_factory=dict)
    cleared: dict[RecordKey, tuple[ResourceType, Record, dict[str, None]]
                  ] = field(default_factory=dict)
    restricting: dict[RecordKey, tuple[ResourceType, Record]] = field(
        default_factory=dict)

    @property
    def size(self) -> int:
        """How many records are changed besides the record itself."""
        return len(self.deleted.keys() | self.cleared.keys()) - 1


def plan(rows: Rows, catalogue: Catalogue, declared: ResourceType,
         record: Record, owner: str | None, most: int) -> DeletePlan:
    """Follow references to ``record`` breadth first, each record once.

    Raises StillReferred if a restricting record would remain, and Conflict
    if more than ``most`` other records would be changed.
    """
    deletion = DeletePlan(
        deleted={(declared.name, record['id']): (declared, record)})
    level = {declared: [record['id']]}
    while level:
        next_level: dict[ResourceType, list[str]] = {}
        for target, ids in level.items():
            for referrer in catalogue.referrers(target.name):
                _follow(rows, deletion, referrer.declared, referrer.property,
                        ids, next_level, most)
        level = next_level
    _check_restricting(deletion, declared, record, owner)
    return deletion


def _follow(rows: Rows, deletion: DeletePlan, declared: ResourceType,
            prop: Property, ids: list[str],
            next_level: dict[ResourceType, list[str]], most: int) -> None:
    """Add the records whose ``prop`` is one of ``ids`` to the plan."""
    for record in rows.referring(declared, prop, ids, most + 1):
        key = declared.name, record['id']
        if prop.on_delete == 'cascade' and key not in deletion.deleted:
            deletion.deleted[key] = (declared, record)
            next_level.setdefault(declared, []).append(record['id'])
        elif prop.on_delete == 'set_null':
            _, _, columns = deletion.cleared.setdefault(
                key, (declared, record, {}))
            columns[prop.name] = None
        elif prop.on_delete == 'restrict':
            deletion.restricting[key] = (declared, record)
    if deletion.size > most:
        raise errors.Conflict(reason=(
            f'Deleting this record would change more than {most} records '
            f'that refer to it; delete some of those records first.'))


def _check_restricting(deletion: DeletePlan, declared: ResourceType,
                       record: Record, owner: str | None) -> None:
    remaining = [pair for key, pair in deletion.restricting.items()
                 if key not in deletion.deleted]
    if remaining:
        raise errors.StillReferred(
            type=declared.name, id=record['id'],
            referrers=_referrers_text(remaining, owner))


def _referrers_text(referrers: list[tuple[ResourceType, Record]],
                    owner: str | None) -> str:
    """Name the referrers that the caller may see; count the others (D26)."""
    visible = [f'{declared.name} {record["id"]}'
               for declared, record in referrers if may_see(owner, record)]
    named = visible[:MAX_NAMED_REFERRERS]
    rest = len(referrers) - len(named)
    only = 'one record' if rest == 1 else f'{rest} records'
    others = [f'{rest} more' if visible else only] if rest else []
    return ' and '.join([*named, *others])


def apply(rows: Rows, deletion: DeletePlan, caller: Caller) -> None:
    """Carry out a plan; the farthest records are deleted first."""
    rows.defer_references(deletion.deleted.values())
    limits.release(rows, deletion.deleted.values())
    rows.revise([*_clear(rows, deletion, caller),
                 *_delete(rows, deletion, caller)])


def _clear(rows: Rows, deletion: DeletePlan,
           caller: Caller) -> Iterable[Revision]:
    for key, (declared, record, columns) in deletion.cleared.items():
        if key in deletion.deleted:
            continue
        changed: dict[str, Any] = {
            **columns, 'generation': record['generation'] + 1,
            'updated_at': timestamps.not_before(record['updated_at'])}
        if not rows.update(declared, record, changed):
            raise ConcurrentWrite
        yield Revision.of(declared, 'update', {**record, **changed}, caller)


def _delete(rows: Rows, deletion: DeletePlan,
            caller: Caller) -> Iterable[Revision]:
    for declared, record in _referrers_first(deletion.deleted):
        if not rows.delete(declared, record):
            raise ConcurrentWrite
        yield Revision.of(declared, 'delete', record, caller)


def _referrers_first(deleted: dict[RecordKey, tuple[ResourceType, Record]]
                     ) -> Iterable[tuple[ResourceType, Record]]:
    """Order records so that each comes after those that must refer to it.

    MariaDB checks foreign keys after each row. A cycle of required
    references has no such order; the other databases accept any order.
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
    """Return the targets of references that cannot be null."""
    return ((prop.references, record[prop.name]) for prop in declared.live
            if prop.references is not None and not prop.nullable)
