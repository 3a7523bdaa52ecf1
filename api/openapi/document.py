# SPDX-License-Identifier: Apache-2.0
"""The API at one version as an OpenAPI 3.1 document, read off the table.

What each action takes and replies stands in two tables; the paths, methods,
parameters and media types are the Routes' own.
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
#: What makes a schema of the shape at hand; a fixed one needs none.
Shaped = Callable[[Any], Document]

JSON = 'application/json'


def _named(pattern: str) -> Shaped:
    """A reference to a component of the type at hand."""
    def named(shape: Shape) -> Document:
        return ref(pattern.format(name=shape.declared.name,
                                  plural=shape.declared.plural))
    return named


def _one(pattern: str) -> Shaped:
    inner = _named(pattern)
    return lambda shape: wrapped(shape.declared.name, inner(shape))


def _one_or_many(pattern: str) -> Shaped:
    inner, one = _named(pattern), _one(pattern)

    def either(shape: Shape) -> Document:
        many = components.array(inner(shape), minItems=1, maxItems=1000)
        return {'oneOf': [one(shape), wrapped(shape.declared.plural, many)]}
    return either


def _fixed(name: str) -> Shaped:
    return lambda shape: ref(name)


#: Controller and action -> what its body is.
BODIES: Mapping[tuple[str, str], Shaped] = {
    ('records', 'create'): _one_or_many('{name}_write'),
    ('records', 'replace'): _one('{name}_write'),
    ('records', 'patch'): _one('{name}_patch'),
    ('quotas', 'replace'): _fixed('quota_limits'),
    ('quotas', 'patch'): _fixed('quota_changes'),
    ('tags', 'replace'): _fixed('tags'),
    ('metadata', 'replace'): _fixed('metadata'),
    ('metadata', 'create'): _fixed('metadata_item'),
    ('metadata', 'set'): _fixed('metadata_value'),
}

#: Controller and action -> what it replies, by status. None: no body.
REPLIES: Mapping[tuple[str, str], Mapping[int, Shaped | None]] = {
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
    ('records', 'list'): {200: _named('{plural}')},
    ('records', 'create'): dict.fromkeys((200, 201), _one_or_many('{name}')),
    ('records', 'show'): {200: _one('{name}'), 304: None},
    ('records', 'replace'): dict.fromkeys((200, 201), _one('{name}')),
    ('records', 'patch'): {200: _one('{name}')},
    ('records', 'delete'): {204: None},
    ('revisions', 'list'): {200: _named('{name}_revisions')},
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

#: What a method says about the record it means to change or to see anew.
_CONDITIONS: Mapping[str, tuple[str, ...]] = {
    'GET': ('If-Match', 'If-None-Match'), 'POST': ('If-Match',),
    'PUT': ('If-Match', 'If-None-Match'),
    'PATCH': ('If-Match',), 'DELETE': ('If-Match',)}


class OpenAPI:
    """Makes the document of a version, for one kind of reader."""

    def __init__(self, table: Iterable[Route], extended: Iterable[Extension],
                 service_type: str) -> None:
        self._table = [one for one in table if one.method != 'OPTIONS']
        self._extended = tuple(extended)
        self._service_type = service_type

    def document(self, version: Version, mount: str,
                 roles: Collection[str] | None = None) -> Document:
        """``mount`` is the URL of ``/v1``; ``roles`` are the reader's, None
        for one who may read everything."""
        known = [one for one in self._table if one.known(version)]
        shapes = dict.fromkeys(one.declared.at(version) for one in known
                               if one.declared is not None)
        made = dict(components.COMMON)
        for shape in filter(None, shapes):
            made.update(components.of_shape(shape, _hidden(shape, roles)))
        made.update(components.of_quotas(
            one.declared.plural for one in shapes
            if one is not None and one.declared.owned))
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
                'components': {'schemas': made}}

    def _version(self, version: Version) -> Document:
        wanted = f'{self._service_type} {version}'
        return {'name': HEADER, 'in': 'header',
                'required': version != FIRST_VERSION,
                'schema': {'type': 'string', 'const': wanted}}

    def _operation(self, route: Route, version: Version,
                   roles: Collection[str] | None) -> Document:
        shape = route.declared.at(version) if route.declared else None
        made: Document = {
            'operationId': _id(route),
            'tags': [route.declared.plural if route.declared else 'service'],
            'parameters': [*_query(route, shape, roles),
                           *_conditions(route)],
            'responses': self._replies(route, shape)}
        if route.body:
            made['requestBody'] = {'required': True, 'content': {
                media: {'schema': self._body(route, media, shape, version)}
                for media in route.body}}
        if route.rule:
            made['x-policy-rule'] = route.rule
        return made

    def _body(self, route: Route, media: str, shape: Shape | None,
              version: Version) -> Document:
        if media == JSON_PATCH:
            return ref('json_patch')
        if route.action == 'act' and route.declared is not None:
            return {'oneOf': [wrapped(one.name, dict(one.schema))
                              for one in self._actions(route.declared.name)
                              if one.since <= version]}
        body = BODIES.get((route.controller, route.action))
        return body(shape) if body else {}

    def _actions(self, type: str) -> Iterator[Action]:
        """What every type has, then what its own controller adds."""
        controllers: list[Any] = [RevisionsController]
        controllers += (one.controller for one in self._extended
                        if one.declared.name == type)
        for controller in controllers:
            yield from (one for one in extensions.declared_methods(controller)
                        if isinstance(one, Action))

    def _replies(self, route: Route, shape: Shape | None) -> Document:
        """The successes by status; any error has the one shape of all."""
        known = REPLIES.get((route.controller, route.action))
        if known is None:
            known = {200: _one('{name}') if route.action == 'act'
                     else _fixed('any')}
        made = {str(status): _reply(HTTPStatus(status).phrase,
                                    body and body(shape))
                for status, body in known.items()}
        return {**made, 'default': _reply('An error', ref('errors'))}


def _reply(description: str, schema: Document | None) -> Document:
    made: Document = {'description': description}
    if schema is not None:
        made['content'] = {JSON: {'schema': schema}}
    return made


def _id(route: Route) -> str:
    """A name of its own: ``hosts_tags_replace``."""
    words = [route.declared.plural] if route.declared else []
    if route.controller not in ('records', *words):
        words.append(route.controller.rpartition('.')[2])
    if route.path.startswith('/test'):
        words.append('test')
    return '_'.join((*words, route.action))


def _values(route: Route) -> list[Document]:
    """The path's values; OpenAPI has no word for one that holds slashes."""
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


#: The number of a revision.
_NUMBER: Document = {'type': 'integer', 'minimum': 1,
                     'maximum': 2 ** 63 - 1}

#: Parameters with a form of their own; every other is text (``in:a,b``).
_FORMS: Mapping[str, Document] = {
    'limit': {'type': 'integer', 'minimum': 1},
    'marker': {'type': 'string', 'format': 'uuid'},
    'revisions.marker': _NUMBER, 'revision': _NUMBER,
    **dict.fromkeys(('with_count', 'all_projects', 'dry_run'),
                    {'type': 'boolean'})}


def _parameter(name: str, controller: str = '') -> Document:
    form = _FORMS.get(f'{controller}.{name}', _FORMS.get(name))
    return {'name': name, 'in': 'query', 'schema': form or {'type': 'string'}}


def _conditions(route: Route) -> list[Document]:
    """What may be asked of the thing a URL names; a list has no ETag."""
    replies = REPLIES.get((route.controller, route.action), {})
    if not {'{id}', '{project_id}'} & set(route.path.split('/')) or (
            route.method == 'GET' and 304 not in replies):
        return []
    return [{'name': name, 'in': 'header', 'schema': {'type': 'string'}}
            for name in _CONDITIONS.get(route.method, ())]


def _hidden(shape: Shape,
            roles: Collection[str] | None) -> tuple[str, ...]:
    """The columns these roles may not read."""
    return () if roles is None else shape.hidden(frozenset(roles))
