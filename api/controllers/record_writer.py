# SPDX-License-Identifier: Apache-2.0
"""Turn a request body into new records and edits for the storage."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import orjson

from api.policy import enforcement
from api.policy.enforcement import Policy
from api.request import read_only_members, schemas
from api.request.call import Call
from api.request.json_body import JSON_PATCH
from api.request.schemas import Schema
from api.response.views import Document, View
from service.domain.caller import PROJECT_ID_FORMAT, is_project_id
from service.domain.documents import patch, pointers, values
from service.domain.errors import MAX_VIOLATIONS, Forbidden, Invalid, Violation
from service.domain.records.operations import Edit, NewRecord
from service.domain.records.store import Record

#: Columns that have policy rules of their own.
TAGS_METADATA = ('tags', 'metadata')

#: Limit of records in one bulk create (D6).
MAX_BULK_RECORDS = 1000

#: Takes the document that the client would read, returns the one it requests.
DocumentEdit = Callable[[Document], Any]


class RecordWriter:
    """Turns the body of one call into new records or an edit of a record."""

    def __init__(self, call: Call, view: View, schema: Schema,
                 policy: Policy, max_record: int) -> None:
        self.view = view
        self.declared = call.shape.declared
        self.pointer = f'/{self.declared.name}'
        self._call = call
        self._schema = schema
        self._policy = policy
        self._max_record = max_record
        self._read_only = read_only_members.names(call.shape,
                                                  call.caller.roles)

    def members(self, alternative: str = '') -> Document:
        """Return the members of the one record in the body.

        ``alternative`` completes the error text of a body without a record.
        """
        return self._checked_object(
            self._unwrap(self.declared.name, alternative), self.pointer)

    def new_records(self) -> tuple[list[NewRecord], bool]:
        """Return the records to create, and whether the body has a list.

        Raises Invalid with the mistakes of all items.
        """
        plural = self.declared.plural
        body = self._call.body
        if not (isinstance(body, dict) and plural in body):
            members = self.members(f', or {plural} with a list of records')
            return [self._new_record(members, self.pointer)], False
        items = self._unwrap(plural)
        if not isinstance(items, list):
            raise Invalid([Violation(
                f'{plural}: {values.quoted(items)} is not a list; send a '
                f'single record as {self.declared.name}', f'/{plural}')])
        if not 1 <= len(items) <= MAX_BULK_RECORDS:
            raise Invalid([Violation(
                f'{plural} has {len(items)} records; one request creates 1 '
                f'to {MAX_BULK_RECORDS}', f'/{plural}')])
        return list(self._bulk_records(items, f'/{plural}')), True

    def new_record(self, id: str, members: Document) -> NewRecord:
        """Return the record to create under an id that the client chose."""
        if not _is_uuid(id):
            raise Invalid([Violation(
                f'The id {values.quoted(id)} is not a UUID in lower case with '
                f'hyphens, such as {uuid.uuid4()}')])
        known = {'id': id, 'project_id': self._call.caller.project_id}
        return self._new_record(members, self.pointer, known)

    def patch(self) -> tuple[DocumentEdit, str]:
        """Return the edit of a patch, and the pointer for its mistakes."""
        if self._call.media_type == JSON_PATCH:
            return (lambda full: patch.apply(full, self._call.body)), ''
        members = self.members()
        return (lambda full: self._merge(full, members)), self.pointer

    def _merge(self, full: Document, members: Document) -> Document:
        """Return the document after a merge patch.

        A null for a member that the document does not have would be ignored,
        which hides a misspelt name (CODE-11). Such a null stays in the
        result, so that the schema rejects it. If the member is a property
        that the caller cannot read, the null becomes the default.
        """
        absent = [name for name, value in members.items()
                  if value is None and name not in full]
        known = self._call.shape.properties
        return {**patch.merge(full, members), **{
            name: schemas.default(known[name]) if name in known else None
            for name in absent}}

    def record_edit(self, edit: DocumentEdit, pointer: str, *,
                    whole: bool) -> Edit:
        """Return the edit of columns for an edit of the document.

        With ``whole``, properties missing from the edited document return to
        their defaults, except those that the caller cannot write or read.
        Unchanged members are not validated: an older client may send back a
        value that only newer versions accept.
        """
        def edit_columns(current: Record) -> Mapping[str, Any]:
            full = self.view.document(current, self._call.mount)
            target = self._checked_object(edit(full), pointer)
            self._check_size(target, full)
            members, bad = read_only_members.writable(
                target, full, self._read_only, pointer)
            bad += [Violation(f'{place} {reason}', place)
                    for place, reason in values.storage_flaws(target, pointer)]
            if not whole:
                bad += read_only_members.change_violations(
                    (name for name in full
                     if name in self._read_only and name not in target),
                    pointer, 'removed')
            unchanged = {name for name, value in members.items()
                         if name in full and values.same(full[name], value)}
            unchanged |= self._inaccessible(members)
            columns = self._schema.columns(
                {name: value for name, value in members.items()
                 if name not in unchanged}, pointer, bad, unchanged, current)
            omitted = columns.keys() - members.keys() if whole else ()
            return self._permitted(columns, current, omitted)
        return edit_columns

    def _permitted(self, columns: Mapping[str, Any], current: Record,
                   omitted: Collection[str]) -> Mapping[str, Any]:
        """Return the columns without tags or metadata the caller may not set.

        SECURITY: tags and metadata have policy rules of their own, at their
        own URLs and here. A denied column in ``omitted`` keeps its value. For
        any other denied column the method raises Forbidden, because the
        caller asked to change the column.
        """
        denied = [name for name in TAGS_METADATA if name in columns
                  and not values.same(columns[name], current[name])
                  and not self._policy.allows(self._call.caller,
                                              self._rule(name))]
        for name in denied:
            if name not in omitted:
                raise Forbidden(rule=self._rule(name))
        return {name: value for name, value in columns.items()
                if name not in denied}

    def _rule(self, name: str) -> str:
        return enforcement.name(self.declared, f'update_{name}')

    def _check_size(self, target: Document, full: Document) -> None:
        """Raise Invalid if a patch grows a record beyond the limit (J08).

        Each patch is at most as large as a body, but without a limit of the
        record many patches could grow the record without bound.
        """
        size = len(orjson.dumps(target))
        if size > self._max_record and size > len(orjson.dumps(full)):
            raise Invalid([Violation(
                f'The record would have {size} bytes; the limit is '
                f'{self._max_record}', '')])

    def _inaccessible(self, members: Document) -> set[str]:
        """Return the omitted properties that the caller cannot write or read.
        """
        return {name for name, prop in self.view.shape.properties.items()
                if name not in members and (
                    name in self._read_only or prop.name in self.view.hidden)}

    def _bulk_records(self, items: list[Any],
                      pointer: str) -> Iterator[NewRecord]:
        bad: list[Violation] = []
        for index, item in enumerate(items):
            if len(bad) >= MAX_VIOLATIONS:
                break
            place = f'{pointer}/{index}'
            try:
                members = self._checked_object(item, place)
                yield self._new_record(members, place)
            except Invalid as exc:
                bad += exc.violations
        if bad:
            raise Invalid(bad)

    def _new_record(self, members: Document, pointer: str,
                    known: Mapping[str, Any] | None = None) -> NewRecord:
        project_id = self._call.caller.project_id
        if self.declared.owned and known is None and 'project_id' in members:
            self._policy.check(self._call.caller, enforcement.name(
                self.declared, 'create_any'))
            project_id = members['project_id']
            known = {'project_id': project_id}
        allowed, bad = read_only_members.writable(
            members, known or {}, self._read_only, pointer)
        if self.declared.owned:
            bad += _owner_violations(project_id, pointer)
        columns = self._schema.new_columns(allowed, pointer, bad)
        return NewRecord(columns, project_id, pointer)

    def _unwrap(self, name: str, alternative: str = '') -> Any:
        """Return the value of the body's only member, which must be ``name``.
        """
        body = self._call.body
        if not isinstance(body, dict) or name not in body:
            raise Invalid([Violation(
                f'The body must be an object with the one member '
                f'{name}{alternative}', '')])
        if len(body) > 1:
            raise Invalid(Violation(
                f'{values.quoted(member)} is not a member of the body; the '
                f'only valid member is {name}', pointers.child('', member))
                for member in body if member != name)
        return body[name]

    @staticmethod
    def _checked_object(value: Any, pointer: str) -> Document:
        if not isinstance(value, dict):
            raise Invalid([Violation(
                f'{pointer[1:].replace("/", ".") or "The record"}: '
                f'{values.quoted(value)} is not an object', pointer)])
        return value


def _owner_violations(project_id: Any, pointer: str) -> list[Violation]:
    if is_project_id(project_id):
        return []
    return [Violation(
        'project_id: a record needs the id of a project; a project id has '
        f'{PROJECT_ID_FORMAT}', f'{pointer}/project_id')]


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
