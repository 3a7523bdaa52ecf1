# SPDX-License-Identifier: Apache-2.0
"""A third-party controller with a route and an action of its own."""

from __future__ import annotations

from typing import Any

import webob

from api.controllers.actions import Controller
from api.request.call import Call
from api.response import replies
from api.routing.extensions import action, route


class Lamps(Controller):

    @route('GET', '/{id}/light', since='1.3', query=['unit'])
    def light(self, call: Call, id: str) -> webob.Response:
        """Return the brightness of a lamp in the requested unit."""
        unit = dict(call.parameters).get('unit', 'lumen')
        return replies.document(200, {'light': {
            'unit': unit, 'value': self.read(call, id)['watts'] * 80}})

    @action(schema={'type': 'object', 'additionalProperties': False},
            check='role:janitor')
    def replace_bulb(self, call: Call, id: str, arguments: dict[str, Any]
                     ) -> webob.Response:
        return self.change(call, id, {'watts': 60})


class Shadow(Controller):

    @route('GET', '/{id}/revisions')
    def history(self, call: Call, id: str) -> webob.Response:
        """Never called: the start rejects a route that exists already."""
        raise NotImplementedError
