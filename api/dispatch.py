# SPDX-License-Identifier: Apache-2.0
"""One request's life, from the environ to the response.

Each gate is one call, in the order of ``App.answer``. ``api.app`` builds an
``App`` for each catalogue; ``api.reloading`` calls it.
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
    """An API of one generation of types: the versioned one, or discovery."""

    def __init__(self, routes: APIRouter, versions: Versions,
                 rules: Policy | None, max_body: int) -> None:
        self.versions = versions
        self._router = routes
        self._policy = rules
        self._max_body = max_body

    def answer(self, environ: dict[str, Any]) -> webob.Response:
        """Whatever is wrong is raised, and told by who asked."""
        version = self.versions.wanted(                        # 400, 406
            environ.get('HTTP_OPENSTACK_API_VERSION'))
        environ['pileus.version'] = version
        route, action, values = self._router.match(environ,    # 404, 405
                                                   version)
        caller = self._admitted(environ, route)                # 401, 403
        _acceptable(environ.get('HTTP_ACCEPT'))                # 406
        given = call.parameters(environ)                       # 400
        if route.query is not None:
            call.check_known(given, route.query)                     # 400
        document, media_type = json_body.read(                 # 400, 413, 415
            environ, route.body, self._max_body)
        LOG.debug('%s %s calls %s.%s', route.method, route.path,
                  route.controller, route.action)
        return action(call.Call(version, caller, given, document, media_type,
                                environ, route.declared), **values)

    def _admitted(self, environ: dict[str, Any], route: Route) -> Caller:
        """Who calls, if the route's rule lets them."""
        who = identity.identity(environ)
        if who is None:
            if route.rule is not OPEN:
                raise identity.refusal(environ)
            return identity.ANONYMOUS
        caller = who.caller(self._policy, reads=route.method == 'GET')
        if route.rule is not OPEN and self._policy is not None:
            self._policy.check(caller, route.rule)
        return caller


def _acceptable(accept: str | None) -> None:
    """Raise NotAcceptable where a client will not take JSON."""
    if accept and not _takes_json(accept):
        raise errors.NotAcceptable(accept=ascii(accept[:80])[1:-1])


@lru_cache(maxsize=256)
def _takes_json(accept: str) -> bool:
    """PERF: clients send one of a few headers, again and again."""
    offers = create_accept_header(accept).acceptable_offers(
        ['application/json'])
    return bool(offers)
