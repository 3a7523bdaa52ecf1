# SPDX-License-Identifier: Apache-2.0
"""A record's tags: all of them, and each one at its own URL."""

from __future__ import annotations

import webob

from api.controllers.tags_metadata import TagsMetadataActions
from api.request import schemas
from api.request.call import Call
from service.domain.documents import values
from service.domain.errors import Invalid, Violation
from service.domain.records.tags_metadata import Subresource

ALL = Subresource('tags')

_BODY = schemas.compiled({
    'type': 'object', 'properties': {'tags': schemas.TAGS},
    'required': ['tags'], 'additionalProperties': False})
_TAG = schemas.compiled(schemas.TAG)
_MOST: int = schemas.TAGS['maxItems']


class TagsController:
    """The actions on ``/tags`` and ``/tags/{tag}``.

    Adding or removing one tag leaves the others alone, so that neither ever
    needs a condition.
    """

    def __init__(self, parts: TagsMetadataActions) -> None:
        self._parts = parts

    def list(self, call: Call, id: str) -> webob.Response:
        return self._parts.show(call, id, ALL)

    def replace(self, call: Call, id: str) -> webob.Response:
        schemas.check(_BODY, call.body)
        return self._parts.put(call, id, ALL, lambda tags: call.body['tags'])

    def clear(self, call: Call, id: str) -> webob.Response:
        return self._parts.remove(call, id, ALL, lambda tags: [])

    def show(self, call: Call, id: str, tag: str) -> webob.Response:
        """204, as for HEAD: that it is there is all there is to say."""
        return self._parts.show(call, id, Subresource('tags', tag))

    def add(self, call: Call, id: str, tag: str) -> webob.Response:
        """201 for a new tag, 204 for one that was there."""
        if not _TAG.is_valid(tag):
            raise Invalid([Violation(
                f'{values.quoted(tag)} is not a tag; a tag has 1 to '
                f'{schemas.TAG["maxLength"]} characters, none of them "/" or '
                f'",", and is neither "." nor "..".')])
        return self._parts.put(call, id, Subresource('tags', tag),
                               lambda tags: _with(tags, tag),
                               overwrites=False)

    def remove(self, call: Call, id: str, tag: str) -> webob.Response:
        return self._parts.remove(
            call, id, Subresource('tags', tag),
            lambda tags: [one for one in tags if one != tag],
            overwrites=False)


def _with(tags: list[str], tag: str) -> list[str]:
    if tag in tags:
        return tags
    if len(tags) >= _MOST:
        raise Invalid([Violation(
            f'The record has {_MOST} tags, the most there may be; remove one '
            f'before adding {values.quoted(tag)}.')])
    return [*tags, tag]
