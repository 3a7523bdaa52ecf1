# SPDX-License-Identifier: Apache-2.0
"""A controller with a bug, for tests of what a client is told of one."""

from __future__ import annotations

import webob

from api.controllers.actions import Controller
from api.request.call import Call
from api.routing.extensions import route


class Broken(Controller):
    """Whatever is asked of it, it fails and says what nobody should know."""

    @route('GET', '/{id}/failure')
    def failure(self, call: Call, id: str) -> webob.Response:
        raise RuntimeError('hunter2')
