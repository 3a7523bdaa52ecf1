# SPDX-License-Identifier: Apache-2.0
"""The outermost filter: format all errors alike, and add version headers.

The application formats its own errors. This filter replaces the errors of
urlmap, CORS and the auth filters, and answers for exceptions that they raise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import webob

from api.request import urls
from api.request.microversions import Versions
from api.response import faults
from service.config import files as config_files
from service.domain.catalogue.microversion import FIRST_VERSION

Headers = list[tuple[str, str]]
StartResponse = Callable[..., Any]


class Fault:
    """Replace errors of other filters, and add missing version headers."""

    def __init__(self, app: Callable[..., Any], versions: Versions) -> None:
        self._app = app
        self._versions = versions

    def __call__(self, environ: dict[str, Any],
                 start_response: StartResponse) -> Iterable[bytes]:
        environ[urls.PREFIX] = environ.get('SCRIPT_NAME', '')
        if not environ.get('PATH_INFO', '/').startswith('/'):
            # ``OPTIONS *`` has the path *, on which urlmap fails. No
            # application serves /*.
            environ['PATH_INFO'] = f'/{environ["PATH_INFO"]}'
        environ[urls.PATH] = environ.get('PATH_INFO', '')
        start = _Start(environ, start_response, self._versions)
        reply = faults.guarded(lambda: self._app(environ, start), environ,
                               self._versions.service_type)
        if start.error is not None:
            _close(reply)
            reply = faults.middleware_error(
                environ, self._versions.service_type, *start.error)
        if not isinstance(reply, webob.Response):
            return reply
        reply.headerlist += [*self._versions.headers(None),
                             *_request_id_header(environ)]
        return reply(environ, start_response)


class _Start:
    """A ``start_response`` that withholds an error of another filter."""

    def __init__(self, environ: dict[str, Any],
                 start_response: StartResponse, versions: Versions) -> None:
        self.error: tuple[int, Headers] | None = None
        self._environ = environ
        self._start_response = start_response
        self._versions = versions

    def __call__(self, status: str, headers: Headers,
                 exc_info: Any = None) -> Callable[[bytes], object]:
        if faults.OWN_REPLY in self._environ:
            return self._start_response(status, headers, exc_info)
        number = int(status[:3])
        if number >= 400:
            self.error = number, headers
            return _discard
        return self._start_response(
            status, [*headers, *self._versions.headers(None)], exc_info)


def _discard(data: bytes) -> None:
    """Drop the text of an error that this filter replaces."""


def _close(reply: object) -> None:
    close = getattr(reply, 'close', None)
    if close is not None:
        close()


def _request_id_header(environ: dict[str, Any]) -> Headers:
    request_id = environ.get('openstack.request_id')
    return [('X-Openstack-Request-Id', request_id)] if request_id else []


def factory(global_conf: Mapping[str, str], **local: str
            ) -> Callable[[Callable[..., Any]], Fault]:
    """``paste.filter_factory``."""
    conf = config_files.from_paste(global_conf)
    versions = Versions(conf.api.service_type, FIRST_VERSION)
    return lambda app: Fault(app, versions)
