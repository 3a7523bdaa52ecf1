# SPDX-License-Identifier: Apache-2.0
"""The schemas of an OpenAPI document: what is sent and what is replied.

They say what ``schemas`` and ``views`` do: bodies as they are checked,
replies as they are made.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from api.request import quota_schemas, schemas
from service.domain.catalogue.types import Property, Shape

Schema = dict[str, Any]

_TIME = {'type': 'string', 'format': 'date-time'}
_INT64 = {'minimum': -2 ** 63, 'maximum': 2 ** 63 - 1}


def ref(name: str) -> Schema:
    return {'$ref': f'#/components/schemas/{name}'}


def wrapped(name: str, schema: Schema, **more: Schema) -> Schema:
    """An object with the one member that is sent, or all that are replied."""
    members = {name: schema, **more}
    return {'type': 'object', 'properties': members, 'required': [name],
            'additionalProperties': False}


def array(schema: Schema, **more: Any) -> Schema:
    return {'type': 'array', 'items': schema, **more}


#: What does not depend on the declared types.
COMMON: dict[str, Schema] = {
    'link': {'type': 'object', 'properties': {
        'rel': {'type': 'string'}, 'href': {'type': 'string'}},
        'required': ['rel', 'href'], 'additionalProperties': False},
    'errors': {'type': 'object', 'properties': {
        'errors': array({'type': 'object', 'properties': {
            'code': {'type': 'string', 'pattern': '^[a-z0-9._-]+$'},
            'status': {'type': 'integer'}, 'title': {'type': 'string'},
            'detail': {'type': 'string'}, 'request_id': {'type': 'string'},
            'links': array(ref('link')),
            'source': {'type': 'object', 'properties': {
                'pointer': {'type': 'string'},
                'parameter': {'type': 'string'}}},
            'min_version': {'type': 'string'},
            'max_version': {'type': 'string'},
            'limit': {'type': 'integer'}, 'used': {'type': 'integer'}},
            'required': ['code', 'status', 'title', 'detail', 'links']},
            minItems=1),
        'error': {'type': 'object', 'properties': {
            'code': {'type': 'integer'}, 'title': {'type': 'string'},
            'message': {'type': 'string'}},
            'required': ['code', 'title', 'message']}},
        'required': ['errors', 'error'], 'additionalProperties': False},
    'versions': wrapped('versions', array({'type': 'object'}, minItems=1)),
    'tags': wrapped('tags', schemas.TAGS),
    'metadata': wrapped('metadata', schemas.METADATA),
    'metadata_item': {
        'type': 'object', 'properties': {'key': schemas.METADATA_KEY,
                                         'value': schemas.METADATA_VALUE},
        'required': ['key', 'value'], 'additionalProperties': False},
    'metadata_value': {
        'type': 'object', 'properties': {'value': schemas.METADATA_VALUE},
        'required': ['value'], 'additionalProperties': False},
    'json_patch': array({'type': 'object', 'properties': {
        'op': {'enum': ['add', 'remove', 'replace', 'move', 'copy', 'test']},
        'path': {'type': 'string'}, 'from': {'type': 'string'},
        'value': {}}, 'required': ['op', 'path']}, maxItems=1000),
    'any': {'type': 'object'},
}


def of_shape(shape: Shape, hidden: Collection[str] = ()) -> dict[str, Schema]:
    """The components of one type: its record, what may be written, a list.

    ``hidden`` are the columns that the reader of the document may not read.
    """
    name, plural = shape.declared.name, shape.declared.plural
    written = written_by(shape, hidden)
    return {
        name: _record(shape, hidden),
        f'{name}_write': written,
        f'{name}_patch': {**written, 'required': []},
        f'{name}_revisions': wrapped(
            'revisions', array(_revision(name)), links=array(ref('link')),
            revisions_links=array(ref('link'))),
        plural: wrapped(plural, array(ref(name)), links=array(ref('link')),
                        count={'type': 'integer'},
                        **{f'{plural}_links': array(ref('link'))})}


def _revision(name: str) -> Schema:
    """What was done to a record, and what that left."""
    text = {'type': ['string', 'null']}
    members = {
        'number': {'type': 'integer', 'minimum': 1},
        'action': {'type': 'string'},
        'generation': {'type': 'integer', 'minimum': 1}, 'created_at': _TIME,
        **dict.fromkeys(('user_id', 'project_id', 'request_id',
                         'global_request_id'), text),
        name: ref(name)}
    return {'type': 'object', 'properties': members,
            'required': list(members), 'additionalProperties': False}


def of_quotas(plurals: Iterable[str]) -> dict[str, Schema]:
    """The components of ``/quotas``, for these collections."""
    known = tuple(plurals)
    number = {'type': 'integer'}
    one = {'type': 'object', 'properties': dict.fromkeys(
        ('limit', 'used', 'default'), number),
        'required': ['limit', 'used', 'default'],
        'additionalProperties': False}
    return {
        'quota': wrapped('quota', {
            'type': 'object', 'additionalProperties': False,
            'properties': {'project_id': dict(quota_schemas.PROJECT),
                           **dict.fromkeys(known, one)},
            'required': ['project_id', *known]}),
        'quota_limits': quota_schemas.body(known, quota_schemas.LIMIT),
        'quota_changes': quota_schemas.body(known, quota_schemas.CHANGE)}


def written_by(shape: Shape, hidden: Collection[str]) -> Schema:
    """What may be written, told with defaults and descriptions."""
    schema = schemas.of_shape(shape)
    unseen = {name for name, one in shape.properties.items()
              if one.name in hidden}
    return {**schema,
            'properties': {name: _told(one, shape.properties.get(name))
                           for name, one in schema['properties'].items()
                           if name not in unseen},
            'required': [name for name in schema['required']
                         if name not in unseen]}


def _told(schema: Schema, prop: Property | None) -> Schema:
    if prop is None:
        return schema
    told = {**_INT64, **schema} if prop.kind == 'integer' else dict(schema)
    if prop.description:
        told['description'] = prop.description
    if prop.default is not schemas.MISSING:
        told['default'] = prop.default
    return told


def _record(shape: Shape, hidden: Collection[str]) -> Schema:
    """A record as it is replied; ``fields`` may leave any member out.

    An older version also shows an enum's newer values, once a newer client
    has written them.
    """
    owner = {'project_id': {'type': 'string'}} if shape.declared.owned else {}
    own = {name: schemas.of_property(one, shape)
           for name, one in shape.properties.items()
           if one.name not in hidden}
    return {'type': 'object', 'additionalProperties': False, 'properties': {
        'id': {'type': 'string', 'format': 'uuid'}, **owner,
        **{name: _shown(schema) for name, schema in own.items()},
        'generation': {'type': 'integer', 'minimum': 1},
        'created_at': _TIME, 'updated_at': _TIME,
        'tags': schemas.TAGS, 'metadata': schemas.METADATA,
        'links': array(ref('link'))}}


def _shown(schema: Schema) -> Schema:
    return {word: value for word, value in schema.items() if word != 'enum'}
