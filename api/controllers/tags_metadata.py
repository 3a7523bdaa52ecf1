# SPDX-License-Identifier: Apache-2.0
"""The code that the controllers of tags and of metadata share."""

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

#: Takes a record's tags or metadata, returns those it will have.
Change = Callable[[Any], Any]


class TagsMetadataActions:
    """Shows and changes the tags and metadata of records.

    Each change is a change of the record, with a new generation, update time
    and revision. ``overwrites`` means that a request can undo the change of
    another client: only then does ``[api] require_if_match`` apply.
    """

    def __init__(self, stored: operations.Records, *,
                 require_if_match: bool) -> None:
        self._records = stored
        self._require_if_match = require_if_match

    def show(self, call: Call, id: str,
             subresource: Subresource) -> webob.Response:
        declared = call.shape.declared
        record = self._records.show(declared, call.caller, id)
        subresource.require(declared.name, record)
        match = preconditions.if_match(call.environ)
        if match is not None:
            SubresourcePrecondition(match, subresource).check(
                declared.name, id, record)
        etag = _etag(subresource, record)
        if preconditions.unchanged(call.environ, etag):
            return replies.empty(304, [('ETag', etag)])
        return _reply(200, call, subresource, record)

    def put(self, call: Call, id: str, subresource: Subresource,
            change: Change, *, target: Subresource | None = None,
            overwrites: bool = True) -> webob.Response:
        """Set an item or the whole collection; return 201 for a new item.

        If-Match applies to ``target``, which the URL names; by default to
        ``subresource``.
        """
        created = False

        def edit(current: Record) -> Mapping[str, Any]:
            nonlocal created
            created = not subresource.present_in(current)
            return {subresource.column: change(current[subresource.column])}
        record = self._records.change(
            call.shape, call.caller, id,
            self._condition(call, target or subresource,
                            overwrites=overwrites),
            edit, '', dry_run=call.flag('dry_run'))
        status = 201 if created and not call.flag('dry_run') else 200
        return _reply(status, call, subresource, record)

    def remove(self, call: Call, id: str, subresource: Subresource,
               change: Change, *, overwrites: bool = True) -> webob.Response:
        """Remove an item or the whole collection; raise NoSuchItem if absent.
        """
        column = subresource.column
        self._records.change(
            call.shape, call.caller, id,
            self._condition(call, subresource, overwrites=overwrites,
                            must_exist=True),
            lambda current: {column: change(current[column])}, '',
            dry_run=call.flag('dry_run'))
        return replies.empty(204)

    def _condition(self, call: Call, subresource: Subresource, *,
                   overwrites: bool,
                   must_exist: bool = False) -> SubresourcePrecondition:
        condition = preconditions.for_write(
            call.environ, required=overwrites and self._require_if_match)
        return SubresourcePrecondition(condition, subresource, must_exist)


def _reply(status: int, call: Call, subresource: Subresource,
           record: Record) -> webob.Response:
    """Return a response with an ETag, and the URL of a new subresource."""
    headers = [('ETag', _etag(subresource, record))]
    if status == 201:
        headers.append(('Location', _address(call, subresource, record)))
    document = _document(subresource, record)
    if document is not None:
        return replies.document(status, document, headers)
    return replies.empty(201 if status == 201 else 204, headers)


def _document(subresource: Subresource,
              record: Record) -> dict[str, Any] | None:
    """Return the JSON document of the subresource; None for a tag."""
    column, item = subresource.column, subresource.item
    if item is None:
        return {column: record[column]}
    if column == 'tags':
        return None
    return {'key': item, 'value': record[column][item]}


def _address(call: Call, subresource: Subresource, record: Record) -> str:
    item = quote(subresource.item or '', safe='')
    return (f'{call.mount}/{call.shape.declared.path}/{record["id"]}/'
            f'{subresource.column}/{item}')


def _etag(subresource: Subresource, record: Record) -> str:
    """Return a strong ETag; all versions show tags and metadata alike.

    If-Match compares the part before the last hyphen.
    """
    return f'"{subresource.state_token(record)}-{subresource.column}"'
