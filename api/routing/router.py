# SPDX-License-Identifier: Apache-2.0
"""Find the Route of a request, and the controller method that answers it.

A Route declares path, method, controller and action, policy rule, the media
types of the body, the parameters, and the type whose versions have the path.
RouteMap puts the Routes into a ``routes.Mapper``; APIRouter binds each Route
to a method of a controller.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import routes
import webob

from api.request import errors, urls
from service.domain.catalogue.microversion import Version
from service.domain.catalogue.types import ResourceType
from service.domain.errors import shorten

ActionMethod = Callable[..., webob.Response]

#: The rule of a Route that needs neither credentials nor permission.
OPEN = ''

METHODS = ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS')


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method, and the properties of requests for them.

    ``body`` are the accepted media types; without any, a body is an error.
    ``query`` are the known parameters; with None the action parses the query
    itself. With ``tail`` the last value of the path includes slashes.
    """

    path: str
    method: str
    controller: str
    action: str
    rule: str
    body: tuple[str, ...] = ()
    query: frozenset[str] | None = frozenset()
    declared: ResourceType | None = None
    since: Version | None = None
    tail: bool = False

    @property
    def name(self) -> str:
        """The key of the Route: method and path."""
        return f'{self.method} {self.path}'

    @property
    def methods(self) -> list[str]:
        """The methods of the Route; GET includes HEAD (METH-1)."""
        return ['GET', 'HEAD'] if self.method == 'GET' else [self.method]

    @property
    def spans(self) -> dict[str, str]:
        """A regular expression for each value of the path.

        The expressions use character sets, because a dot excludes newlines.
        """
        names = re.findall(r'{(\w+)}', self.path)
        spans = dict.fromkeys(names, '[^/]+')
        return {**spans, names[-1]: r'[\s\S]+'} if self.tail else spans

    def known(self, version: Version) -> bool:
        """Whether a version has the Route."""
        return ((self.declared is None or self.declared.known(version))
                and (self.since is None or self.since <= version))


class RouteMap:
    """Holds the Routes and finds the Route of a request."""

    def __init__(self, table: Iterable[Route]) -> None:
        self.table = tuple(table)
        self._named = {route.name: route for route in self.table}
        self._mapper = routes.Mapper(register=False)
        for route in self.table:
            self._mapper.connect(
                route.name, route.path, controller=route.controller,
                action=route.action, requirements=route.spans,
                conditions={'method': route.methods})
        self._mapper.create_regs([])

    def find(self, environ: dict[str, Any], version: Version
             ) -> tuple[Route, dict[str, str]]:
        """Return the Route of a request and the values of its path.

        Raises MethodNotAllowed, and NoSuchPath if the version does not have
        the path.
        """
        path = _path(environ)
        match = self._match(environ, path)
        if match is None or not match[0].known(version):
            allow = self.allowed(environ, version)
            if allow:
                raise errors.MethodNotAllowed(environ['REQUEST_METHOD'],
                                              allow)
            raise no_such_path(environ)
        return match

    def allowed(self, environ: dict[str, Any],
                version: Version) -> list[str]:
        """Return the methods of a path at a version; none for no such path."""
        path = _path(environ)
        matches = ((method, self._match({'REQUEST_METHOD': method}, path))
                   for method in METHODS)
        return [method for method, match in matches
                if match is not None and match[0].known(version)]

    def _match(self, environ: dict[str, Any], path: str
               ) -> tuple[Route, dict[str, str]] | None:
        """Return the Route of a path and its values, or None.

        The mapper's patterns also match a path with an additional newline at
        the end, unless the path ends with a value; such a path has no Route.
        """
        match = self._mapper.routematch(path, environ)
        if match is None:
            return None
        values, matched = match
        route = self._named[matched.name]
        if path.endswith('\n') and not route.path.endswith('}'):
            return None
        del values['controller'], values['action']
        return route, values


class APIRouter:
    """Binds each Route of a RouteMap to the action that the Route names."""

    def __init__(self, routes: RouteMap,
                 controllers: Mapping[str, object]) -> None:
        """Raise AttributeError if a controller lacks the action of a Route."""
        self._routes = routes
        self._actions: dict[str, ActionMethod] = {
            route.name: getattr(controllers[route.controller], route.action)
            for route in routes.table}

    @property
    def table(self) -> tuple[Route, ...]:
        """Every Route, in the order of the table."""
        return self._routes.table

    def action(self, route: Route) -> ActionMethod:
        """Return the controller method that a Route is bound to."""
        return self._actions[route.name]

    def match(self, environ: dict[str, Any], version: Version
              ) -> tuple[Route, ActionMethod, dict[str, str]]:
        """Return the Route of a request, its method and its path's values.

        Raises NoSuchPath and MethodNotAllowed.
        """
        route, values = self._routes.find(environ, version)
        return route, self._actions[route.name], values


def no_such_path(environ: dict[str, Any]) -> errors.NoSuchPath:
    """Return the error with the path as the client sent it."""
    original = environ.get(urls.PATH, environ.get('PATH_INFO', ''))
    path = original.encode('latin-1').decode(errors='backslashreplace')
    return errors.NoSuchPath(path=shorten(ascii(path)[1:-1]))


def _path(environ: dict[str, Any]) -> str:
    """Return the path below the mount as text.

    Raises NoSuchPath for a path that is not UTF-8 or has a NUL, which no
    database can store in a tag or metadata key.
    """
    encoded = urls.path(environ)
    if encoded is None:
        raise no_such_path(environ)
    try:
        path = encoded.encode('latin-1').decode()
    except UnicodeDecodeError:
        raise no_such_path(environ) from None
    if '\0' in path:
        raise no_such_path(environ)
    return path or '/'
