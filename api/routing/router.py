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
from service.domain.errors import short

Action = Callable[..., webob.Response]

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


class APIRouter:
    """Binds each Route to the action it names, and finds it again."""

    def __init__(self, table: Iterable[Route],
                 controllers: Mapping[str, object]) -> None:
        """Raises AttributeError where a Route names no action."""
        self.table = tuple(table)
        self._bound: dict[str, tuple[Route, Action]] = {}
        self._mapper = routes.Mapper(register=False)
        for route in self.table:
            action = getattr(controllers[route.controller], route.action)
            name = f'{route.method} {route.path}'
            self._bound[name] = (route, action)
            self._mapper.connect(
                name, route.path, controller=route.controller,
                action=route.action, requirements=route.spans,
                conditions={'method': route.methods})
        self._mapper.create_regs([])

    def match(self, environ: dict[str, Any], version: Version
              ) -> tuple[Route, Action, dict[str, str]]:
        """The Route of a request, its action, and the path's values.

        Raises NoSuchPath, also where the version does not know the path yet,
        and MethodNotAllowed with the methods that would do.
        """
        path = _path(environ)
        found = self._found(environ, path)
        if found is None or not found[0].known(version):
            allow = self.allowed(environ, version)
            if allow:
                raise errors.MethodNotAllowed(environ['REQUEST_METHOD'],
                                              allow)
            raise nothing(environ)
        return found

    def allowed(self, environ: dict[str, Any],
                version: Version) -> list[str]:
        """The methods a path takes at a version; none: there is no path."""
        path = _path(environ)
        found = ((method, self._found({'REQUEST_METHOD': method}, path))
                 for method in METHODS)
        return [method for method, one in found
                if one is not None and one[0].known(version)]

    def _found(self, environ: dict[str, Any], path: str
               ) -> tuple[Route, Action, dict[str, str]] | None:
        """The Route of a path, by the mapper.

        Its patterns let a line end through after a fixed last word: a path
        with one is not that path.
        """
        found = self._mapper.routematch(path, environ)
        if found is None:
            return None
        values, bound = found
        route, action = self._bound[bound.name]
        if path.endswith('\n') and not route.path.endswith('}'):
            return None
        del values['controller'], values['action']
        return route, action, values


def nothing(environ: dict[str, Any]) -> errors.NoSuchPath:
    """Told by the path as the client sent it, with what it is mounted at."""
    came = environ.get(urls.PATH, environ.get('PATH_INFO', ''))
    path = came.encode('latin-1').decode(errors='backslashreplace')
    return errors.NoSuchPath(path=short(ascii(path)[1:-1]))


def _path(environ: dict[str, Any]) -> str:
    """The path below the mount, as text.

    A value in it may be a tag, of any characters but NUL, which no database
    takes.
    """
    came = urls.path(environ)
    if came is None:
        raise nothing(environ)
    try:
        path = came.encode('latin-1').decode()
    except UnicodeDecodeError:
        raise nothing(environ) from None
    if '\0' in path:
        raise nothing(environ)
    return path or '/'
