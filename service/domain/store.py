# SPDX-License-Identifier: Apache-2.0
"""What the domain asks of a storage. ``service.storage`` answers it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from service.domain import instants
from service.domain.caller import Caller
from service.domain.query import Query
from service.domain.types import Exclusive, Property, ResourceType

T = TypeVar('T')

#: Column -> value. Times are canonical text, objects and arrays themselves.
Record = dict[str, Any]


class Raced(Exception):
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
                   instants.now())


class Kept(NamedTuple):
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


class Rows(Protocol):
    """The rows one transaction sees. ``storage.rows`` says what each does."""

    def fetch(self, declared: ResourceType, id: str,
              owner: str | None) -> Record | None: ...

    def insert(self, declared: ResourceType,
               records: Sequence[Mapping[str, Any]]) -> None: ...

    def update(self, declared: ResourceType, before: Record,
               changed: Mapping[str, Any]) -> bool: ...

    def delete(self, declared: ResourceType, record: Record) -> bool: ...

    def select(self, declared: ResourceType, query: Query, owner: str | None,
               marker: Record | None) -> tuple[list[Record], bool]: ...

    def before(self, declared: ResourceType, query: Query, owner: str | None,
               marker: Record) -> list[str]: ...

    def count(self, declared: ResourceType, query: Query,
              owner: str | None) -> int: ...

    def held(self, declared: ResourceType, project_id: str) -> int: ...

    def present(self, declared: ResourceType, ids: Collection[str],
                owner: str | None) -> set[str]: ...

    def twin(self, declared: ResourceType, names: Iterable[str],
             record: Record) -> str | None: ...

    def taken(self, declared: ResourceType,
              ids: Collection[str]) -> set[str]: ...

    def overlapping(self, declared: ResourceType, rule: Exclusive,
                    record: Record) -> str | None: ...

    def referring(self, declared: ResourceType, prop: Property,
                  ids: Collection[str], most: int) -> list[Record]: ...

    def defer_references(self) -> None: ...

    def last(self, declared: ResourceType, id: str,
             owner: str | None) -> Record | None: ...

    def revise(self, revisions: Sequence[Revision]) -> None: ...

    def kept(self, scope: str) -> Kept | None: ...

    def keep(self, kept: Kept) -> None: ...

    def outlived(self, horizon: str, most: int) -> list[str]: ...

    def forget(self, scopes: Collection[str], horizon: str) -> None: ...


class Store(Protocol):
    """Opens transactions. ``write`` may run its work more than once."""

    def read(self, work: Callable[[Any], T]) -> T: ...

    def write(self, work: Callable[[Any], T]) -> T: ...
