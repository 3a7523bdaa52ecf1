# SPDX-License-Identifier: Apache-2.0
"""What the domain asks of a storage. ``service.storage`` answers it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from service.domain.caller import Caller
from service.domain.catalogue.types import (
    ExclusivePeriod,
    Property,
    ResourceType,
)
from service.domain.documents import timestamps
from service.domain.query.list_query import Query

T = TypeVar('T')

#: Column -> value. Times are canonical text, objects and arrays themselves.
Record = dict[str, Any]


class ConcurrentWrite(Exception):
    """Another writer was there between our look and our write: look again."""


class Revision(NamedTuple):
    """One deed: what was done to which record, by whom, and what it left."""

    type: str
    record_id: str
    record_generation: int
    action: str
    document: Record
    project_id: str | None
    user_id: str | None
    request_id: str | None
    global_request_id: str | None
    at: str

    @classmethod
    def of(cls, declared: ResourceType, action: str, record: Record,
           caller: Caller) -> Revision:
        return cls(declared.name, record['id'], record['generation'], action,
                   record, record.get('project_id'), caller.user_id,
                   caller.request_id, caller.global_request_id,
                   timestamps.now())


class NumberedRevision(NamedTuple):
    """A revision that is kept, and its number in the order of commits."""

    number: int
    revision: Revision


class PlacedRecord(NamedTuple):
    """A record that is to be, and where in the body it stands."""

    record: Record
    pointer: str


class StoredReply(NamedTuple):
    """The reply to a request that must be carried out once.

    ``scope`` names the request, ``body_hash`` what it asked for; the reply is
    kept as it went out.
    """

    scope: str
    body_hash: str
    status: int
    headers: list[list[str]]
    body: str
    at: str


class UsageCount(NamedTuple):
    """How many records a project has, and the limit that was set for it."""

    number: int
    limit: int | None


class Rows(Protocol):
    """The rows one transaction sees. ``storage.rows`` says what each does."""

    def fetch(self, declared: ResourceType, id: str, owner: str | None,
              columns: tuple[str, ...] = ()) -> Record | None: ...

    def insert(self, declared: ResourceType,
               records: Sequence[Mapping[str, Any]]) -> None: ...

    def update(self, declared: ResourceType, before: Record,
               changed: Mapping[str, Any]) -> bool: ...

    def delete(self, declared: ResourceType, record: Record) -> bool: ...

    def select(self, declared: ResourceType, query: Query, owner: str | None,
               marker: Record | None) -> tuple[list[Record], bool]: ...

    def before(self, declared: ResourceType, query: Query, owner: str | None,
               first: Record) -> str | None: ...

    def count(self, declared: ResourceType, query: Query,
              owner: str | None) -> int: ...

    def use(self, declared: ResourceType, project_id: str,
            more: int) -> UsageCount: ...

    def free(self, declared: ResourceType, project_id: str,
             fewer: int) -> None: ...

    def used(self, declared: ResourceType, project_id: str) -> int: ...

    def limits(self, project_id: str, *,
               hold: bool = False) -> Mapping[str, int]: ...

    def limit(self, project_id: str,
              changes: Mapping[str, int | None]) -> None: ...

    def present(self, declared: ResourceType, ids: Collection[str],
                owner: str | None) -> set[str]: ...

    def twins(self, declared: ResourceType, names: Sequence[str],
              records: Collection[Record]) -> list[Record]: ...

    def taken(self, declared: ResourceType,
              ids: Collection[str]) -> set[str]: ...

    def overlapping(self, declared: ResourceType, rule: ExclusivePeriod,
                    records: Collection[Record]) -> Record | None: ...

    def referring(self, declared: ResourceType, prop: Property,
                  ids: Collection[str], most: int) -> list[Record]: ...

    def defer_references(self, going: Collection[tuple[
        ResourceType, Record]]) -> None: ...

    def last(self, declared: ResourceType, id: str,
             owner: str | None) -> Record | None: ...

    def revisions(self, declared: ResourceType, id: str, owner: str | None,
                  below: int | None, most: int
                  ) -> tuple[list[NumberedRevision], bool]: ...

    def revision(self, declared: ResourceType, id: str, owner: str | None,
                 number: int) -> NumberedRevision | None: ...

    def newer(self, declared: ResourceType, id: str, owner: str | None,
              number: int, most: int) -> list[int]: ...

    def changes(self, type: str, id: str) -> int: ...

    def revise(self, revisions: Sequence[Revision],
               **told: object) -> None: ...

    def kept(self, scope: str) -> StoredReply | None: ...

    def keep(self, kept: StoredReply) -> None: ...

    def outlived(self, horizon: str, most: int) -> list[str]: ...

    def forget(self, scopes: Collection[str], horizon: str) -> None: ...


class Store(Protocol):
    """Opens transactions. ``write`` may run its work more than once."""

    def read(self, work: Callable[[Any], T]) -> T: ...

    def write(self, work: Callable[[Any], T]) -> T: ...
