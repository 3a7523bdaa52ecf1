# SPDX-License-Identifier: Apache-2.0
"""A record's revisions, and the way back to one."""

from __future__ import annotations

from functools import partial
from typing import Any

import webob

from api.controllers.records import RecordsController
from api.request import schemas
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

#: The one argument of ``revert``, and where a body has it.
_REVERT = {'type': 'object', 'properties': {
    'revision': {'type': 'integer', 'minimum': 1, 'maximum': 2 ** 63 - 1}},
    'required': ['revision'], 'additionalProperties': False}
_PLACE = '/revert/revision'


class RevisionsController:
    """The list of what was done to a record, and ``revert``.

    One revision is shown by ``records``, at the record's own URL.
    """

    def __init__(self, past: RecordHistory, records: RecordsController,
                 max_limit: int) -> None:
        self._history = past
        self._records = records
        self._max_limit = max_limit

    def list(self, call: Call, id: str) -> webob.Response:
        """The newest first; also those of a record deleted since."""
        view = self._records.view(call)
        asked = call.values({
            'limit': partial(filter_syntax.parse_limit,
                             maximum=self._max_limit),
            'marker': revisions.parse_number})
        found = self._history.list(
            view.shape.declared, call.caller, id,
            asked.get('limit', self._max_limit), asked.get('marker'))
        return replies.document(200, views.revisions(
            view, id, found, call.mount, call.parameters))

    @action(schema=_REVERT)
    def revert(self, call: Call, id: str, arguments: dict[str, Any]
               ) -> webob.Response:
        """Make a record what it was: a PUT of that revision's document.

        All that a PUT is refused for, a revert is: what was right then may
        be taken, gone or against the rules by now. What the version or the
        caller cannot see stays as it is (D15).
        """
        bad = values.normalize_integer_members(arguments, '/revert')
        if bad:
            raise Invalid(bad)
        number = arguments['revision']
        past = self._history.find(call.shape.declared, call.caller, id,
                                  number)

        def wish(full: Document) -> Document:
            if past is None:
                raise Invalid([Violation(
                    f'revision: the {call.shape.declared.name} has no '
                    f'revision {number}, or no longer', _PLACE)])
            return self._written(call, past)
        return self._records.put_back(call, id, wish, _PLACE)

    def _written(self, call: Call, past: NumberedRevision) -> Document:
        """What a client that had read the revision would send."""
        document = self._records.view(call).document(
            past.revision.document, call.mount)
        return {name: value for name, value in document.items()
                if name not in schemas.READ_ONLY}
