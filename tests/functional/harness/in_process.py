# SPDX-License-Identifier: Apache-2.0
"""The shipped pipeline, called as WSGI in this process.

It is fast enough for thousands of requests, and ``Application.request`` has
the signature of ``daemon.Server.request``.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from http.client import HTTPMessage
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from service.config import files as config_files
from service.hosting import paste
from tests.functional.harness import error_shape
from tests.functional.harness.daemon import Reply, apply_types


class Application:
    """The application of one config directory."""

    def __init__(self, directory: Path) -> None:
        apply_types(directory)
        self._app = paste.load(
            config_files.load(['--config-dir', str(directory)]))

    def request(self, method: str, path: str, body: object = None,
                headers: Mapping[str, str] | None = None) -> Reply:
        """Send one request and check the shape of an error reply (L02).

        A ``body`` of bytes is sent unchanged, any other as JSON.
        """
        sent = dict(headers or {})
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault('Content-Type', 'application/json')
        started: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]],
                  exc_info: Any = None, /) -> Callable[[bytes], object]:
            started[:] = status, headers
            return chunks.append
        chunks: list[bytes] = []
        answer = self._app(_environ(method, path, body or b'', sent), start)
        try:
            chunks.extend(answer)
        finally:
            getattr(answer, 'close', lambda: None)()
        status, fields = started
        reply = Reply(int(status[:3]), _message(fields), b''.join(chunks))
        error_shape.check(method, reply.status, fields, reply.body)
        return reply


def _environ(method: str, target: str, body: bytes,
             headers: Mapping[str, str]) -> dict[str, Any]:
    path, _, query = target.partition('?')
    return {
        'REQUEST_METHOD': method, 'SCRIPT_NAME': '',
        'PATH_INFO': unquote_to_bytes(path).decode('latin-1'),
        'QUERY_STRING': query, 'CONTENT_LENGTH': str(len(body)),
        'SERVER_NAME': '127.0.0.1', 'SERVER_PORT': '8088',
        'SERVER_PROTOCOL': 'HTTP/1.1', 'REMOTE_ADDR': '127.0.0.1',
        'HTTP_HOST': '127.0.0.1:8088', 'wsgi.version': (1, 0),
        'wsgi.url_scheme': 'http', 'wsgi.input': io.BytesIO(body),
        'wsgi.errors': io.StringIO(), 'wsgi.multithread': True,
        'wsgi.multiprocess': False, 'wsgi.run_once': False,
        **{_key(name): value for name, value in headers.items()}}


def _key(name: str) -> str:
    key = name.upper().replace('-', '_')
    return key if key == 'CONTENT_TYPE' else f'HTTP_{key}'


def _message(headers: list[tuple[str, str]]) -> HTTPMessage:
    message = HTTPMessage()
    for name, value in headers:
        message[name] = value
    return message
