# SPDX-License-Identifier: Apache-2.0
"""Replies: a status, JSON bytes and headers, as WebOb responses."""

from __future__ import annotations

from typing import Any

import orjson
import webob

JSON = ('Content-Type', 'application/json')
EMPTY = [('Content-Type', 'text/plain'), ('Content-Length', '0')]
#: CACHE-1 and CACHE-2: everything is asked for again, and what one caller
#: sees is nobody else's.
CACHE = ('Cache-Control', 'private, no-cache')

Headers = list[tuple[str, str]]


def document(status: int, body: Any, headers: Headers | None = None
             ) -> webob.Response:
    """A JSON document."""
    return encoded(status, orjson.dumps(body), headers)


def encoded(status: int, data: bytes, headers: Headers | None = None
            ) -> webob.Response:
    """A JSON document that is bytes already."""
    return _response(status, data, [
        JSON, ('Content-Length', str(len(data))), CACHE, *(headers or ())])


def empty(status: int, headers: Headers | None = None) -> webob.Response:
    """No body: 204 and 304, or what has all it says in its headers.

    Any other status is said to have an empty text: WSGI servers and proxies
    expect a type of what they are not told to be without a body.
    """
    bare = [] if status in (204, 304) else EMPTY
    return _response(status, b'', [*bare, CACHE, *(headers or ())])


def _response(status: int, data: bytes, headers: Headers) -> webob.Response:
    return webob.Response(status=status, app_iter=[data], headerlist=headers)
