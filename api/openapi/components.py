# SPDX-License-Identifier: Apache-2.0
"""The schemas of an OpenAPI document, for bodies and replies.

They describe the bodies that ``api.request.schemas`` accepts and the replies
that ``api.response.views`` creates.
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
    """Return a reference to a component."""
    return {'$ref': f'#/components/schemas/{name}'}


def wrapped(name: str, schema: Schema, **more: Schema) -> Schema:
    """Return the schema of an object with one required member.

    ``more`` are optional members.
    """
    members = {name: schema, **more}
    return {'type': 'object', 'properties': members, 'required': [name],
            'additionalProperties': False}


def array(schema: Schema, **more: Any) -> Schema:
    return {'type': 'array', 'items': schema, **more}


#: Components that do not depend on the declared types.
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
    """Return the components of one type: record, writes, revisions and list.

    ``hidden`` are the columns that the reader of the document may not read.
    """
    name, plural = shape.declared.name, shape.declared.plural
    write = write_schema(shape, hidden)
    return {
        name: _record(shape, hidden),
        f'{name}_write': write,
        f'{name}_patch': {**write, 'required': []},
        f'{name}_revisions': wrapped(
            'revisions', array(_revision(name)), links=array(ref('link')),
            revisions_links=array(ref('link'))),
        plural: wrapped(plural, array(ref(name)), links=array(ref('link')),
                        count={'type': 'integer'},
                        **{f'{plural}_links': array(ref('link'))})}


def _revision(name: str) -> Schema:
    """Return the schema of a revision with the record after the change."""
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
    """Return the components of ``/quotas``, for these collections."""
    plurals = tuple(plurals)
    number = {'type': 'integer'}
    quota = {'type': 'object', 'properties': dict.fromkeys(
        ('limit', 'used', 'default'), number),
        'required': ['limit', 'used', 'default'],
        'additionalProperties': False}
    return {
        'quota': wrapped('quota', {
            'type': 'object', 'additionalProperties': False,
            'properties': {'project_id': dict(quota_schemas.PROJECT),
                           **dict.fromkeys(plurals, quota)},
            'required': ['project_id', *plurals]}),
        'quota_limits': quota_schemas.body(plurals, quota_schemas.LIMIT),
        'quota_changes': quota_schemas.body(plurals, quota_schemas.CHANGE)}


def write_schema(shape: Shape, hidden: Collection[str]) -> Schema:
    """Return the schema of writes, with defaults and descriptions."""
    schema = schemas.of_shape(shape)
    unseen = {name for name, prop in shape.properties.items()
              if prop.name in hidden}
    return {**schema,
            'properties': {name: _described(member,
                                            shape.properties.get(name))
                           for name, member in schema['properties'].items()
                           if name not in unseen},
            'required': [name for name in schema['required']
                         if name not in unseen]}


def _described(schema: Schema, prop: Property | None) -> Schema:
    if prop is None:
        return schema
    described = ({**_INT64, **schema} if prop.kind == 'integer'
                 else dict(schema))
    if prop.description:
        described['description'] = prop.description
    if prop.default is not schemas.MISSING:
        described['default'] = prop.default
    return described


def _record(shape: Shape, hidden: Collection[str]) -> Schema:
    """Return the schema of a record in a reply.

    No member is required, because ``fields`` can omit any member. An enum is
    not limited to the values of the version: a record that a newer client has
    written shows newer values also to older clients.
    """
    owner = {'project_id': {'type': 'string'}} if shape.declared.owned else {}
    properties = {name: schemas.of_property(prop, shape)
                  for name, prop in shape.properties.items()
                  if prop.name not in hidden}
    return {'type': 'object', 'additionalProperties': False, 'properties': {
        'id': {'type': 'string', 'format': 'uuid'}, **owner,
        **{name: _shown(schema) for name, schema in properties.items()},
        'generation': {'type': 'integer', 'minimum': 1},
        'created_at': _TIME, 'updated_at': _TIME,
        'tags': schemas.TAGS, 'metadata': schemas.METADATA,
        'links': array(ref('link'))}}


def _shown(schema: Schema) -> Schema:
    return {word: value for word, value in schema.items() if word != 'enum'}
