# SPDX-License-Identifier: Apache-2.0
"""The controller of the shipped type ``host``, with the action ``retire``.

The documentation of actions shows this module as its example.
"""

from __future__ import annotations

from typing import Any

import webob

from api.controllers.actions import Controller
from api.request.call import Call
from api.routing.extensions import action
from service.domain.records.store import Record


class Hosts(Controller):
    """Retires a host: the status and the reason change in one transaction."""

    @action(since='1.1', schema={
        'type': 'object',
        'properties': {'reason': {'type': 'string', 'minLength': 1,
                                  'maxLength': 255}},
        'additionalProperties': False})
    def retire(self, call: Call, id: str, arguments: dict[str, Any]
               ) -> webob.Response:
        """Take a host out of service.

        Retiring a retired host succeeds and changes nothing (CODE-5).
        """
        def retired(current: Record) -> dict[str, Any]:
            metadata = dict(current['metadata'])
            if 'reason' in arguments:
                metadata['retired_because'] = arguments['reason']
            return {'status': 'retired', 'metadata': metadata}
        return self.records.set(call, id, retired)
