# SPDX-License-Identifier: Apache-2.0
"""APIRouter: the API as a table, bound into a ``routes.Mapper``.

A Route says all that a request meets: path, method, the action of a
controller, the policy rule, the media types of its body, its parameters, and
the type whose versions know it. The mapper decides which Route a request
takes; nothing else calls an action.
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

#: The rule of a Route that needs no token and no permission.
OPEN = ''

METHODS = ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS')


@dataclass(frozen=True, slots=True)
class Route:
    """One path and method, and what a request on it meets.

    ``body`` are the media types read; none: a body is refused. ``query`` are
    the parameters known; None: the action reads them itself. With ``tail``
    the path's last value takes the rest of the path, slashes and all.
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
        """HEAD wherever GET (METH-1)."""
        return ['GET', 'HEAD'] if self.method == 'GET' else [self.method]

    @property
    def spans(self) -> dict[str, str]:
        """What each value of the path may be, as a regular expression.

        A set of all but the slash, not a dot, which leaves out line ends.
        """
        names = re.findall(r'{(\w+)}', self.path)
        spans = dict.fromkeys(names, '[^/]+')
        return {**spans, names[-1]: r'[\s\S]+'} if self.tail else spans

    def known(self, version: Version) -> bool:
        return ((self.declared is None or self.declared.known(version))
                and (self.since is None or self.since <= version))


class RouteMap:
    """The Routes, and the mapper that finds the Route of a request."""

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

        Raises NoSuchPath, also where the version does not know the path yet,
        and MethodNotAllowed with the methods that the path takes.
        """
        path = _path(environ)
        found = self._match(environ, path)
        if found is None or not found[0].known(version):
            allow = self.allowed(environ, version)
            if allow:
                raise errors.MethodNotAllowed(environ['REQUEST_METHOD'],
                                              allow)
            raise no_such_path(environ)
        return found

    def allowed(self, environ: dict[str, Any],
                version: Version) -> list[str]:
        """The methods a path takes at a version; none: there is no path."""
        path = _path(environ)
        matches = ((method, self._match({'REQUEST_METHOD': method}, path))
                   for method in METHODS)
        return [method for method, match in matches
                if match is not None and match[0].known(version)]

    def _match(self, environ: dict[str, Any], path: str
               ) -> tuple[Route, dict[str, str]] | None:
        """Return the Route of a path and its values, or None.

        The mapper's patterns accept a line end after a fixed last word; a
        path with a line end is another path.
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
        """Raises AttributeError where a Route names no action."""
        self._routes = routes
        self._actions: dict[str, ActionMethod] = {
            route.name: getattr(controllers[route.controller], route.action)
            for route in routes.table}

    @property
    def table(self) -> tuple[Route, ...]:
        """Every Route, in the order of the table."""
        return self._routes.table

    def action(self, route: Route) -> ActionMethod:
        """The controller method that a Route is bound to."""
        return self._actions[route.name]

    def match(self, environ: dict[str, Any], version: Version
              ) -> tuple[Route, ActionMethod, dict[str, str]]:
        """Return the Route of a request, its action and its path's values.

        Raises NoSuchPath and MethodNotAllowed as ``RouteMap.find`` does.
        """
        route, values = self._routes.find(environ, version)
        return route, self._actions[route.name], values


def no_such_path(environ: dict[str, Any]) -> errors.NoSuchPath:
    """Told by the path as the client sent it, with what it is mounted at."""
    came = environ.get(urls.PATH, environ.get('PATH_INFO', ''))
    path = came.encode('latin-1').decode(errors='backslashreplace')
    return errors.NoSuchPath(path=shorten(ascii(path)[1:-1]))


def _path(environ: dict[str, Any]) -> str:
    """The path below the mount, as text.

    A value in it may be a tag, of any characters but NUL, which no database
    takes.
    """
    came = urls.path(environ)
    if came is None:
        raise no_such_path(environ)
    try:
        path = came.encode('latin-1').decode()
    except UnicodeDecodeError:
        raise no_such_path(environ) from None
    if '\0' in path:
        raise no_such_path(environ)
    return path or '/'
