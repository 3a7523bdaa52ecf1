# SPDX-License-Identifier: Apache-2.0
"""OPTIONS: the methods that a path accepts."""

from __future__ import annotations

import webob

from api.request.call import Call
from api.response import replies
from api.routing.router import RouteMap


class MethodsController:
    """Answers OPTIONS on every path of a RouteMap."""

    def __init__(self, routes: RouteMap) -> None:
        self._routes = routes

    def options(self, call: Call, **values: str) -> webob.Response:
        allow = self._routes.allowed(call.environ, call.version)
        return replies.empty(204, [('Allow', ', '.join(allow))])
