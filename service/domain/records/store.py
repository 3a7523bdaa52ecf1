# SPDX-License-Identifier: Apache-2.0
"""The storage interface of the domain, and the values that it exchanges.

``service.storage`` implements the protocols.
"""

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

#: Column -> value. Times are canonical texts; objects and arrays are values.
Record = dict[str, Any]


class ConcurrentWrite(Exception):
    """Another transaction changed a row between our read and our write.

    ``Store.write`` rolls back and runs the work again.
    """


class Revision(NamedTuple):
    """One change of a record: the action, the caller and the result."""

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
        """Return the revision for ``action``, which left ``record``."""
        return cls(declared.name, record['id'], record['generation'], action,
                   record, record.get('project_id'), caller.user_id,
                   caller.request_id, caller.global_request_id,
                   timestamps.now())


class NumberedRevision(NamedTuple):
    """A stored revision, and its number in the order of commits."""

    number: int
    revision: Revision


class PlacedRecord(NamedTuple):
    """A record to be written, and the pointer to it in the request body."""

    record: Record
    pointer: str


class StoredReply(NamedTuple):
    """The stored reply to a request with an idempotency key.

    ``scope`` identifies the request, ``body_hash`` the body it was sent
    with. The other fields are the reply as it was sent.
    """

    scope: str
    body_hash: str
    status: int
    headers: list[list[str]]
    body: str
    at: str


class UsageCount(NamedTuple):
    """How many records a project has, and its limit in the database."""

    number: int
    limit: int | None


class Rows(Protocol):
    """The rows that one transaction reads and writes.

    ``owner`` is the project whose records are visible; None means the
    records of all projects.
    """

    # Records

    def fetch(self, declared: ResourceType, id: str, owner: str | None,
              columns: tuple[str, ...] = ()) -> Record | None:
        """Return a record, or the given columns of it."""

    def insert(self, declared: ResourceType,
               records: Sequence[Mapping[str, Any]]) -> None:
        """Insert new records."""

    def update(self, declared: ResourceType, before: Record,
               changed: Mapping[str, Any]) -> bool:
        """Change a record; return False if it has changed since ``before``."""

    def delete(self, declared: ResourceType, record: Record) -> bool:
        """Delete a record; return False if it has changed since ``record``."""

    # Lists

    def select(self, declared: ResourceType, query: Query, owner: str | None,
               marker: Record | None) -> tuple[list[Record], bool]:
        """Return the page after ``marker``, and whether more records follow.

        A page of large records may be shorter than the limit.
        """

    def before(self, declared: ResourceType, query: Query, owner: str | None,
               first: Record) -> str | None:
        """Return the marker of the page before the page with ``first``.

        Returns None if that page is the first.
        """

    def count(self, declared: ResourceType, query: Query,
              owner: str | None) -> int:
        """Return how many records match the query, on all pages."""

    # Quotas

    def use(self, declared: ResourceType, project_id: str,
            more: int) -> UsageCount:
        """Add to a project's usage; return the new usage and the limit.

        The usage row stays locked until the transaction ends.
        """

    def free(self, declared: ResourceType, project_id: str,
             fewer: int) -> None:
        """Subtract from a project's usage, before records are deleted."""

    def used(self, declared: ResourceType, project_id: str) -> int:
        """Return how many records of the type a project has."""

    def limits(self, project_id: str, *,
               hold: bool = False) -> Mapping[str, int]:
        """Return the limits, by type, that are set for a project.

        ``hold`` locks them against other writers until the commit.
        """

    def limit(self, project_id: str,
              changes: Mapping[str, int | None]) -> None:
        """Set limits by type; None restores the default of the type file."""

    # Related rows

    def present(self, declared: ResourceType, ids: Collection[str],
                owner: str | None) -> set[str]:
        """Return which ids name records that ``owner`` may refer to."""

    def twins(self, declared: ResourceType, names: Sequence[str],
              records: Collection[Record]) -> list[Record]:
        """Return other records that have the same values as one of these.

        ``names`` are the columns to compare; none of the values may be null.
        A returned record has its id and the compared columns.
        """

    def taken(self, declared: ResourceType,
              ids: Collection[str]) -> set[str]:
        """Return which ids exist in any project."""

    def overlapping(self, declared: ResourceType, rule: ExclusivePeriod,
                    records: Collection[Record]) -> Record | None:
        """Return another record whose period overlaps that of one of these.

        Locks the periods until the transaction ends. The returned record has
        its id and the columns of ``rule``.
        """

    def referring(self, declared: ResourceType, prop: Property,
                  ids: Collection[str], most: int) -> list[Record]:
        """Return up to ``most`` records whose ``prop`` is one of ``ids``."""

    def defer_references(self, going: Collection[tuple[
            ResourceType, Record]]) -> None:
        """Let records that refer to each other be deleted together.

        Foreign keys are checked at the commit, or, where a database cannot
        do that, the references between the records are set to null first.
        """

    # Revisions

    def last(self, declared: ResourceType, id: str,
             owner: str | None) -> Record | None:
        """Return the document of a record's last revision, if it has any."""

    def revisions(self, declared: ResourceType, id: str, owner: str | None,
                  below: int | None, most: int
                  ) -> tuple[list[NumberedRevision], bool]:
        """Return a record's revisions, newest first, and whether more follow.

        ``below`` limits them to smaller numbers.
        """

    def revision(self, declared: ResourceType, id: str, owner: str | None,
                 number: int) -> NumberedRevision | None:
        """Return the revision of a record with this number."""

    def newer(self, declared: ResourceType, id: str, owner: str | None,
              number: int, most: int) -> list[int]:
        """Return up to ``most`` larger revision numbers, smallest first."""

    def changes(self, type: str, id: str) -> int:
        """Return the generation that the last revision of ``id`` left.

        Returns 0 if no revision is stored.
        """

    def revise(self, revisions: Sequence[Revision],
               **audit: object) -> None:
        """Store revisions; the audit log also gets the fields ``audit``."""

    # Stored replies

    def kept(self, scope: str) -> StoredReply | None:
        """Return the stored reply of a request."""

    def keep(self, kept: StoredReply) -> None:
        """Store a reply.

        A concurrent request with the same scope waits for this transaction,
        fails on the duplicate key, and runs again.
        """

    def outlived(self, horizon: str, most: int) -> list[str]:
        """Return up to ``most`` scopes of expired replies, oldest first.

        A reply has expired if it was stored at or before ``horizon``.
        """

    def forget(self, scopes: Collection[str], horizon: str) -> None:
        """Delete the replies of these scopes that have expired."""


class Store(Protocol):
    """Opens transactions."""

    def read(self, work: Callable[[Any], T]) -> T:
        """Run ``work`` on the rows of a read transaction."""

    def write(self, work: Callable[[Any], T]) -> T:
        """Run ``work`` in a transaction and commit.

        May run ``work`` more than once, after conflicts.
        """
