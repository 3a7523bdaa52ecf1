# SPDX-License-Identifier: Apache-2.0
"""What other rows have a say in, checked inside the write's transaction.

What only one record may have is in ``rivals``, how many there may be in
``limits``.
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
    """Refuse a change of what may be set only when the record is made."""
    bad = [Violation(f'{name} cannot be changed once the '
                     f'{shape.declared.name} is made', f'{pointer}/{name}')
           for name, prop in shape.properties.items()
           if prop.immutable and prop.name in changed]
    if bad:
        raise errors.Invalid(bad)


def check_references(rows: Rows, catalogue: Catalogue, shape: Shape,
               placed: Sequence[PlacedRecord], among: Collection[str]) -> None:
    """Refuse records that point at what is not there.

    A project's record may point at its own project's records and at cloud
    records only, whoever writes it (D14). ``among`` are the columns that are
    new.
    """
    bad: list[tuple[int, Violation]] = []
    for name, prop in shape.properties.items():
        if prop.references is None or prop.name not in among:
            continue
        other = catalogue.types[prop.references]
        pointing = [
            (index, one) for index, one in enumerate(placed)
            if one.record[prop.name] not in _exempt(shape, other, one.record)]
        there = _existing_targets(rows, other,
                                  (one.record for _, one in pointing), prop)
        bad += [(index, Violation(
            f'{name}: no {other.name} has the id {one.record[prop.name]}',
            f'{one.pointer}/{name}')) for index, one in pointing
            if (_owner(one.record), one.record[prop.name]) not in there]
    if bad:
        raise errors.MissingReference(
            one for _, one in sorted(bad, key=itemgetter(0)))


def _exempt(shape: Shape, other: ResourceType,
           record: Record) -> tuple[str | None, ...]:
    """What need not be looked for: nothing, and the record itself."""
    return (None, record['id']) if other is shape.declared else (None,)


def _existing_targets(rows: Rows, other: ResourceType,
                      records: Iterable[Record],
           prop: Property) -> set[tuple[str | None, str]]:
    """Which targets are there, for the records of each project."""
    wanted: dict[str | None, set[str]] = {}
    for record in records:
        wanted.setdefault(_owner(record), set()).add(record[prop.name])
    return {(owner, id) for owner, ids in wanted.items()
            for id in rows.present(other, ids, owner)}


def _owner(record: Record) -> str | None:
    return record.get('project_id')
