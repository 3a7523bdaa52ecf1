# SPDX-License-Identifier: Apache-2.0
"""``POST /v1/<plural>/{id}/action``: which action the body names."""

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
    """What a type's own controller derives from.

    ``records`` has the actions every type has. ``read`` and ``change`` are
    what an own one needs: NotFound for another project's record, If-Match,
    ETag and all.
    """

    def __init__(self, records: RecordsController) -> None:
        self.records = records

    def read(self, call: Call, id: str) -> Document:
        """A record's document, as the caller sees it."""
        return self.records.read(call, id)

    def change(self, call: Call, id: str, changed: Mapping[str, Any]
               ) -> webob.Response:
        """Set columns of a record and reply with it."""
        return self.records.set(call, id, lambda current: changed)


class ActionsController:
    """The actions of one type, by the name in the body.

    ``controllers`` are whose methods they are: what every type has comes
    first, then what its own controller adds.
    """

    def __init__(self, declared: ResourceType, rules: Policy,
                 *controllers: object) -> None:
        self._declared = declared
        self._policy = rules
        self._bound = {
            one.name: (one, getattr(controller, one.method),
                       schemas.compiled(one.schema))
            for controller in controllers
            for one in extensions.declared_methods(type(controller))
            if isinstance(one, Action)}

    def act(self, call: Call, id: str) -> webob.Response:
        """Check the named action's version, rule and arguments; call it."""
        one, method, validator = self._named(call)
        self._policy.check(call.caller,
                           enforcement.name(self._declared, one.name))
        arguments = call.body[one.name]
        _check_object(one, arguments)
        schemas.check(validator, arguments, f'/{one.name}')
        return method(call, id, arguments)

    def _named(self, call: Call) -> tuple[Action, Callable[..., Any], Any]:
        known = sorted(name for name, (one, _, _) in self._bound.items()
                       if one.since <= call.version)
        body = call.body
        if not isinstance(body, dict) or len(body) != 1:
            raise Invalid([Violation(
                f'The body must be an object with one member, the action: '
                f'{", ".join(known)}', '')])
        name = next(iter(body))
        if name not in known:
            raise Invalid([Violation(
                f'{values.quoted(name)} is not an action of a '
                f'{self._declared.name}; known are {", ".join(known)}', '')])
        return self._bound[name]


def _check_object(action: Action, arguments: Any) -> None:
    """Refuse what has no members where members are wanted, naming them."""
    if action.schema.get('type') != 'object' or isinstance(arguments, dict):
        return
    known = ', '.join(action.schema.get('properties', ()))
    raise Invalid([Violation(
        f'{action.name}: {values.quoted(arguments)} is not an object; '
        f'{f"its members are {known}" if known else "send {}"}',
        f'/{action.name}')])
