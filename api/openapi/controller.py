# SPDX-License-Identifier: Apache-2.0
"""The action that shows the OpenAPI document."""

from __future__ import annotations

import webob

from api.openapi.document import OpenAPI
from api.request.call import Call
from api.response import replies


class OpenAPIController:
    """Shows the OpenAPI document."""

    def __init__(self, openapi: OpenAPI) -> None:
        self._openapi = openapi

    def openapi(self, call: Call) -> webob.Response:
        """Show the API at the requested version, as this caller may use it."""
        return replies.document(200, self._openapi.document(
            call.version, call.mount, call.caller.roles))
