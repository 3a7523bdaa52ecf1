# SPDX-License-Identifier: Apache-2.0
"""A record's tags: the whole list, and each tag at its own URL."""

from __future__ import annotations

import webob

from api.controllers.tags_metadata import TagsMetadataActions
from api.request import schemas
from api.request.call import Call
from service.domain.documents import values
from service.domain.errors import Invalid, Violation
from service.domain.records.tags_metadata import Subresource

ALL = Subresource('tags')

_BODY = schemas.compile_schema({
    'type': 'object', 'properties': {'tags': schemas.TAGS},
    'required': ['tags'], 'additionalProperties': False})
_TAG = schemas.compile_schema(schemas.TAG)
_MAX_TAGS: int = schemas.TAGS['maxItems']


class TagsController:
    """The actions on ``/tags`` and ``/tags/{tag}``.

    Adding or removing one tag does not change other tags, so requests for
    one tag never need If-Match.
    """

    def __init__(self, actions: TagsMetadataActions) -> None:
        self._actions = actions

    def list(self, call: Call, id: str) -> webob.Response:
        return self._actions.show(call, id, ALL)

    def replace(self, call: Call, id: str) -> webob.Response:
        schemas.check(_BODY, call.body)
        return self._actions.put(call, id, ALL,
                                 lambda tags: call.body['tags'])

    def clear(self, call: Call, id: str) -> webob.Response:
        return self._actions.remove(call, id, ALL, lambda tags: [])

    def show(self, call: Call, id: str, tag: str) -> webob.Response:
        """Return 204 if the record has the tag; a tag has no body."""
        return self._actions.show(call, id, Subresource('tags', tag))

    def add(self, call: Call, id: str, tag: str) -> webob.Response:
        """Return 201 for a new tag, 204 for a tag that the record has."""
        if not _TAG.is_valid(tag):
            raise Invalid([Violation(
                f'{values.quoted(tag)} is not a tag; a tag has 1 to '
                f'{schemas.TAG["maxLength"]} characters, none of them "/" or '
                f'",", and is neither "." nor "..".')])
        return self._actions.put(call, id, Subresource('tags', tag),
                                 lambda tags: _with(tags, tag),
                                 overwrites=False)

    def remove(self, call: Call, id: str, tag: str) -> webob.Response:
        return self._actions.remove(
            call, id, Subresource('tags', tag),
            lambda tags: [other for other in tags if other != tag],
            overwrites=False)


def _with(tags: list[str], tag: str) -> list[str]:
    if tag in tags:
        return tags
    if len(tags) >= _MAX_TAGS:
        raise Invalid([Violation(
            f'The record has {_MAX_TAGS} tags, which is the limit; remove a '
            f'tag before adding {values.quoted(tag)}.')])
    return [*tags, tag]
