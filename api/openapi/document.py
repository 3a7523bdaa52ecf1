# SPDX-License-Identifier: Apache-2.0
"""Create the OpenAPI 3.1 document of the API at one version.

The Routes have the paths, methods, parameters and media types. The tables
BODIES and REPLIES have the schemas of each action.
"""

from __future__ import annotations

import re
from collections.abc import (
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from http import HTTPStatus
from typing import Any

from api.controllers.revisions import RevisionsController
from api.openapi import components
from api.openapi.components import ref, wrapped
from api.request import quota_schemas, schemas
from api.request.json_body import JSON_PATCH
from api.request.microversions import HEADER
from api.routing import extensions
from api.routing.extensions import Action, Extension
from api.routing.router import Route
from service.domain.catalogue.microversion import FIRST_VERSION, Version
from service.domain.catalogue.types import Shape
from service.domain.query import list_query

Document = dict[str, Any]
#: Takes the shape of the Route's type, returns a schema.
SchemaFactory = Callable[[Any], Document]

JSON = 'application/json'


def _component(pattern: str) -> SchemaFactory:
    """Return a factory of references to a component of the Route's type."""
    def reference(shape: Shape) -> Document:
        return ref(pattern.format(name=shape.declared.name,
                                  plural=shape.declared.plural))
    return reference


def _record(pattern: str) -> SchemaFactory:
    """Return a factory of schemas with one record in its wrapper."""
    component = _component(pattern)
    return lambda shape: wrapped(shape.declared.name, component(shape))


def _record_or_list(pattern: str) -> SchemaFactory:
    """Return a factory of schemas with one record, or a list of records."""
    component, record = _component(pattern), _record(pattern)

    def either(shape: Shape) -> Document:
        items = components.array(component(shape), minItems=1, maxItems=1000)
        return {'oneOf': [record(shape),
                          wrapped(shape.declared.plural, items)]}
    return either


def _fixed(name: str) -> SchemaFactory:
    """Return a factory of references to a component of a fixed name."""
    return lambda shape: ref(name)


#: The schema of the body, by controller and action.
BODIES: Mapping[tuple[str, str], SchemaFactory] = {
    ('records', 'create'): _record_or_list('{name}_write'),
    ('records', 'replace'): _record('{name}_write'),
    ('records', 'patch'): _record('{name}_patch'),
    ('quotas', 'replace'): _fixed('quota_limits'),
    ('quotas', 'patch'): _fixed('quota_changes'),
    ('tags', 'replace'): _fixed('tags'),
    ('metadata', 'replace'): _fixed('metadata'),
    ('metadata', 'create'): _fixed('metadata_item'),
    ('metadata', 'set'): _fixed('metadata_value'),
}

#: The schema of each status, by controller and action; None means no body.
REPLIES: Mapping[tuple[str, str], Mapping[int, SchemaFactory | None]] = {
    ('versions', 'show'): {200: _fixed('versions')},
    ('versions', 'index'): {300: _fixed('versions')},
    ('versions', 'error'): {200: _fixed('any')},
    ('types', 'list'): {200: _fixed('any')},
    ('types', 'show'): {200: _fixed('any')},
    ('docs', 'openapi'): {200: _fixed('any')},
    ('quotas', 'show'): {200: _fixed('quota'), 304: None},
    ('quotas', 'replace'): {200: _fixed('quota')},
    ('quotas', 'patch'): {200: _fixed('quota')},
    ('quotas', 'reset'): {204: None},
    ('records', 'list'): {200: _component('{plural}')},
    ('records', 'create'): dict.fromkeys((200, 201),
                                         _record_or_list('{name}')),
    ('records', 'show'): {200: _record('{name}'), 304: None},
    ('records', 'replace'): dict.fromkeys((200, 201), _record('{name}')),
    ('records', 'patch'): {200: _record('{name}')},
    ('records', 'delete'): {204: None},
    ('revisions', 'list'): {200: _component('{name}_revisions')},
    ('tags', 'list'): {200: _fixed('tags'), 304: None},
    ('tags', 'replace'): {200: _fixed('tags')},
    ('tags', 'clear'): {204: None},
    ('tags', 'show'): {204: None, 304: None},
    ('tags', 'add'): {201: None, 204: None},
    ('tags', 'remove'): {204: None},
    ('metadata', 'list'): {200: _fixed('metadata'), 304: None},
    ('metadata', 'replace'): {200: _fixed('metadata')},
    ('metadata', 'create'): dict.fromkeys((200, 201),
                                          _fixed('metadata_item')),
    ('metadata', 'clear'): {204: None},
    ('metadata', 'show'): {200: _fixed('metadata_item'), 304: None},
    ('metadata', 'set'): dict.fromkeys((200, 201), _fixed('metadata_item')),
    ('metadata', 'remove'): {204: None},
}

#: The conditional headers of each method.
_CONDITIONS: Mapping[str, tuple[str, ...]] = {
    'GET': ('If-Match', 'If-None-Match'), 'POST': ('If-Match',),
    'PUT': ('If-Match', 'If-None-Match'),
    'PATCH': ('If-Match',), 'DELETE': ('If-Match',)}


class OpenAPI:
    """Creates the document of a version for a reader's roles."""

    def __init__(self, table: Iterable[Route],
                 loaded_extensions: Iterable[Extension],
                 service_type: str) -> None:
        self._table = [route for route in table if route.method != 'OPTIONS']
        self._extensions = tuple(loaded_extensions)
        self._service_type = service_type

    def document(self, version: Version, mount: str,
                 roles: Collection[str] | None = None) -> Document:
        """Return the OpenAPI document.

        ``mount`` is the URL of ``/v1``. ``roles`` are the reader's roles;
        without roles the document has every property.
        """
        known = [route for route in self._table if route.known(version)]
        shapes = dict.fromkeys(route.declared.at(version) for route in known
                               if route.declared is not None)
        all_components = dict(components.COMMON)
        for shape in filter(None, shapes):
            all_components.update(
                components.of_shape(shape, _hidden(shape, roles)))
        all_components.update(components.of_quotas(
            shape.declared.plural for shape in shapes
            if shape is not None and shape.declared.owned))
        paths: Document = {}
        for route in known:
            item = paths.setdefault(route.path, {
                'parameters': [*_values(route), self._version(version)]})
            item[route.method.lower()] = self._operation(route, version,
                                                         roles)
        return {'openapi': '3.1.0',
                'info': {'title': self._service_type,
                         'version': str(version)},
                'servers': [{'url': mount}],
                'paths': paths,
                'components': {'schemas': all_components}}

    def _version(self, version: Version) -> Document:
        value = f'{self._service_type} {version}'
        return {'name': HEADER, 'in': 'header',
                'required': version != FIRST_VERSION,
                'schema': {'type': 'string', 'const': value}}

    def _operation(self, route: Route, version: Version,
                   roles: Collection[str] | None) -> Document:
        shape = route.declared.at(version) if route.declared else None
        operation: Document = {
            'operationId': _id(route),
            'tags': [route.declared.plural if route.declared else 'service'],
            'parameters': [*_query(route, shape, roles),
                           *_conditions(route)],
            'responses': self._replies(route, shape)}
        if route.body:
            operation['requestBody'] = {'required': True, 'content': {
                media: {'schema': self._body(route, media, shape, version)}
                for media in route.body}}
        if route.rule:
            operation['x-policy-rule'] = route.rule
        return operation

    def _body(self, route: Route, media: str, shape: Shape | None,
              version: Version) -> Document:
        if media == JSON_PATCH:
            return ref('json_patch')
        if route.action == 'act' and route.declared is not None:
            return {'oneOf': [wrapped(action.name, dict(action.schema))
                              for action in self._actions(route.declared.name)
                              if action.since <= version]}
        body = BODIES.get((route.controller, route.action))
        return body(shape) if body else {}

    def _actions(self, type: str) -> Iterator[Action]:
        """Yield the actions of every type, then those of its controller."""
        controllers: list[Any] = [RevisionsController]
        controllers += (extension.controller for extension in self._extensions
                        if extension.declared.name == type)
        for controller in controllers:
            yield from (method for method
                        in extensions.declared_methods(controller)
                        if isinstance(method, Action))

    def _replies(self, route: Route, shape: Shape | None) -> Document:
        """Return the successes by status, and the one schema of all errors."""
        schemas_by_status = REPLIES.get((route.controller, route.action))
        if schemas_by_status is None:
            schemas_by_status = {200: _record('{name}')
                                 if route.action == 'act' else _fixed('any')}
        successes = {str(status): _reply(HTTPStatus(status).phrase,
                                         body and body(shape))
                     for status, body in schemas_by_status.items()}
        return {**successes, 'default': _reply('An error', ref('errors'))}


def _reply(description: str, schema: Document | None) -> Document:
    reply: Document = {'description': description}
    if schema is not None:
        reply['content'] = {JSON: {'schema': schema}}
    return reply


def _id(route: Route) -> str:
    """Return a unique operation id, such as ``hosts_tags_replace``."""
    words = [route.declared.plural] if route.declared else []
    if route.controller not in ('records', *words):
        words.append(route.controller.rpartition('.')[2])
    if route.path.startswith('/test'):
        words.append('test')
    return '_'.join((*words, route.action))


def _values(route: Route) -> list[Document]:
    """Return the path parameters; OpenAPI cannot say that one has slashes."""
    return [{'name': name, 'in': 'path', 'required': True,
             'schema': _PATH.get(name, {'type': 'string', 'minLength': 1})}
            for name in re.findall(r'{(\w+)}', route.path)]


_PATH: Mapping[str, Document] = {
    'id': {'type': 'string', 'format': 'uuid'},
    'project_id': dict(quota_schemas.PROJECT),
    'tag': schemas.TAG, 'key': schemas.METADATA_KEY}


def _query(route: Route, shape: Shape | None,
           roles: Collection[str] | None) -> list[Document]:
    if route.query is not None:
        return [_parameter(name, route.controller)
                for name in sorted(route.query)]
    if shape is None:
        return []
    names = (*list_query.PARAMETERS,
             *list_query.list_options(shape, _hidden(shape, roles)).filters)
    return [_parameter(name) for name in names]


_REVISION_NUMBER: Document = {'type': 'integer', 'minimum': 1,
                              'maximum': 2 ** 63 - 1}

#: Schemas of parameters; all others are strings, for filters as ``in:a,b``.
_PARAMETERS: Mapping[str, Document] = {
    'limit': {'type': 'integer', 'minimum': 1},
    'marker': {'type': 'string', 'format': 'uuid'},
    'revisions.marker': _REVISION_NUMBER, 'revision': _REVISION_NUMBER,
    **dict.fromkeys(('with_count', 'all_projects', 'dry_run'),
                    {'type': 'boolean'})}


def _parameter(name: str, controller: str = '') -> Document:
    schema = _PARAMETERS.get(f'{controller}.{name}', _PARAMETERS.get(name))
    return {'name': name, 'in': 'query',
            'schema': schema or {'type': 'string'}}


def _conditions(route: Route) -> list[Document]:
    """Return the conditional headers; none for lists, which have no ETag."""
    replies = REPLIES.get((route.controller, route.action), {})
    if not {'{id}', '{project_id}'} & set(route.path.split('/')) or (
            route.method == 'GET' and 304 not in replies):
        return []
    return [{'name': name, 'in': 'header', 'schema': {'type': 'string'}}
            for name in _CONDITIONS.get(route.method, ())]


def _hidden(shape: Shape,
            roles: Collection[str] | None) -> tuple[str, ...]:
    """Return the columns that these roles may not read."""
    return () if roles is None else shape.hidden(frozenset(roles))
