# SPDX-License-Identifier: Apache-2.0
"""Version discovery, and the explanations of error codes."""

from __future__ import annotations

from typing import Any

import webob

from api.request import urls
from api.request.call import Call
from api.request.microversions import Versions
from api.response import error_help, replies
from service.domain import errors


class DiscoveryController:
    """Shows the versions document and the explanations of error codes.

    The versions document is the same at ``/`` and ``/v1`` (DISC-11).
    """

    def __init__(self, versions: Versions) -> None:
        self._versions = versions

    def show(self, call: Call) -> webob.Response:
        return replies.document(200, self._document(call))

    def index(self, call: Call) -> webob.Response:
        """Return 300 (Multiple Choices), as this service's predecessor did."""
        return replies.document(300, self._document(call))

    def error(self, call: Call, code: str) -> webob.Response:
        """Explain an error code, as the target of an error's help link."""
        explanation = error_help.CODES.get(code)
        if explanation is None:
            raise errors.NotFound(type='error code', id=errors.shorten(code))
        return replies.document(200, {'error_code': {
            'code': f'{self._versions.service_type}.{code}',
            'status': explanation.status, 'title': explanation.title,
            'description': explanation.text}})

    def _document(self, call: Call) -> dict[str, Any]:
        root = urls.root(call.environ)
        return {'versions': [{
            'id': 'v1.0', 'status': 'CURRENT',
            'min_version': str(self._versions.minimum),
            'max_version': str(self._versions.maximum),
            'links': [{'rel': 'self', 'href': f'{root}/v1/'},
                      {'rel': 'collection', 'href': f'{root}/'}]}]}
