# SPDX-License-Identifier: Apache-2.0
"""The actions on collections and records of declared types."""

from __future__ import annotations

from collections.abc import Sequence

import webob

from api.controllers import idempotency
from api.controllers.record_writer import DocumentEdit, RecordWriter
from api.policy import enforcement
from api.policy.enforcement import Policy
from api.request import preconditions
from api.request.call import Call
from api.request.schemas import Schema
from api.response import replies, views
from api.response.views import Document, View
from service.domain.catalogue.types import Shape
from service.domain.query import all_projects, list_query
from service.domain.records import operations, revisions
from service.domain.records.preconditions import Precondition
from service.domain.records.revisions import RecordHistory
from service.domain.records.store import Record


class RecordsController:
    """List, create, show, replace, patch and delete, for every type."""

    def __init__(self, stored: operations.Records, history: RecordHistory,
                 policy: Policy, max_limit: int, *, require_if_match: bool,
                 max_record: int) -> None:
        self._records = stored
        self._history = history
        self._policy = policy
        self._max_limit = max_limit
        self._require_if_match = require_if_match
        self._max_record = max_record
        self._schemas: dict[Shape, Schema] = {}
        self._views: dict[tuple[Shape, frozenset[str]], View] = {}

    def list(self, call: Call) -> webob.Response:
        view = self.view(call)
        declared = view.shape.declared
        if declared.owned and all_projects.requested(call.parameters):
            self._policy.check(call.caller, enforcement.name(declared,
                                                        'list_any'))
        query = list_query.parse(call.shape, call.parameters,
                                 self._max_limit, view.hidden)
        if query.fields is not None:
            view = View(call.shape, call.caller.roles, query.fields)
        page = self._records.list(declared, call.caller, query)
        return replies.document(200, views.page(view, page, call.mount,
                                                call.parameters))

    def show(self, call: Call, id: str) -> webob.Response:
        """Show a record's current state, or that of the given revision."""
        view = self._selected_view(call)
        number = call.values({'revision': revisions.parse_number}).get(
            'revision')
        if number is None:
            record = self._records.show(view.shape.declared, call.caller, id)
            etag = view.etag(record)
        else:
            record = self._revision(call, id, number)
            etag = view.revision_etag(number)
        self._check_if_match(call, record, number)
        if preconditions.unchanged(call.environ, etag):
            return replies.empty(304, [('ETag', etag)])
        return self._reply(200, call, view, record, etag)

    @staticmethod
    def _check_if_match(call: Call, record: Record,
                        number: int | None) -> None:
        """Raise Stale if a read's If-Match names another state."""
        match = preconditions.if_match(call.environ)
        if match is None:
            return
        name = call.shape.declared.name
        if number is None:
            match.check(name, record['id'], record)
        else:
            revisions.check_precondition(match, name, record['id'], number)

    def _selected_view(self, call: Call) -> View:
        """Return the caller's view, reduced to ``fields`` if requested."""
        view = self.view(call)
        selection = [pair for pair in call.parameters if pair[0] == 'fields']
        if not selection:
            return view
        return View(call.shape, call.caller.roles, list_query.parse(
            call.shape, selection, self._max_limit, view.hidden).fields)

    def _revision(self, call: Call, id: str, number: int) -> Record:
        declared = call.shape.declared
        self._policy.check(call.caller, enforcement.name(declared,
                                                    'show_revision'))
        return self._history.show(declared, call.caller, id,
                                  number).revision.document

    def create(self, call: Call) -> webob.Response:
        """Create one record, or all records of a list in one transaction.

        A request with an Idempotency-Key is executed once; a repetition gets
        the stored reply.
        """
        writer = self._writer(call)
        dry_run = call.flag('dry_run')
        key = idempotency.key(call.environ)
        new, bulk = writer.new_records()

        def reply(created: Sequence[Record]) -> webob.Response:
            status = 200 if dry_run else 201
            if not bulk:
                return self._reply(status, call, writer.view, created[0])
            return replies.document(status, {
                call.shape.declared.plural: [
                    writer.view.document(record, call.mount)
                    for record in created]})
        if key is None or dry_run:
            return reply(self._records.create(call.shape, call.caller, new,
                                              dry_run=dry_run))
        return idempotency.replay(call, key, self._records.create_idempotent(
            call.shape, call.caller, new,
            idempotency.keyed_request(call, key, reply)))

    def replace(self, call: Call, id: str) -> webob.Response:
        """Replace a record, or create one under the client's id."""
        self._policy.check(call.caller, enforcement.name(call.shape.declared,
                                                    'create'))
        writer = self._writer(call)
        members = writer.members()
        dry_run = call.flag('dry_run')
        record, created = self._records.replace(
            call.shape, call.caller, id, self._condition(call),
            lambda: writer.new_record(id, members),
            writer.record_edit(lambda full: members, writer.pointer,
                               whole=True),
            writer.pointer, unreadable=writer.view.hidden, dry_run=dry_run)
        return self._reply(201 if created and not dry_run else 200, call,
                           writer.view, record)

    def patch(self, call: Call, id: str) -> webob.Response:
        """Apply a merge patch or a JSON Patch to a record."""
        writer = self._writer(call)
        edit, pointer = writer.patch()
        record = self._records.change(
            call.shape, call.caller, id, self._condition(call),
            writer.record_edit(edit, pointer, whole=False), pointer,
            unreadable=writer.view.hidden, dry_run=call.flag('dry_run'))
        return self._reply(200, call, writer.view, record)

    def read(self, call: Call, id: str) -> Document:
        """Return a record's document, for a type's own controller."""
        view = self.view(call)
        record = self._records.show(view.shape.declared, call.caller, id)
        return view.document(record, call.mount)

    def set(self, call: Call, id: str,
            edit: operations.Edit) -> webob.Response:
        """Change columns of a record, for a type's own controller."""
        view = self.view(call)
        record = self._records.change(
            call.shape, call.caller, id, self._condition(call), edit, '',
            dry_run=call.flag('dry_run'))
        return self._reply(200, call, view, record)

    def revert(self, call: Call, id: str, edit: DocumentEdit, pointer: str
               ) -> webob.Response:
        """Replace an existing record by the document of a revision."""
        writer = self._writer(call)
        record = self._records.change(
            call.shape, call.caller, id, self._condition(call),
            writer.record_edit(edit, pointer, whole=True), pointer,
            unreadable=writer.view.hidden, dry_run=call.flag('dry_run'),
            action='revert')
        return self._reply(200, call, writer.view, record)

    def delete(self, call: Call, id: str) -> webob.Response:
        self._records.delete(call.shape.declared, call.caller, id,
                             self._condition(call),
                             dry_run=call.flag('dry_run'))
        return replies.empty(204)

    def _condition(self, call: Call) -> Precondition:
        """Return the precondition of a write."""
        return preconditions.for_write(call.environ,
                                       required=self._require_if_match)

    def _writer(self, call: Call) -> RecordWriter:
        shape = call.shape
        schema = self._schemas.get(shape)
        if schema is None:
            schema = self._schemas[shape] = Schema(shape)
        return RecordWriter(call, self.view(call), schema, self._policy,
                      self._max_record)

    def view(self, call: Call) -> View:
        """Return the caller's view of the records of a type.

        PERF: one view serves all callers whose roles differ only in roles
        that no ``read_roles`` of the type names.
        """
        shape = call.shape
        roles = call.caller.roles & shape.read_roles
        view = self._views.get((shape, roles))
        if view is None:
            view = self._views[shape, roles] = View(shape, roles)
        return view

    def _reply(self, status: int, call: Call, view: View, record: Record,
               etag: str | None = None) -> webob.Response:
        """Return a response with one record, its ETag and, if 201, its URL."""
        headers = [('ETag', etag or view.etag(record))]
        if status == 201:
            headers.append(('Location', view.address(record['id'],
                                                     call.mount)))
        return replies.document(status, {
            view.shape.declared.name: view.document(record, call.mount)},
            headers)
