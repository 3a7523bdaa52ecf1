# SPDX-License-Identifier: Apache-2.0
"""Create, show, list, replace, change and delete records.

This module uses neither SQL nor HTTP: rows come from a ``Store``, names of
properties from a ``Shape``. Every write is one transaction that checks
references, unique values, periods and quota, writes the rows and adds a
revision.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from service.domain import errors
from service.domain.caller import Caller
from service.domain.catalogue.types import Catalogue, ResourceType, Shape
from service.domain.documents import timestamps, values
from service.domain.query.list_query import Query
from service.domain.records import (
    cascade,
    limits,
    paging,
    references,
    uniqueness,
)
from service.domain.records import dry_run as dry_runs
from service.domain.records.idempotency import IdempotentRequest
from service.domain.records.limits import (
    DatabaseLimits,
    LimitsByProject,
    QuotaLimits,
)
from service.domain.records.preconditions import RecordCondition
from service.domain.records.store import (
    ConcurrentWrite,
    PlacedRecord,
    Record,
    Revision,
    Rows,
    Store,
    StoredReply,
)

T = TypeVar('T')

#: Stored record -> new values of columns. Called inside the transaction,
#: possibly more than once.
Edit = Callable[[Record], Mapping[str, Any]]


class NewRecord(NamedTuple):
    """A record to be created, and the pointer to it in the request body.

    ``project_id`` is None for a record that belongs to no project.
    """

    values: Mapping[str, Any]
    project_id: str | None
    pointer: str


class Records:
    """The operations on records of all declared types."""

    def __init__(self, catalogue: Catalogue, store: Store,
                 max_cascade: int,
                 quota_limits: QuotaLimits | None = None) -> None:
        self._catalogue = catalogue
        self._store = store
        self._max_cascade = max_cascade
        self._limits = quota_limits or DatabaseLimits()

    def create(self, shape: Shape, caller: Caller, new: Sequence[NewRecord],
               *, dry_run: bool = False) -> list[Record]:
        """Create all of the records, with generated ids, or none."""
        records, pointers = _build_records(shape.declared, new)
        external = limits.external_limits(
            self._limits, shape.declared, (item.project_id for item in new))

        def work(rows: Rows) -> list[Record]:
            self._insert(rows, shape, caller, records, pointers, external)
            return records
        return self._write(work, dry_run)

    def create_idempotent(self, shape: Shape, caller: Caller,
                          new: Sequence[NewRecord],
                          request: IdempotentRequest) -> StoredReply:
        """Create records, or return the reply to an earlier attempt."""
        records, pointers = _build_records(shape.declared, new)

        def work(rows: Rows, external: LimitsByProject) -> StoredReply:
            reply, first = request.claim(rows, records)
            if first:
                self._insert(rows, shape, caller, records, pointers, external)
            return reply
        return self._limited(shape, [item.project_id for item in new], work)

    def show(self, declared: ResourceType, caller: Caller, id: str) -> Record:
        return self._store.read(
            lambda rows: _fetch(rows, declared, id, caller.owner))

    def list(self, declared: ResourceType, caller: Caller,
             query: Query) -> paging.Page:
        """Return a page; the marker may be a record deleted meanwhile."""
        owner = query.project if query.all_projects else (
            caller.project_id or '')
        return self._store.read(
            lambda rows: paging.page(rows, declared, owner, query))

    def replace(self, shape: Shape, caller: Caller, id: str,
                precondition: RecordCondition,
                new: Callable[[], NewRecord], edit: Edit, pointer: str, *,
                unreadable: Collection[str] = (),
                dry_run: bool = False) -> tuple[Record, bool]:
        """Replace the record ``id``, or create it.

        Returns the record, and whether it was created. ``new`` builds a new
        record, ``edit`` changes an existing one. Raises IdTaken if the id
        belongs to another project: ids are unique over all projects (D17).
        """
        declared = shape.declared

        def work(rows: Rows, external: LimitsByProject) -> tuple[Record, bool]:
            current = rows.fetch(declared, id, caller.owner)
            precondition.check(declared.name, id, current)
            if current is not None:
                return self._change(rows, shape, caller, current, edit,
                                    pointer, unreadable), False
            if rows.taken(declared, [id]):
                raise _id_conflict(rows, declared, caller, id)
            record = _build_record(declared, id, new())
            self._insert(rows, shape, caller, [record], [pointer], external)
            return record, True
        return self._limited(shape, [caller.project_id], work, dry_run)

    def change(self, shape: Shape, caller: Caller, id: str,
               precondition: RecordCondition, edit: Edit, pointer: str, *,
               unreadable: Collection[str] = (), dry_run: bool = False,
               action: str = 'update') -> Record:
        """Change the record ``id`` if it meets the precondition.

        Two clients can both read generation 3. The first write moves it to
        4. The second write names generation 3 and gets Stale, so that it
        does not undo the first. ``unreadable`` are columns that the caller
        may not read; ``action`` is the action named in the revision.
        """
        def work(rows: Rows) -> Record:
            current = _fetch(rows, shape.declared, id, caller.owner)
            precondition.check(shape.declared.name, id, current)
            return self._change(rows, shape, caller, current, edit, pointer,
                                unreadable, action)
        return self._write(work, dry_run)

    def delete(self, declared: ResourceType, caller: Caller, id: str,
               precondition: RecordCondition, *,
               dry_run: bool = False) -> None:
        """Delete a record and the records that its deletion cascades to."""
        def work(rows: Rows) -> None:
            current = _fetch(rows, declared, id, caller.owner)
            precondition.check(declared.name, id, current)
            plan = cascade.plan(rows, self._catalogue, declared, current,
                                caller.owner, self._max_cascade)
            cascade.apply(rows, plan, caller)
        self._write(work, dry_run)

    def _insert(self, rows: Rows, shape: Shape, caller: Caller,
                records: Sequence[Record], pointers: Sequence[str],
                external: LimitsByProject) -> None:
        limits.reserve(rows, shape.declared, records, external)
        self._check(rows, shape, caller,
                    list(map(PlacedRecord, records, pointers)),
                    shape.declared.properties)
        rows.insert(shape.declared, records)
        rows.revise([Revision.of(shape.declared, 'create', record, caller)
                     for record in records])

    def _change(self, rows: Rows, shape: Shape, caller: Caller,
                current: Record, edit: Edit, pointer: str,
                unreadable: Collection[str], action: str = 'update') -> Record:
        """Write the changes that ``edit`` makes, and return the record.

        A write that changes nothing succeeds and leaves the generation and
        ``updated_at`` as they are (CODE-5). SECURITY: a write to an
        unreadable column always counts as a change. Otherwise the generation
        would reveal whether the caller guessed the value.
        """
        changed = {name: value for name, value in edit(current).items()
                   if name in unreadable
                   or not values.same(current[name], value)}
        if not changed:
            return current
        references.check_immutable(shape, changed, pointer)
        changed.update(generation=current['generation'] + 1,
                       updated_at=timestamps.not_before(current['updated_at']))
        after = {**current, **changed}
        self._check(rows, shape, caller, [PlacedRecord(after, pointer)],
                    changed)
        if not rows.update(shape.declared, current, changed):
            raise ConcurrentWrite
        rows.revise([Revision.of(shape.declared, action, after, caller)])
        return after

    def _check(self, rows: Rows, shape: Shape, caller: Caller,
               placed: Sequence[PlacedRecord],
               changed: Collection[str]) -> None:
        """Check records, of which the columns ``changed`` are new."""
        references.check_references(rows, self._catalogue, shape, placed,
                                    changed)
        uniqueness.check(rows, shape, caller, placed, changed)

    def _limited(self, shape: Shape, projects: Iterable[str | None],
                 work: Callable[[Rows, LimitsByProject], T],
                 dry_run: bool = False) -> T:
        """Run a write that may create records and therefore need limits."""
        return limits.run_with_limits(
            self._limits, shape.declared, projects,
            lambda external: self._write(
                lambda rows: work(rows, external), dry_run))

    def _write(self, work: Callable[[Rows], T], dry_run: bool) -> T:
        return dry_runs.write(self._store, work, dry_run)


def _build_records(declared: ResourceType, new: Sequence[NewRecord]
                   ) -> tuple[list[Record], list[str]]:
    """Return records with generated ids, and the pointer to each."""
    return ([_build_record(declared, str(uuid.uuid4()), item)
             for item in new], [item.pointer for item in new])


def _build_record(declared: ResourceType, id: str, new: NewRecord) -> Record:
    now = timestamps.now()
    record = {'id': id, 'generation': 1, 'created_at': now,
              'updated_at': now, 'tags': [], 'metadata': {}, **new.values}
    if declared.owned:
        record['project_id'] = new.project_id
    return record


def _id_conflict(rows: Rows, declared: ResourceType, caller: Caller,
                 id: str) -> Exception:
    """Return the error for an id that exists and was not found at first.

    If the caller may see the record now, a concurrent request has created
    it, and the transaction runs again. Otherwise the id is another
    project's.
    """
    if rows.fetch(declared, id, caller.owner) is not None:
        return ConcurrentWrite()
    return errors.IdTaken(id=id)


def _fetch(rows: Rows, declared: ResourceType, id: str,
           owner: str | None) -> Record:
    record = rows.fetch(declared, id, owner)
    if record is None:
        raise errors.NotFound(type=declared.name, id=errors.shorten(id))
    return record
