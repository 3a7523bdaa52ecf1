# SPDX-License-Identifier: Apache-2.0
"""OPTIONS: which methods a path takes."""

from __future__ import annotations

import webob

from api.request.call import Call
from api.response import replies
from api.routing.router import APIRouter


class Methods:
    """Answers from the router that calls it, which is set once it is made."""

    router: APIRouter

    def options(self, call: Call, **values: str) -> webob.Response:
        allow = self.router.allowed(call.environ, call.version)
        return replies.empty(204, [('Allow', ', '.join(allow))])
