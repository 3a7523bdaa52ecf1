# SPDX-License-Identifier: Apache-2.0
"""Log one line for each request that reaches the application."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from oslo_context.context import RequestContext

from service.logs.escape import escape, mask_secrets

LOG = logging.getLogger(__name__)


class Log:
    """Log method, path, status, length, time and request id of a request."""

    def __init__(self, app: Callable[..., Any]) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any],
                 start_response: Callable[..., Any]) -> Iterable[bytes]:
        # A green thread answers many requests. Without a new context the
        # log records before authentication would carry the request id of
        # the thread's previous request.
        RequestContext(request_id=environ.get('openstack.request_id'),
                       overwrite=True)
        if not LOG.isEnabledFor(logging.INFO):
            return self._app(environ, start_response)
        reply: list[tuple[str, str]] = []
        started = time.monotonic()

        def start(status: str, headers: list[tuple[str, str]],
                  exc_info: Any = None) -> Callable[[bytes], object]:
            lengths = [value for name, value in headers
                       if name.lower() == 'content-length']
            reply[:] = [(status[:3], lengths[0] if lengths else '-')]
            return start_response(status, headers, exc_info)

        try:
            return self._app(environ, start)
        finally:
            status, length = reply[0] if reply else ('500', '-')
            LOG.info('%s "%s %s" status: %s len: %s time: %.6f %s',
                     escape(environ.get('REMOTE_ADDR') or '-'),
                     escape(environ['REQUEST_METHOD']), _target(environ),
                     status, length, time.monotonic() - started,
                     environ.get('openstack.request_id', '-'))


def _target(environ: dict[str, Any]) -> str:
    """Return path and query as sent, escaped, with secrets masked."""
    path = environ.get('RAW_PATH_INFO') or (
        environ.get('SCRIPT_NAME', '') + environ.get('PATH_INFO', ''))
    query = environ.get('QUERY_STRING')
    if query:
        path += '?' + query
    return escape(mask_secrets(path))


def factory(global_conf: Mapping[str, str], **local: str
            ) -> Callable[[Callable[..., Any]], Log]:
    """``paste.filter_factory``."""
    return Log
