# SPDX-License-Identifier: Apache-2.0
"""A record's metadata: the whole object, and each key at its own URL."""

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

_BODY = schemas.compile_schema({
    'type': 'object', 'properties': {'metadata': schemas.METADATA},
    'required': ['metadata'], 'additionalProperties': False})
_ITEM_SCHEMA = {
    'type': 'object',
    'properties': {'key': schemas.METADATA_KEY,
                   'value': schemas.METADATA_VALUE},
    'required': ['key', 'value'], 'additionalProperties': False}
_NEW = schemas.compile_schema(_ITEM_SCHEMA)
#: The body of a PUT may omit the key, which the URL names.
_ITEM = schemas.compile_schema({**_ITEM_SCHEMA, 'required': ['value']})
_KEY = schemas.compile_schema(schemas.METADATA_KEY)
_MAX_KEYS: int = schemas.METADATA['maxProperties']


class MetadataController:
    """The actions on ``/metadata`` and ``/metadata/{key}``."""

    def __init__(self, actions: TagsMetadataActions) -> None:
        self._actions = actions

    def list(self, call: Call, id: str) -> webob.Response:
        return self._actions.show(call, id, ALL)

    def replace(self, call: Call, id: str) -> webob.Response:
        schemas.check(_BODY, call.body)
        return self._actions.put(call, id, ALL,
                                 lambda metadata: call.body['metadata'])

    def clear(self, call: Call, id: str) -> webob.Response:
        return self._actions.remove(call, id, ALL, lambda metadata: {})

    def create(self, call: Call, id: str) -> webob.Response:
        """Add a key; succeed if the key has this value already (CODE-5).

        Raises KeyTaken if the key has another value, because a POST never
        overwrites.
        """
        schemas.check(_NEW, call.body)
        key, value = call.body['key'], call.body['value']

        def change(metadata: dict[str, str]) -> dict[str, str]:
            if metadata.get(key, value) != value:
                raise errors.KeyTaken(type=call.shape.declared.name, id=id,
                                      key=values.quoted(key))
            return _with(metadata, key, value)
        return self._actions.put(call, id, Subresource('metadata', key),
                                 change, target=ALL, overwrites=False)

    def show(self, call: Call, id: str, key: str) -> webob.Response:
        return self._actions.show(call, id, Subresource('metadata', key))

    def set(self, call: Call, id: str, key: str) -> webob.Response:
        """Set one key and leave the others as they are."""
        schemas.check(_ITEM, call.body)
        _check_key(key, call.body)
        return self._actions.put(
            call, id, Subresource('metadata', key),
            lambda metadata: _with(metadata, key, call.body['value']))

    def remove(self, call: Call, id: str, key: str) -> webob.Response:
        return self._actions.remove(
            call, id, Subresource('metadata', key),
            lambda metadata: {name: value for name, value in metadata.items()
                              if name != key})


def _check_key(key: str, body: dict[str, Any]) -> None:
    """Raise Invalid if the URL's key is malformed or differs from the body's.
    """
    if not _KEY.is_valid(key):
        raise Invalid([Violation(
            f'{values.quoted(key)} is not a metadata key; a key has 1 to '
            f'{schemas.METADATA_KEY["maxLength"]} characters and is neither '
            f'"." nor "..".')])
    if body.get('key', key) != key:
        raise Invalid([Violation(
            f'key: {values.quoted(body["key"])} is not the key of the URL, '
            f'{values.quoted(key)}', '/key')])


def _with(metadata: dict[str, str], key: str, value: str) -> dict[str, str]:
    if key not in metadata and len(metadata) >= _MAX_KEYS:
        raise Invalid([Violation(
            f'The record has {_MAX_KEYS} metadata keys, which is the limit; '
            f'remove a key before adding {values.quoted(key)}.')])
    return {**metadata, key: value}
