# SPDX-License-Identifier: Apache-2.0
"""What other rows have a say in, checked inside the write's transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from service.domain import errors
from service.domain.errors import Violation
from service.domain.store import Record, Rows
from service.domain.types import Catalogue, ResourceType, Shape


def immutable(shape: Shape, changed: Collection[str], pointer: str) -> None:
    """Refuse a change of what may be set only when the record is made."""
    bad = [Violation(f'{name} cannot be changed once the '
                     f'{shape.declared.name} is made', f'{pointer}/{name}')
           for name, prop in shape.properties.items()
           if prop.immutable and prop.name in changed]
    if bad:
        raise errors.Invalid(bad)


def references(rows: Rows, catalogue: Catalogue, shape: Shape,
               record: Record, among: Collection[str], pointer: str) -> None:
    """Refuse a record that points at what is not there.

    A project's record may point at its own project's records and at cloud
    records only, whoever writes it (D14).
    """
    bad = []
    for name, prop in shape.properties.items():
        target = record.get(prop.name)
        if (prop.references is None or prop.name not in among
                or target is None):
            continue
        other = catalogue.types[prop.references]
        if target == record['id'] and other is shape.declared:
            continue
        if not rows.present(other, [target], record.get('project_id')):
            bad.append(Violation(f'{name}: no {other.name} has the id '
                                 f'{target}', f'{pointer}/{name}'))
    if bad:
        raise errors.MissingReference(bad)


def others(rows: Rows, shape: Shape, record: Record,
           among: Collection[str], pointer: str) -> None:
    """Refuse values or a period that another record holds.

    Named as the caller's version names them, and by the item of a bulk.
    """
    declared = shape.declared
    for names in declared.unique:
        if _touched(names, among) and rows.twin(declared, names, record):
            raise errors.NotUnique(
                type=declared.name, properties=_listed(shape, names),
                pointer=_place(shape, names, pointer))
    for rule in declared.exclusive:
        if (_touched((*rule.period, *rule.per), among)
                and rows.overlapping(declared, rule, record)):
            same = _listed(shape, rule.per)
            raise errors.Overlapping(
                type=declared.name, period=_listed(shape, rule.period),
                per=f' for the same {same}' if same else '', pointer=pointer)


def quota(rows: Rows, declared: ResourceType,
          made: Sequence[Record]) -> None:
    """Refuse to make more records than a project may have."""
    if declared.quota is None:
        return
    wanted = Counter(one['project_id'] for one in made)
    for project_id, more in wanted.items():
        used = rows.held(declared, project_id)
        if used + more > declared.quota:
            raise errors.QuotaExceeded(quota=declared.quota, used=used,
                                       plural=declared.plural, wanted=more)


def _touched(names: Iterable[str], among: Collection[str]) -> bool:
    return any(name in among for name in names)


def _listed(shape: Shape, names: Iterable[str]) -> str:
    return ' and '.join(shape.name_of(one) or one for one in names)


def _place(shape: Shape, names: Sequence[str], pointer: str) -> str:
    """The property, where there is only one to blame; else the record."""
    name = shape.name_of(names[0]) if len(names) == 1 else None
    return f'{pointer}/{name}' if name else pointer
