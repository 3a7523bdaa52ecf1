# SPDX-License-Identifier: Apache-2.0
"""Call a WSGI application without a server."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

Headers = list[tuple[str, str]]


class Answer(NamedTuple):
    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the value of a header, or None."""
        return {key.lower(): value
                for key, value in self.headers}.get(name.lower())


def environ(path: str = '/', method: str = 'GET', **more: Any
            ) -> dict[str, Any]:
    """Return the environ of a request between two loopback addresses."""
    return {
        'REQUEST_METHOD': method, 'SCRIPT_NAME': '', 'PATH_INFO': path,
        'QUERY_STRING': '', 'SERVER_NAME': '127.0.0.1',
        'SERVER_PORT': '8088', 'SERVER_PROTOCOL': 'HTTP/1.1',
        'REMOTE_ADDR': '127.0.0.1', 'HTTP_HOST': '127.0.0.1:8088',
        'wsgi.url_scheme': 'http', 'wsgi.input': io.BytesIO(), **more}


def answer(app: Callable[..., Iterable[bytes]],
           request: dict[str, Any]) -> Answer:
    """Call an application with an environ and return its reply."""
    head: list[Any] = []

    def start(status: str, headers: Headers,
              exc_info: Any = None) -> Callable[[bytes], object]:
        head[:] = [int(status[:3]), headers]
        return head.append
    body = app(request, start)
    try:
        data = b''.join(body)
    finally:
        getattr(body, 'close', lambda: None)()
    return Answer(head[0], head[1], data)


class App:
    """An application with a fixed reply; keeps the environ of its last call.
    """

    def __init__(self, status: str = '200 OK', headers: Headers = (),
                 body: Iterable[bytes] = (b'{}',)) -> None:
        self.answer = status, list(headers)
        self.body = body
        self.environ: dict[str, Any] = {}

    def __call__(self, environ: dict[str, Any],
                 start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.environ = environ
        start_response(*self.answer)
        return self.body
