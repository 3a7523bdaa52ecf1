# SPDX-License-Identifier: Apache-2.0
"""A controller with a bug, for tests of the reply to a bug."""

from __future__ import annotations

import webob

from api.controllers.actions import Controller
from api.request.call import Call
from api.routing.extensions import route


class FailingController(Controller):
    """Fail with an exception whose text must not reach a client."""

    @route('GET', '/{id}/failure')
    def failure(self, call: Call, id: str) -> webob.Response:
        raise RuntimeError('hunter2')
