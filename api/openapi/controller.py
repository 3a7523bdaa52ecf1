# SPDX-License-Identifier: Apache-2.0
"""The API describing itself to programs."""

from __future__ import annotations

import webob

from api.openapi.document import OpenAPI
from api.request.call import Call
from api.response import replies


class OpenAPIController:
    """The action that shows the OpenAPI document."""

    def __init__(self, openapi: OpenAPI) -> None:
        self._openapi = openapi

    def openapi(self, call: Call) -> webob.Response:
        """The version asked for, as this caller may use it."""
        return replies.document(200, self._openapi.document(
            call.version, call.mount, call.caller.roles))
