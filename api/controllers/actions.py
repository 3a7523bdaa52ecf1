# SPDX-License-Identifier: Apache-2.0
"""``POST /v1/<plural>/{id}/action``: call the action that the body names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import webob

from api.controllers.records import RecordsController
from api.policy import enforcement
from api.policy.enforcement import Policy
from api.request import schemas
from api.request.call import Call
from api.response.views import Document
from api.routing import extensions
from api.routing.extensions import Action
from service.domain.catalogue.types import ResourceType
from service.domain.documents import values
from service.domain.errors import Invalid, Violation


class Controller:
    """Base class of the controllers that a type file names.

    ``read`` and ``change`` access a record as the built-in actions do: they
    raise NotFound for another project's record, check If-Match and set the
    ETag. ``records`` has the built-in actions themselves.
    """

    def __init__(self, records: RecordsController) -> None:
        self.records = records

    def read(self, call: Call, id: str) -> Document:
        """Return a record's document as this caller may read it."""
        return self.records.read(call, id)

    def change(self, call: Call, id: str, changed: Mapping[str, Any]
               ) -> webob.Response:
        """Set columns of a record and return the response with the record."""
        return self.records.set(call, id, lambda current: changed)


class ActionsController:
    """Calls the action methods of one type by their names.

    ``controllers`` have the action methods: first the controller with the
    actions of every type, then the one that the type file names, if any.
    """

    def __init__(self, declared: ResourceType, policy: Policy,
                 *controllers: object) -> None:
        self._declared = declared
        self._policy = policy
        self._actions = {
            action.name: (action, getattr(controller, action.method),
                          schemas.compile_schema(action.schema))
            for controller in controllers
            for action in extensions.declared_methods(type(controller))
            if isinstance(action, Action)}

    def act(self, call: Call, id: str) -> webob.Response:
        """Check the action's version, rule and arguments, then call it."""
        action, method, validator = self._requested(call)
        self._policy.check(call.caller,
                           enforcement.name(self._declared, action.name))
        arguments = call.body[action.name]
        _check_object(action, arguments)
        schemas.check(validator, arguments, f'/{action.name}')
        return method(call, id, arguments)

    def _requested(self, call: Call
                   ) -> tuple[Action, Callable[..., Any], Any]:
        """Return the action that the body names, its method and validator."""
        known = sorted(name for name, (action, _, _) in self._actions.items()
                       if action.since <= call.version)
        body = call.body
        if not isinstance(body, dict) or len(body) != 1:
            raise Invalid([Violation(
                f'The body must be an object with one member, the name of '
                f'an action: {", ".join(known)}', '')])
        name = next(iter(body))
        if name not in known:
            raise Invalid([Violation(
                f'{values.quoted(name)} is not an action of a '
                f'{self._declared.name}; valid actions are '
                f'{", ".join(known)}', '')])
        return self._actions[name]


def _check_object(action: Action, arguments: Any) -> None:
    """Raise Invalid, with the valid members, if an object was expected."""
    if action.schema.get('type') != 'object' or isinstance(arguments, dict):
        return
    members = ', '.join(action.schema.get('properties', ()))
    raise Invalid([Violation(
        f'{action.name}: {values.quoted(arguments)} is not an object; '
        f'{f"its members are {members}" if members else "send {}"}',
        f'/{action.name}')])
