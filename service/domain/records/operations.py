# SPDX-License-Identifier: Apache-2.0
"""What may be done with records, and what each deed leaves behind.

No SQL and no HTTP: rows come from a ``Store``, names from a ``Shape``. Every
write is one transaction, which checks what other rows have a say in
(references, unique values, quota, periods), writes, and keeps a revision.
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

#: From the record as it stands to the columns it shall have. Run inside the
#: transaction, perhaps more than once.
Edit = Callable[[Record], Mapping[str, Any]]


class NewRecord(NamedTuple):
    """A record to be made: its columns, whose it shall be (None: the
    cloud's), and where in the body it stands."""

    values: Mapping[str, Any]
    project_id: str | None
    pointer: str


class Records:
    """Create, show, list, change and delete records of declared types."""

    def __init__(self, catalogue: Catalogue, store: Store,
                 max_cascade: int,
                 quota_limits: QuotaLimits | None = None) -> None:
        self._catalogue = catalogue
        self._store = store
        self._max_cascade = max_cascade
        self._limits = quota_limits or DatabaseLimits()

    def create(self, shape: Shape, caller: Caller, new: Sequence[NewRecord],
               *, dry_run: bool = False) -> list[Record]:
        """Make records, all or none; their ids are the service's choice."""
        made, pointers = _build_records(shape.declared, new)
        given = limits.external_limits(self._limits, shape.declared,
                             (one.project_id for one in new))

        def work(rows: Rows) -> list[Record]:
            self._insert(rows, shape, caller, made, pointers, given)
            return made
        return self._write(work, dry_run)

    def create_idempotent(self, shape: Shape, caller: Caller,
                    new: Sequence[NewRecord],
                    once: IdempotentRequest) -> StoredReply:
        """As ``create``, or the reply that the first such request got."""
        made, pointers = _build_records(shape.declared, new)

        def work(rows: Rows, given: LimitsByProject) -> StoredReply:
            kept, first = once.claim(rows, made)
            if first:
                self._insert(rows, shape, caller, made, pointers, given)
            return kept
        return self._limited(shape, [one.project_id for one in new], work)

    def show(self, declared: ResourceType, caller: Caller, id: str) -> Record:
        return self._store.read(
            lambda rows: _fetch(rows, declared, id, caller.owner))

    def list(self, declared: ResourceType, caller: Caller,
             query: Query) -> paging.Page:
        """One page; its marker may be a record that was deleted meanwhile."""
        owner = query.project if query.all_projects else (
            caller.project_id or '')
        return self._store.read(
            lambda rows: paging.page(rows, declared, owner, query))

    def replace(self, shape: Shape, caller: Caller, id: str,
                seen: RecordCondition, new: Callable[[],
                                                     NewRecord], edit: Edit,
                pointer: str, *, unreadable: Collection[str] = (),
                dry_run: bool = False) -> tuple[Record, bool]:
        """Replace the record ``id``, or make it; say whether it was made.

        ``new`` gives what a new record would be, ``edit`` what an existing
        one becomes. An id that stands in another project is ``IdTaken``: ids
        are unique over all projects (D17).
        """
        declared = shape.declared

        def work(rows: Rows, given: LimitsByProject) -> tuple[Record, bool]:
            current = rows.fetch(declared, id, caller.owner)
            seen.check(declared.name, id, current)
            if current is not None:
                return self._change(rows, shape, caller, current, edit,
                                    pointer, unreadable), False
            if rows.taken(declared, [id]):
                raise _id_conflict(rows, declared, caller, id)
            made = _build_record(declared, id, new())
            self._insert(rows, shape, caller, [made], [pointer], given)
            return made, True
        return self._limited(shape, [caller.project_id], work, dry_run)

    def change(self, shape: Shape, caller: Caller, id: str,
               seen: RecordCondition, edit: Edit, pointer: str, *,
               unreadable: Collection[str] = (), dry_run: bool = False,
               action: str = 'update') -> Record:
        """Change a record that the caller last saw as ``seen``.

        Two writers can both read generation 3. The first moves it to 4; the
        second still says 3 and gets Stale rather than undoing the first
        one's work. ``unreadable`` are columns that the caller may not read;
        ``action`` is what its revision says was done.
        """
        def work(rows: Rows) -> Record:
            current = _fetch(rows, shape.declared, id, caller.owner)
            seen.check(shape.declared.name, id, current)
            return self._change(rows, shape, caller, current, edit, pointer,
                                unreadable, action)
        return self._write(work, dry_run)

    def delete(self, declared: ResourceType, caller: Caller, id: str,
               seen: RecordCondition, *, dry_run: bool = False) -> None:
        """Delete a record and what hangs on it, or nothing."""
        def work(rows: Rows) -> None:
            current = _fetch(rows, declared, id, caller.owner)
            seen.check(declared.name, id, current)
            plan = cascade.plan(rows, self._catalogue, declared, current,
                                caller.owner, self._max_cascade)
            cascade.apply(rows, plan, caller)
        self._write(work, dry_run)

    def _insert(self, rows: Rows, shape: Shape, caller: Caller,
                made: Sequence[Record], pointers: Sequence[str],
                given: LimitsByProject) -> None:
        limits.reserve(rows, shape.declared, made, given)
        self._check(rows, shape, caller,
                    list(map(PlacedRecord, made, pointers)),
                    shape.declared.properties)
        rows.insert(shape.declared, made)
        rows.revise([Revision.of(shape.declared, 'create', record, caller)
                     for record in made])

    def _change(self, rows: Rows, shape: Shape, caller: Caller,
                current: Record, edit: Edit, pointer: str,
                unreadable: Collection[str], action: str = 'update') -> Record:
        """Write what ``edit`` makes of a record; nothing if that is nothing.

        Asking for the state a record is in already succeeds and moves
        neither its generation nor its time (CODE-5). SECURITY: but for what
        the caller may not read, or each write would say whether it guessed
        the value.
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
               placed: Sequence[PlacedRecord], among: Collection[str]) -> None:
        """What other rows say to records of which ``among`` is new."""
        references.check_references(rows, self._catalogue, shape, placed,
                                    among)
        uniqueness.check(rows, shape, caller, placed, among)

    def _limited(self, shape: Shape, projects: Iterable[str | None],
                 work: Callable[[Rows, LimitsByProject], T],
                 dry_run: bool = False) -> T:
        return limits.run_with_limits(
            self._limits, shape.declared, projects, lambda given: self._write(
                lambda rows: work(rows, given), dry_run))

    def _write(self, work: Callable[[Rows], T], dry_run: bool) -> T:
        return dry_runs.write(self._store, work, dry_run)


def _build_records(declared: ResourceType, new: Sequence[NewRecord]
              ) -> tuple[list[Record], list[str]]:
    """The records that are made of new ones, and where each stands."""
    return ([_build_record(declared, str(uuid.uuid4()), one) for one in new],
            [one.pointer for one in new])


def _build_record(declared: ResourceType, id: str, new: NewRecord) -> Record:
    now = timestamps.now()
    record = {'id': id, 'generation': 1, 'created_at': now,
              'updated_at': now, 'tags': [], 'metadata': {}, **new.values}
    if declared.owned:
        record['project_id'] = new.project_id
    return record


def _id_conflict(rows: Rows, declared: ResourceType, caller: Caller,
           id: str) -> Exception:
    """Whose the id is now: a twin may have made the record since we looked.
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
