# SPDX-License-Identifier: Apache-2.0
"""The descriptions of the declared types at the requested version."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import webob

from api.policy import enforcement
from api.policy.enforcement import Policy
from api.request import schemas
from api.request.call import Call
from api.response import replies
from api.response.views import Document
from api.routing.extensions import Extension
from service.assembly import Service
from service.domain import errors
from service.domain.catalogue.types import MISSING, ResourceType, Shape
from service.domain.query import list_query
from service.domain.typefiles.vocabulary import ACTIONS


class TypesController:
    """Describes the types: properties, queries, actions and policy rules."""

    def __init__(self, service: Service, policy: Policy,
                 extensions: Iterable[Extension]) -> None:
        self._catalogue_number = service.catalogue_number
        self._catalogue = service.catalogue
        self._policy = policy
        self._extensions = {extension.declared.name: extension
                            for extension in extensions}

    def list(self, call: Call) -> webob.Response:
        """List the types, with the number and digest of the catalogue.

        During a roll-out some workers still serve the older catalogue. The
        number shows a client which catalogue the reply comes from.
        """
        shapes = (declared.at(call.version)
                  for declared in self._catalogue.live)
        address = f'{call.mount}/types'
        return replies.document(200, {
            'types': [_summary(shape, call.mount) for shape in shapes
                      if shape is not None],
            'generation': self._catalogue_number,
            'digest': self._catalogue.digest,
            'links': [{'rel': 'self', 'href': address}]})

    def show(self, call: Call, name: str) -> webob.Response:
        declared = self._catalogue.types.get(name)
        shape = declared.at(call.version) if declared else None
        if shape is None:
            raise errors.NotFound(
                type='type', id=errors.shorten(ascii(name)[1:-1]))
        return replies.document(200, {'type': self._description(shape, call)})

    def _description(self, shape: Shape, call: Call) -> Document:
        declared = shape.declared
        hidden = shape.hidden(call.caller.roles)
        visible = {name: prop for name, prop in shape.properties.items()
                   if prop.name not in hidden}
        allowed = list_query.list_options(shape, hidden)
        return {
            **_summary(shape, call.mount),
            'scope': declared.scope,
            'quota': declared.quota,
            'schema': _schema(shape, hidden),
            'immutable': [name for name, prop in visible.items()
                          if prop.immutable],
            'references': {
                name: {'type': prop.references, 'on_delete': prop.on_delete}
                for name, prop in visible.items()
                if prop.references is not None},
            'unique': _visible_groups(shape, declared.unique, hidden),
            'filters': list(allowed.filters),
            'sorts': [list(keys) for keys in allowed.sorts],
            'microversions': [str(version) for version in declared.changes()],
            'actions': self._actions(declared, call),
            'policy': {
                action: self._policy.text(enforcement.name(declared, action))
                for action in self._policy_actions(declared)}}

    def _actions(self, declared: ResourceType, call: Call
                 ) -> Mapping[str, Document]:
        """Return the schema of the arguments of each action."""
        extension = self._extensions.get(declared.name)
        actions = extension.actions.values() if extension else ()
        return {action.name: {'since': str(action.since),
                              'schema': action.schema}
                for action in actions if action.since <= call.version}

    def _policy_actions(self, declared: ResourceType) -> Iterable[str]:
        """Return the names of the actions that have policy rules."""
        extension = self._extensions.get(declared.name)
        own = (name for name, _ in extension.rules) if extension else ()
        return (*ACTIONS, *own)


def _summary(shape: Shape, mount: str) -> Document:
    declared = shape.declared
    return {
        'name': declared.name, 'plural': declared.plural,
        'description': declared.description,
        'since': str(declared.since),
        'until': None if declared.until is None else str(declared.until),
        'links': [
            {'rel': 'self', 'href': f'{mount}/types/{declared.name}'},
            {'rel': 'collection', 'href': f'{mount}/{declared.path}'}]}


def _schema(shape: Shape, hidden: Iterable[str]) -> Document:
    """Return the JSON Schema of writes, without the hidden properties."""
    schema = schemas.of_shape(shape)
    unseen = {name for name, prop in shape.properties.items()
              if prop.name in hidden}
    for name, prop in shape.properties.items():
        if prop.description:
            schema['properties'][name]['description'] = prop.description
        if prop.default is not MISSING:
            schema['properties'][name]['default'] = prop.default
    return {**schema,
            '$schema': 'https://json-schema.org/draft/2020-12/schema',
            'properties': {name: prop
                           for name, prop in schema['properties'].items()
                           if name not in unseen},
            'required': [name for name in schema['required']
                         if name not in unseen]}


def _visible_groups(shape: Shape, groups: Iterable[tuple[str, ...]],
                    hidden: Collection[str]) -> list[list[str]]:
    """Return groups of columns by their names at the shape's versions.

    The result omits a group with a hidden column, or with a column that these
    versions do not have.
    """
    named = ([shape.name_of(column) for column in group] for group in groups
             if not set(group) & set(hidden))
    return [[name for name in group if name is not None]
            for group in named if None not in group]
