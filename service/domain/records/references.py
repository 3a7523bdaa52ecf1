# SPDX-License-Identifier: Apache-2.0
"""Check immutable properties, and that references have a target.

The checks of references run in the write's transaction. ``uniqueness``
checks unique values and periods, ``limits`` checks quotas.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from operator import itemgetter

from service.domain import errors
from service.domain.catalogue.types import (
    Catalogue,
    Property,
    ResourceType,
    Shape,
)
from service.domain.errors import Violation
from service.domain.records.store import PlacedRecord, Record, Rows


def check_immutable(shape: Shape, changed: Collection[str],
                    pointer: str) -> None:
    """Raise Invalid if ``changed`` contains columns that are immutable."""
    violations = [Violation(f'{name} cannot be changed after the '
                            f'{shape.declared.name} is created',
                            f'{pointer}/{name}')
                  for name, prop in shape.properties.items()
                  if prop.immutable and prop.name in changed]
    if violations:
        raise errors.Invalid(violations)


def check_references(rows: Rows, catalogue: Catalogue, shape: Shape,
                     placed: Sequence[PlacedRecord],
                     changed: Collection[str]) -> None:
    """Raise MissingReference if a record refers to a missing record.

    A record of a project may refer to records of the same project and to
    cloud records only, whoever writes it (D14). ``changed`` are the columns
    that the write sets.
    """
    violations: list[tuple[int, Violation]] = []
    for name, prop in shape.properties.items():
        if prop.references is None or prop.name not in changed:
            continue
        target = catalogue.types[prop.references]
        referring = [
            (index, item) for index, item in enumerate(placed)
            if item.record[prop.name] not in _exempt(shape, target,
                                                     item.record)]
        existing = _existing_targets(
            rows, target, (item.record for _, item in referring), prop)
        violations += [(index, Violation(
            f'{name}: no {target.name} has the id {item.record[prop.name]}',
            f'{item.pointer}/{name}')) for index, item in referring
            if (_owner(item.record), item.record[prop.name]) not in existing]
    if violations:
        raise errors.MissingReference(
            violation for _, violation in sorted(violations,
                                                 key=itemgetter(0)))


def _exempt(shape: Shape, target: ResourceType,
            record: Record) -> tuple[str | None, ...]:
    """Return values that need no check: null, and the record's own id."""
    return (None, record['id']) if target is shape.declared else (None,)


def _existing_targets(rows: Rows, target: ResourceType,
                      records: Iterable[Record],
                      prop: Property) -> set[tuple[str | None, str]]:
    """Return (project, id) of the targets that exist for each project."""
    ids_by_owner: dict[str | None, set[str]] = {}
    for record in records:
        ids_by_owner.setdefault(_owner(record), set()).add(record[prop.name])
    return {(owner, id) for owner, ids in ids_by_owner.items()
            for id in rows.present(target, ids, owner)}


def _owner(record: Record) -> str | None:
    return record.get('project_id')
