# SPDX-License-Identifier: Apache-2.0
"""Tags and metadata over HTTP: what their two controllers have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import webob

from api.request import preconditions
from api.request.call import Call
from api.response import replies
from service.domain.records import operations
from service.domain.records.store import Record
from service.domain.records.tags_metadata import (
    Subresource,
    SubresourcePrecondition,
)

#: From a record's whole collection to the one it shall have.
Change = Callable[[Any], Any]


class TagsMetadataActions:
    """Shows and changes parts of records.

    A part changes by a change of its record, whose generation, time and
    revision follow. ``overwrites`` says that a write could undo what another
    client did: only then does ``[api] require_if_match`` ask for a condition.
    """

    def __init__(self, stored: operations.Records, *,
                 require_if_match: bool) -> None:
        self._records = stored
        self._require_if_match = require_if_match

    def show(self, call: Call, id: str, part: Subresource) -> webob.Response:
        declared = call.shape.declared
        record = self._records.show(declared, call.caller, id)
        part.require(declared.name, record)
        match = preconditions.if_match(call.environ)
        if match is not None:
            SubresourcePrecondition(match, part).check(declared.name, id,
                                                       record)
        etag = _etag(part, record)
        if preconditions.unchanged(call.environ, etag):
            return replies.empty(304, [('ETag', etag)])
        return _reply(200, call, part, record)

    def put(self, call: Call, id: str, part: Subresource, change: Change, *,
            target: Subresource | None = None, overwrites: bool = True
            ) -> webob.Response:
        """Set a part, and reply with it: 201 where it was not there.

        ``target`` is what the URL names, where that is not the part itself.
        """
        made = False

        def edit(current: Record) -> Mapping[str, Any]:
            nonlocal made
            made = not part.present_in(current)
            return {part.column: change(current[part.column])}
        record = self._records.change(
            call.shape, call.caller, id,
            self._condition(call, target or part, overwrites=overwrites),
            edit, '', dry_run=call.flag('dry_run'))
        status = 201 if made and not call.flag('dry_run') else 200
        return _reply(status, call, part, record)

    def remove(self, call: Call, id: str, part: Subresource, change: Change, *,
               overwrites: bool = True) -> webob.Response:
        """Take a part away; NoSuchItem where it is not there."""
        self._records.change(
            call.shape, call.caller, id,
            self._condition(call, part, overwrites=overwrites,
                            must_exist=True),
            lambda current: {part.column: change(current[part.column])}, '',
            dry_run=call.flag('dry_run'))
        return replies.empty(204)

    def _condition(self, call: Call, part: Subresource, *, overwrites: bool,
                   must_exist: bool = False) -> SubresourcePrecondition:
        seen = preconditions.for_write(
            call.environ, required=overwrites and self._require_if_match)
        return SubresourcePrecondition(seen, part, must_exist)


def _reply(status: int, call: Call, part: Subresource,
           record: Record) -> webob.Response:
    """The part with its ETag; where it is, if new. A tag has no body."""
    headers = [('ETag', _etag(part, record))]
    if status == 201:
        headers.append(('Location', _address(call, part, record)))
    document = _document(part, record)
    if document is not None:
        return replies.document(status, document, headers)
    return replies.empty(201 if status == 201 else 204, headers)


def _document(part: Subresource, record: Record) -> dict[str, Any] | None:
    if part.item is None:
        return {part.column: record[part.column]}
    if part.column == 'tags':
        return None
    return {'key': part.item, 'value': record[part.column][part.item]}


def _address(call: Call, part: Subresource, record: Record) -> str:
    item = quote(part.item or '', safe='')
    return (f'{call.mount}/{call.shape.declared.path}/{record["id"]}/'
            f'{part.column}/{item}')


def _etag(part: Subresource, record: Record) -> str:
    """Strong: every version shows a part alike. The word before the mark is
    what If-Match compares."""
    return f'"{part.state_token(record)}-{part.column}"'
