# SPDX-License-Identifier: Apache-2.0
"""The revisions of a record, and the action ``revert``."""

from __future__ import annotations

from functools import partial
from typing import Any

import webob

from api.controllers.records import RecordsController
from api.request import read_only_members
from api.request.call import Call
from api.response import replies, views
from api.response.views import Document
from api.routing.extensions import action
from service.domain.documents import values
from service.domain.errors import Invalid, Violation
from service.domain.query import filter_syntax
from service.domain.records import revisions
from service.domain.records.revisions import RecordHistory
from service.domain.records.store import NumberedRevision

#: Schema of the arguments of ``revert``, and the pointer to its argument.
_REVERT = {'type': 'object', 'properties': {
    'revision': {'type': 'integer', 'minimum': 1, 'maximum': 2 ** 63 - 1}},
    'required': ['revision'], 'additionalProperties': False}
_POINTER = '/revert/revision'


class RevisionsController:
    """The list of a record's revisions, and the action ``revert``.

    ``RecordsController`` shows a single revision, at the record's own URL.
    """

    def __init__(self, history: RecordHistory, records: RecordsController,
                 max_limit: int) -> None:
        self._history = history
        self._records = records
        self._max_limit = max_limit

    def list(self, call: Call, id: str) -> webob.Response:
        """List revisions, newest first, also those of a deleted record."""
        view = self._records.view(call)
        paging = call.values({
            'limit': partial(filter_syntax.parse_limit,
                             maximum=self._max_limit),
            'marker': revisions.parse_number})
        page = self._history.list(
            view.shape.declared, call.caller, id,
            paging.get('limit', self._max_limit), paging.get('marker'))
        return replies.document(200, views.revisions(
            view, id, page, call.mount, call.parameters))

    @action(schema=_REVERT)
    def revert(self, call: Call, id: str, arguments: dict[str, Any]
               ) -> webob.Response:
        """Replace a record by the document of one of its revisions.

        Equals a PUT of that document, with the same errors: a unique value
        may be taken, a referenced record deleted or a rule changed since.
        Properties that the version or the caller cannot read keep their
        current values (D15).
        """
        bad = values.normalize_integer_members(arguments, '/revert')
        if bad:
            raise Invalid(bad)
        number = arguments['revision']
        numbered = self._history.find(call.shape.declared, call.caller, id,
                                      number)

        def edit(full: Document) -> Document:
            if numbered is None:
                raise Invalid([Violation(
                    f'revision: the {call.shape.declared.name} has no '
                    f'revision {number}; it never existed or was removed',
                    _POINTER)])
            return self._document(call, numbered)
        return self._records.revert(call, id, edit, _POINTER)

    def _document(self, call: Call, numbered: NumberedRevision) -> Document:
        """Return the body of the PUT that restores a revision."""
        document = self._records.view(call).document(
            numbered.revision.document, call.mount)
        return {name: value for name, value in document.items()
                if name not in read_only_members.SERVICE_MEMBERS}
