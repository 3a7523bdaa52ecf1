# SPDX-License-Identifier: Apache-2.0
"""The declared types, describing themselves at the version asked for."""

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
    """What a client may do with each type, told from its declaration."""

    def __init__(self, opened: Service, rules: Policy,
                 extended: Iterable[Extension]) -> None:
        self._generation = opened.catalogue_number
        self._catalogue = opened.catalogue
        self._policy = rules
        self._extended = {one.declared.name: one for one in extended}

    def list(self, call: Call) -> webob.Response:
        """Also which generation of types this is: of two workers in the
        midst of a roll-out, who is asked may still know the older one."""
        shapes = (one.at(call.version) for one in self._catalogue.live)
        address = f'{call.mount}/types'
        return replies.document(200, {
            'types': [_brief(shape, call.mount) for shape in shapes
                      if shape is not None],
            'generation': self._generation,
            'digest': self._catalogue.digest,
            'links': [{'rel': 'self', 'href': address}]})

    def show(self, call: Call, name: str) -> webob.Response:
        declared = self._catalogue.types.get(name)
        shape = declared.at(call.version) if declared else None
        if shape is None:
            raise errors.NotFound(
                type='type', id=errors.shorten(ascii(name)[1:-1]))
        return replies.document(200, {'type': self._whole(shape, call)})

    def _whole(self, shape: Shape, call: Call) -> Document:
        declared = shape.declared
        hidden = shape.hidden(call.caller.roles)
        told = {name: one for name, one in shape.properties.items()
                if one.name not in hidden}
        allowed = list_query.list_options(shape, hidden)
        return {
            **_brief(shape, call.mount),
            'scope': declared.scope,
            'quota': declared.quota,
            'schema': _schema(shape, hidden),
            'immutable': [name for name, one in told.items()
                          if one.immutable],
            'references': {
                name: {'type': one.references, 'on_delete': one.on_delete}
                for name, one in told.items()
                if one.references is not None},
            'unique': _known(shape, declared.unique, hidden),
            'filters': list(allowed.filters),
            'sorts': [list(one) for one in allowed.sorts],
            'microversions': [str(one) for one in declared.changes()],
            'actions': self._actions(declared, call),
            'policy': {action: self._policy.text(enforcement.name(declared,
                                                             action))
                       for action in self._named(declared)}}

    def _actions(self, declared: ResourceType, call: Call
                 ) -> Mapping[str, Document]:
        """The schema of each action's arguments."""
        extension = self._extended.get(declared.name)
        known = extension.actions.values() if extension else ()
        return {one.name: {'since': str(one.since), 'schema': one.schema}
                for one in known if one.since <= call.version}

    def _named(self, declared: ResourceType) -> Iterable[str]:
        extension = self._extended.get(declared.name)
        own = (name for name, _ in extension.rules) if extension else ()
        return (*ACTIONS, *own)


def _brief(shape: Shape, mount: str) -> Document:
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
    """The JSON Schema of what may be written, of what the caller may see."""
    schema = schemas.of_shape(shape)
    unseen = {name for name, one in shape.properties.items()
              if one.name in hidden}
    for name, one in shape.properties.items():
        if one.description:
            schema['properties'][name]['description'] = one.description
        if one.default is not MISSING:
            schema['properties'][name]['default'] = one.default
    return {**schema,
            '$schema': 'https://json-schema.org/draft/2020-12/schema',
            'properties': {name: one
                           for name, one in schema['properties'].items()
                           if name not in unseen},
            'required': [name for name in schema['required']
                         if name not in unseen]}


def _known(shape: Shape, groups: Iterable[tuple[str, ...]],
           hidden: Collection[str]) -> list[list[str]]:
    """Groups of columns by the names this version has for them, without
    those that have a ``hidden`` one."""
    named = ([shape.name_of(column) for column in group] for group in groups
             if not set(group) & set(hidden))
    return [[name for name in group if name is not None]
            for group in named if None not in group]
