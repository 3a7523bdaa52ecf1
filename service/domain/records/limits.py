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
Given = Mapping[str, int]

#: What somebody else was asked for, by project; None: nobody was asked yet.
Asked = Mapping[str, Given] | None

T = TypeVar('T')


class Limits(Protocol):
    """Who else than the database knows limits.

    ``keeper`` names them to a client; '' where limits are set here. ``of``
    is asked before a transaction opens: nobody waits for a locked row while
    a reply comes over the network.
    """

    @property
    def keeper(self) -> str: ...

    def of(self, project_id: str,
           types: Collection[ResourceType]) -> Given: ...


class Stored:
    """Nobody else: a limit is the type file's, or one set in the database."""

    keeper = ''

    def of(self, project_id: str, types: Collection[ResourceType]) -> Given:
        return {}


def default(declared: ResourceType) -> int:
    """The limit of a project for which nobody set one."""
    return UNLIMITED if declared.quota is None else declared.quota


def limit(declared: ResourceType, given: Given, stored: int | None) -> int:
    """The limit in force: what was ``given`` from elsewhere goes first."""
    if declared.name in given:
        return given[declared.name]
    return default(declared) if stored is None else stored


def asked(limits: Limits, declared: ResourceType,
          projects: Iterable[str | None]) -> Mapping[str, Given]:
    """What somebody else knows of projects that are to have new records."""
    if not declared.owned:
        return {}
    return {one: limits.of(one, [declared]) for one in set(projects) if one}


class Unasked(Exception):
    """Undoes a transaction in which it turns out that limits are needed."""


def when_needed(limits: Limits, declared: ResourceType,
                projects: Iterable[str | None],
                run: Callable[[Asked], T]) -> T:
    """``run`` with what somebody else knows, if it is to make anything.

    Whoever changes what is there needs no limit, and must not wait for one,
    or fail where nobody tells it. That is seen inside a transaction, and
    asked outside: what had begun is undone, and run again.
    """
    if not limits.keeper:
        return run({})
    try:
        return run(None)
    except Unasked:
        return run(asked(limits, declared, projects))


def take(rows: Rows, declared: ResourceType, made: Collection[Record],
         given: Asked) -> None:
    """Count records that are about to be made; QuotaExceeded where a project
    would have more than it may. Unasked where nobody was asked what that is.

    Counted first and judged by what that left: a look before would let two
    creators see the same last place.
    """
    if not declared.owned:
        return
    if given is None:
        raise Unasked
    wanted = Counter(one['project_id'] for one in made)
    for project_id, more in sorted(wanted.items()):
        used, stored = rows.use(declared, project_id, more)
        most = limit(declared, given.get(project_id, {}), stored)
        if most != UNLIMITED and used > most:
            raise errors.QuotaExceeded(limit=most, used=used - more,
                                       plural=declared.plural, wanted=more)


def give_back(rows: Rows,
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
