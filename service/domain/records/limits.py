# SPDX-License-Identifier: Apache-2.0
"""How many records a project may have, and that it has no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Protocol, TypeVar

from service.domain import errors
from service.domain.catalogue.types import ResourceType
from service.domain.records.store import Record, Rows

#: A limit that is none.
UNLIMITED = -1

#: Limits by type name.
LimitsByType = Mapping[str, int]

#: What somebody else was asked for, by project; None: nobody was asked yet.
LimitsByProject = Mapping[str, LimitsByType] | None

T = TypeVar('T')


class QuotaLimits(Protocol):
    """Who else than the database knows limits.

    ``external_source`` names them to a client; '' where limits are set
    here. ``fetch`` is asked before a transaction opens: nobody waits
    for a locked row while
    a reply comes over the network.
    """

    @property
    def external_source(self) -> str: ...

    def fetch(self, project_id: str,
           types: Collection[ResourceType]) -> LimitsByType: ...


class DatabaseLimits:
    """Nobody else: a limit is the type file's, or one set in the database."""

    external_source = ''

    def fetch(self, project_id: str,
              types: Collection[ResourceType]) -> LimitsByType:
        return {}


def default_limit(declared: ResourceType) -> int:
    """The limit of a project for which nobody set one."""
    return UNLIMITED if declared.quota is None else declared.quota


def effective_limit(declared: ResourceType, given: LimitsByType,
                    stored: int | None) -> int:
    """The limit in force: what was ``given`` from elsewhere goes first."""
    if declared.name in given:
        return given[declared.name]
    return default_limit(declared) if stored is None else stored


def external_limits(limits: QuotaLimits, declared: ResourceType,
          projects: Iterable[str | None]) -> Mapping[str, LimitsByType]:
    """What somebody else knows of projects that are to have new records."""
    if not declared.owned:
        return {}
    return {one: limits.fetch(one, [declared]) for one in set(projects) if one}


class LimitsNeeded(Exception):
    """Undoes a transaction in which it turns out that limits are needed."""


def run_with_limits(limits: QuotaLimits, declared: ResourceType,
                projects: Iterable[str | None],
                run: Callable[[LimitsByProject], T]) -> T:
    """``run`` with what somebody else knows, if it is to make anything.

    Whoever changes what is there needs no limit, and must not wait for one,
    or fail where nobody tells it. That is seen inside a transaction, and
    asked outside: what had begun is undone, and run again.
    """
    if not limits.external_source:
        return run({})
    try:
        return run(None)
    except LimitsNeeded:
        return run(external_limits(limits, declared, projects))


def reserve(rows: Rows, declared: ResourceType, made: Collection[Record],
         given: LimitsByProject) -> None:
    """Count records that are about to be made; QuotaExceeded where a project
    would have more than it may. Unasked where nobody was asked what that is.

    Counted first and judged by what that left: a look before would let two
    creators see the same last place.
    """
    if not declared.owned:
        return
    if given is None:
        raise LimitsNeeded
    wanted = Counter(one['project_id'] for one in made)
    for project_id, more in sorted(wanted.items()):
        used, stored = rows.use(declared, project_id, more)
        most = effective_limit(declared, given.get(project_id, {}), stored)
        if most != UNLIMITED and used > most:
            raise errors.QuotaExceeded(limit=most, used=used - more,
                                       plural=declared.plural, wanted=more)


def release(rows: Rows,
              gone: Iterable[tuple[ResourceType, Record]]) -> None:
    """Count records off that are about to be deleted.

    In one order, as all who count: two that delete each other's kinds at the
    same time would else wait for each other.
    """
    types: dict[str, ResourceType] = {}
    fewer: Counter[tuple[str, str]] = Counter()
    for declared, record in gone:
        if declared.owned:
            types[declared.name] = declared
            fewer[record['project_id'], declared.name] += 1
    for (project_id, name), number in sorted(fewer.items()):
        rows.free(types[name], project_id, number)
