# SPDX-License-Identifier: Apache-2.0
"""Create WebOb responses of a status, JSON bytes and headers."""

from __future__ import annotations

from typing import Any

import orjson
import webob

JSON = ('Content-Type', 'application/json')
EMPTY = [('Content-Type', 'text/plain'), ('Content-Length', '0')]
#: Caches must revalidate every reply and must not share replies between
#: clients (CACHE-1, CACHE-2).
CACHE = ('Cache-Control', 'private, no-cache')

Headers = list[tuple[str, str]]


def document(status: int, body: Any, headers: Headers | None = None
             ) -> webob.Response:
    """Return a response with a JSON document."""
    return encoded_document(status, orjson.dumps(body), headers)


def encoded_document(status: int, data: bytes, headers: Headers | None = None
                     ) -> webob.Response:
    """Return a response with a JSON document that is encoded already."""
    return _response(status, data, [
        JSON, ('Content-Length', str(len(data))), CACHE, *(headers or ())])


def empty(status: int, headers: Headers | None = None) -> webob.Response:
    """Return a response without a body.

    Statuses other than 204 and 304 get a Content-Type, because WSGI servers
    and proxies expect one.
    """
    bare = [] if status in (204, 304) else EMPTY
    return _response(status, b'', [*bare, CACHE, *(headers or ())])


def _response(status: int, data: bytes, headers: Headers) -> webob.Response:
    return webob.Response(status=status, app_iter=[data], headerlist=headers)
