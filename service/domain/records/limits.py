# SPDX-License-Identifier: Apache-2.0
"""Enforce how many records of a type a project may have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol, TypeVar

from service.domain import errors
from service.domain.catalogue.types import ResourceType
from service.domain.records.store import Record, Rows

#: The limit that allows any number of records.
UNLIMITED = -1

#: Type name -> limit.
LimitsByType = Mapping[str, int]

#: Project -> limits from an external source; None if not fetched yet.
LimitsByProject = Mapping[str, LimitsByType] | None

T = TypeVar('T')


class QuotaLimits(Protocol):
    """A source of limits besides the database."""

    @property
    def external_source(self) -> str:
        """The external service, for error texts; '' if there is none."""

    def fetch(self, project_id: str,
              types: Collection[ResourceType]) -> LimitsByType:
        """Return a project's external limits, by type name.

        Call it before a transaction opens: no transaction may hold a locked
        row while it waits for the network.
        """


class DatabaseLimits:
    """The source without an external service: type files and the database."""

    external_source = ''

    def fetch(self, project_id: str,
              types: Collection[ResourceType]) -> LimitsByType:
        return {}


def default_limit(declared: ResourceType) -> int:
    """Return the limit of a project that has none of its own."""
    return UNLIMITED if declared.quota is None else declared.quota


def effective_limit(declared: ResourceType, external: LimitsByType,
                    stored: int | None) -> int:
    """Return the limit in force: external, else stored, else the default."""
    if declared.name in external:
        return external[declared.name]
    return default_limit(declared) if stored is None else stored


def external_limits(limits: QuotaLimits, declared: ResourceType,
                    projects: Iterable[str | None]
                    ) -> Mapping[str, LimitsByType]:
    """Fetch the external limits of projects that are to get new records."""
    if not declared.owned:
        return {}
    return {project_id: limits.fetch(project_id, [declared])
            for project_id in set(projects) if project_id}


class LimitsNeeded(Exception):
    """A transaction creates records but has no limits; it is rolled back."""


def run_with_limits(limits: QuotaLimits, declared: ResourceType,
                    projects: Iterable[str | None],
                    run: Callable[[LimitsByProject], T]) -> T:
    """Call ``run``, with external limits only if it creates a record.

    A PUT of an existing record needs no limits, and must neither wait for
    the external source nor fail when that is unavailable. Only the
    transaction can see whether the record exists, but limits are fetched
    outside of transactions. ``run`` is therefore called without limits
    first; if it raises LimitsNeeded, it is called again with limits.
    """
    if not limits.external_source:
        return run({})
    try:
        return run(None)
    except LimitsNeeded:
        return run(external_limits(limits, declared, projects))


def reserve(rows: Rows, declared: ResourceType, records: Collection[Record],
            external: LimitsByProject) -> None:
    """Count records that are about to be created.

    Raises QuotaExceeded if a project would exceed its limit, and
    LimitsNeeded if external limits were not fetched. The usage is increased
    first and checked afterwards: if it were checked first, two concurrent
    requests could both take the last free place.
    """
    if not declared.owned:
        return
    if external is None:
        raise LimitsNeeded
    counts = Counter(record['project_id'] for record in records)
    for project_id, count in sorted(counts.items()):
        used, stored = rows.use(declared, project_id, count)
        limit = effective_limit(declared, external.get(project_id, {}),
                                stored)
        if limit != UNLIMITED and used > limit:
            raise errors.QuotaExceeded(limit=limit, used=used - count,
                                       plural=declared.plural, wanted=count)


def release(rows: Rows,
            deleted: Iterable[tuple[ResourceType, Record]]) -> None:
    """Subtract records that are about to be deleted from the usage.

    Usage rows are locked in sorted order, as in ``reserve``, so that
    concurrent transactions do not deadlock.
    """
    types: dict[str, ResourceType] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for declared, record in deleted:
        if declared.owned:
            types[declared.name] = declared
            counts[record['project_id'], declared.name] += 1
    for (project_id, name), count in sorted(counts.items()):
        rows.free(types[name], project_id, count)
