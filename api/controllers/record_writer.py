# SPDX-License-Identifier: Apache-2.0
"""From a body to what shall be written: new records, and edits."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

import orjson

from api.policy import enforcement
from api.policy.enforcement import Policy
from api.request import schemas
from api.request.call import Call
from api.request.json_body import JSON_PATCH
from api.request.schemas import Schema
from api.response.views import Document, View
from service.domain.caller import PROJECT_ID_FORMAT, is_project_id
from service.domain.documents import patch, pointers, values
from service.domain.errors import MAX_VIOLATIONS, Forbidden, Invalid, Violation
from service.domain.records.operations import Edit, NewRecord
from service.domain.records.store import Record

#: What a record has that is guarded by a rule of its own.
TAGS_METADATA = ('tags', 'metadata')

#: The most records of one bulk create (D6).
MAX_BULK_RECORDS = 1000

#: From the document as the client would read it to the one it asks for.
DocumentEdit = Callable[[Document], Any]


class RecordWriter:
    """Reads the body of one call."""

    def __init__(self, call: Call, view: View, schema: Schema,
                 rules: Policy, max_record: int) -> None:
        self.view = view
        self.declared = call.shape.declared
        self.pointer = f'/{self.declared.name}'
        self._call = call
        self._schema = schema
        self._policy = rules
        self._max_record = max_record
        self._locked = schemas.read_only(call.shape, call.caller.roles)

    def members(self, otherwise: str = '') -> Document:
        """The one record of the body, out of its wrapper. ``otherwise`` is
        what could stand there instead."""
        return self._object(self._unwrapped(self.declared.name, otherwise),
                            self.pointer)

    def new(self) -> tuple[list[NewRecord], bool]:
        """The records to make, and whether they came as a list.

        The mistakes of all items are told at once.
        """
        plural = self.declared.plural
        body = self._call.body
        if not (isinstance(body, dict) and plural in body):
            members = self.members(f', or {plural} with a list of them')
            return [self._new(members, self.pointer)], False
        items = self._unwrapped(plural)
        if not isinstance(items, list):
            raise Invalid([Violation(
                f'{plural}: {values.quoted(items)} is not a list; one record '
                f'alone is sent as {self.declared.name}', f'/{plural}')])
        if not 1 <= len(items) <= MAX_BULK_RECORDS:
            raise Invalid([Violation(
                f'{plural} has {len(items)} records; one request makes 1 to '
                f'{MAX_BULK_RECORDS}', f'/{plural}')])
        return list(self._bulk(items, f'/{plural}')), True

    def named(self, id: str, members: Document) -> NewRecord:
        """The record to make under an id of the client's own choice."""
        if not _is_uuid(id):
            raise Invalid([Violation(
                f'The id {values.quoted(id)} is not a UUID in lower case with '
                f'hyphens, such as {uuid.uuid4()}')])
        known = {'id': id, 'project_id': self._call.caller.project_id}
        return self._new(members, self.pointer, known)

    def patch(self) -> tuple[DocumentEdit, str]:
        """What a patch wishes, and where its mistakes stand."""
        if self._call.media_type == JSON_PATCH:
            return (lambda full: patch.apply(full, self._call.body)), ''
        members = self.members()
        return (lambda full: self._merged(full, members)), self.pointer

    def _merged(self, full: Document, members: Document) -> Document:
        """A merge patch carried out. Taking away what no version of the
        record has here would change nothing, and hide a misspelt name
        (CODE-11): such a null stays, for the schema to refuse. One of what
        the caller cannot read is the default, since there is nothing to take
        away from what it sees."""
        absent = [name for name, value in members.items()
                  if value is None and name not in full]
        known = self._call.shape.properties
        return {**patch.merge(full, members), **{
            name: schemas.default(known[name]) if name in known else None
            for name in absent}}

    def edit(self, wish: DocumentEdit, pointer: str, *, whole: bool) -> Edit:
        """What a wish makes of a record's columns.

        ``whole``: what the wish leaves out goes back to its default, but for
        what this caller cannot write or read. Members that are as they were
        are no part of it, so that an older client may send back a value that
        only newer versions know.
        """
        def edited(current: Record) -> Mapping[str, Any]:
            full = self.view.document(current, self._call.mount)
            target = self._object(wish(full), pointer)
            self._no_larger(target, full)
            members, bad = schemas.writable(target, full, self._locked,
                                           pointer)
            bad += [Violation(f'{where} {reason}', where)
                    for where, reason in values.storage_flaws(target, pointer)]
            if not whole:
                bad += schemas.refused_changes(
                    (name for name in full
                     if name in self._locked and name not in target),
                    pointer, 'removed')
            kept = {name for name, value in members.items()
                    if name in full and values.same(full[name], value)}
            kept |= self._beyond(members)
            columns = self._schema.columns(
                {name: value for name, value in members.items()
                 if name not in kept}, pointer, bad, kept, current)
            left = {} if not whole else columns.keys() - members.keys()
            return self._guarded(columns, current, left)
        return edited

    def _guarded(self, columns: Mapping[str, Any], current: Record,
                 left: Collection[str]) -> Mapping[str, Any]:
        """The columns without parts that are not the caller's to change.

        SECURITY: tags and metadata have rules of their own, at their own
        URLs and here. What was ``left`` out stays as it was; Forbidden where
        the caller asked for a change.
        """
        shut = [part for part in TAGS_METADATA if part in columns
                and not values.same(columns[part], current[part])
                and not self._policy.allows(self._call.caller,
                                            self._rule(part))]
        for part in shut:
            if part not in left:
                raise Forbidden(rule=self._rule(part))
        return {name: value for name, value in columns.items()
                if name not in shut}

    def _rule(self, part: str) -> str:
        return enforcement.name(self.declared, f'update_{part}')

    def _no_larger(self, target: Document, full: Document) -> None:
        """Refuse a record that grew beyond what one body may say (J08): by
        patches of a megabyte each it would have no bound at all."""
        size = len(orjson.dumps(target))
        if size > self._max_record and size > len(orjson.dumps(full)):
            raise Invalid([Violation(
                f'The record would have {size} bytes; it may have '
                f'{self._max_record}', '')])

    def _beyond(self, members: Document) -> set[str]:
        """Names the caller said nothing of because it cannot."""
        return {name for name, prop in self.view.shape.properties.items()
                if name not in members and (
                    name in self._locked or prop.name in self.view.hidden)}

    def _bulk(self, items: list[Any], pointer: str) -> Iterator[NewRecord]:
        bad: list[Violation] = []
        for index, item in enumerate(items):
            if len(bad) >= MAX_VIOLATIONS:
                break
            where = f'{pointer}/{index}'
            try:
                yield self._new(self._object(item, where), where)
            except Invalid as exc:
                bad += exc.violations
        if bad:
            raise Invalid(bad)

    def _new(self, members: Document, pointer: str,
             known: Mapping[str, Any] | None = None) -> NewRecord:
        project_id = self._call.caller.project_id
        if self.declared.owned and known is None and 'project_id' in members:
            self._policy.check(self._call.caller, enforcement.name(
                self.declared, 'create_any'))
            project_id = members['project_id']
            known = {'project_id': project_id}
        allowed, bad = schemas.writable(members, known or {}, self._locked,
                                       pointer)
        if self.declared.owned:
            bad += _bad_owner(project_id, pointer)
        return NewRecord(self._schema.created(allowed, pointer, bad),
                         project_id, pointer)

    def _unwrapped(self, name: str, otherwise: str = '') -> Any:
        body = self._call.body
        if not isinstance(body, dict) or name not in body:
            raise Invalid([Violation(
                f'The body must be an object with the one member '
                f'{name}{otherwise}', '')])
        if len(body) > 1:
            raise Invalid(Violation(
                f'{values.quoted(one)} is not a member of the body; its one '
                f'member is {name}', pointers.child('', one))
                for one in body if one != name)
        return body[name]

    @staticmethod
    def _object(value: Any, pointer: str) -> Document:
        if not isinstance(value, dict):
            raise Invalid([Violation(
                f'{pointer[1:].replace("/", ".") or "The record"}: '
                f'{values.quoted(value)} is not an object', pointer)])
        return value


def _bad_owner(project_id: Any, pointer: str) -> list[Violation]:
    if is_project_id(project_id):
        return []
    return [Violation('project_id: a record needs a project, named in '
                      f'{PROJECT_ID_FORMAT}', f'{pointer}/project_id')]


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
