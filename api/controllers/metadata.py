# SPDX-License-Identifier: Apache-2.0
"""A record's metadata: all of it, and each key at its own URL."""

from __future__ import annotations

from typing import Any

import webob

from api.controllers.tags_metadata import TagsMetadataActions
from api.request import schemas
from api.request.call import Call
from service.domain import errors
from service.domain.documents import values
from service.domain.errors import Invalid, Violation
from service.domain.records.tags_metadata import Subresource

ALL = Subresource('metadata')

_BODY = schemas.compiled({
    'type': 'object', 'properties': {'metadata': schemas.METADATA},
    'required': ['metadata'], 'additionalProperties': False})
_ITEM_SCHEMA = {
    'type': 'object',
    'properties': {'key': schemas.METADATA_KEY,
                   'value': schemas.METADATA_VALUE},
    'required': ['key', 'value'], 'additionalProperties': False}
_NEW = schemas.compiled(_ITEM_SCHEMA)
#: A PUT names its key in the URL and need not do so twice.
_ITEM = schemas.compiled({**_ITEM_SCHEMA, 'required': ['value']})
_KEY = schemas.compiled(schemas.METADATA_KEY)
_MOST: int = schemas.METADATA['maxProperties']


class MetadataController:
    """The actions on ``/metadata`` and ``/metadata/{key}``."""

    def __init__(self, parts: TagsMetadataActions) -> None:
        self._parts = parts

    def list(self, call: Call, id: str) -> webob.Response:
        return self._parts.show(call, id, ALL)

    def replace(self, call: Call, id: str) -> webob.Response:
        schemas.check(_BODY, call.body)
        return self._parts.put(call, id, ALL,
                               lambda held: call.body['metadata'])

    def clear(self, call: Call, id: str) -> webob.Response:
        return self._parts.remove(call, id, ALL, lambda held: {})

    def create(self, call: Call, id: str) -> webob.Response:
        """Add a key; one that has this value already is as asked (CODE-5).

        A key that has another value is KeyTaken: a POST never overwrites.
        """
        schemas.check(_NEW, call.body)
        key, value = call.body['key'], call.body['value']

        def change(held: dict[str, str]) -> dict[str, str]:
            if held.get(key, value) != value:
                raise errors.KeyTaken(type=call.shape.declared.name, id=id,
                                      key=values.quoted(key))
            return _with(held, key, value)
        return self._parts.put(call, id, Subresource('metadata', key), change,
                               target=ALL, overwrites=False)

    def show(self, call: Call, id: str, key: str) -> webob.Response:
        return self._parts.show(call, id, Subresource('metadata', key))

    def set(self, call: Call, id: str, key: str) -> webob.Response:
        """Set one key; the others stay."""
        schemas.check(_ITEM, call.body)
        _check_key(key, call.body)
        return self._parts.put(
            call, id, Subresource('metadata', key),
            lambda held: _with(held, key, call.body['value']))

    def remove(self, call: Call, id: str, key: str) -> webob.Response:
        return self._parts.remove(
            call, id, Subresource('metadata', key),
            lambda held: {name: held[name] for name in held if name != key})


def _check_key(key: str, body: dict[str, Any]) -> None:
    """Refuse a URL's key that is none, or that the body contradicts."""
    if not _KEY.is_valid(key):
        raise Invalid([Violation(
            f'{values.quoted(key)} is not a metadata key; a key has 1 to '
            f'{schemas.METADATA_KEY["maxLength"]} characters and is neither '
            f'"." nor "..".')])
    if body.get('key', key) != key:
        raise Invalid([Violation(
            f'key: {values.quoted(body["key"])} is not the key of the URL, '
            f'{values.quoted(key)}', '/key')])


def _with(held: dict[str, str], key: str, value: str) -> dict[str, str]:
    if key not in held and len(held) >= _MOST:
        raise Invalid([Violation(
            f'The record has {_MOST} metadata keys, the most there may be; '
            f'remove one before adding {values.quoted(key)}.')])
    return {**held, key: value}
