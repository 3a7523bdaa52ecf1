# SPDX-License-Identifier: Apache-2.0
"""Handle a request, from the environ to the response.

Each check is one call, in the order of ``App.answer``. ``api.app`` builds an
``App`` for each catalogue; ``api.reloading`` calls the ``App``.
"""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import Any

import webob
from webob.acceptparse import create_accept_header

from api import identity
from api.policy.enforcement import Policy
from api.request import call, errors, json_body
from api.request.microversions import Versions
from api.routing.router import OPEN, APIRouter, Route
from service.domain.caller import Caller

LOG = logging.getLogger(__name__)


class App:
    """The versioned API of one catalogue, or the discovery application."""

    def __init__(self, routes: APIRouter, versions: Versions,
                 policy: Policy | None, max_body: int) -> None:
        self.versions = versions
        self._router = routes
        self._policy = policy
        self._max_body = max_body

    def answer(self, environ: dict[str, Any]) -> webob.Response:
        """Return the response to a request.

        The comments are the statuses of the errors that each step raises;
        ``faults.guarded`` turns an error into a response.
        """
        version = self.versions.wanted(                        # 400, 406
            environ.get('HTTP_OPENSTACK_API_VERSION'))
        environ['pileus.version'] = version
        route, action, values = self._router.match(environ,    # 404, 405
                                                   version)
        caller = self._authorize(environ, route)               # 401, 403
        _check_accept(environ.get('HTTP_ACCEPT'))              # 406
        parameters = call.parameters(environ)                  # 400
        if route.query is not None:
            call.check_known(parameters, route.query)          # 400
        document, media_type = json_body.read(                 # 400, 413, 415
            environ, route.body, self._max_body)
        LOG.debug('%s %s calls %s.%s', route.method, route.path,
                  route.controller, route.action)
        return action(call.Call(version, caller, parameters, document,
                                media_type, environ, route.declared),
                      **values)

    def _authorize(self, environ: dict[str, Any], route: Route) -> Caller:
        """Return the caller; raise an error if the route's rule denies it."""
        caller_identity = identity.identity(environ)
        if caller_identity is None:
            if route.rule is not OPEN:
                raise identity.refusal(environ)
            return identity.ANONYMOUS
        caller = caller_identity.caller(self._policy,
                                        reads=route.method == 'GET')
        if route.rule is not OPEN and self._policy is not None:
            self._policy.check(caller, route.rule)
        return caller


def _check_accept(accept: str | None) -> None:
    """Raise NotAcceptable if the Accept header excludes JSON."""
    if accept and not _accepts_json(accept):
        raise errors.NotAcceptable(accept=ascii(accept[:80])[1:-1])


@lru_cache(maxsize=256)
def _accepts_json(accept: str) -> bool:
    """Whether an Accept header includes JSON.

    PERF: cached, because clients repeat a few headers.
    """
    offers = create_accept_header(accept).acceptable_offers(
        ['application/json'])
    return bool(offers)
