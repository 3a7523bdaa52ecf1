# SPDX-License-Identifier: Apache-2.0
"""The WSGI environ of a request."""

from __future__ import annotations

import io
import ipaddress
import socket
from typing import Any
from urllib.parse import unquote_to_bytes

from eventlet import tpool
from oslo_log import log

from service.hosting.offload import RUNNER
from service.logs import escape
from service.process.http.body import Body
from service.process.http.head import Head
from service.process.http.wire import native_socket

LOG = log.getLogger(__name__)


class ErrorLog(io.TextIOBase):
    """``wsgi.errors``: logs each line that an application writes."""

    def write(self, text: str) -> int:
        for line in text.splitlines():
            if line.strip():
                LOG.error('wsgi.errors: %s', escape.escape(line))
        return len(text)

    def writable(self) -> bool:
        return True


def for_listener(sock: socket.socket, scheme: str, multiprocess: bool,
                 ) -> dict[str, Any]:
    """Return the part of the environ that is the same for a listener.

    ``wsgi.multithread`` is true: another green thread may run whenever one
    waits, so an application needs the same care as with threads.
    """
    name, port = _server(sock)
    environ = {
        'GATEWAY_INTERFACE': 'CGI/1.1',
        'SERVER_NAME': name,
        'SERVER_PORT': port,
        'SCRIPT_NAME': '',
        'wsgi.version': (1, 0),
        'wsgi.url_scheme': scheme,
        'wsgi.errors': ErrorLog(),
        'wsgi.multithread': True,
        'wsgi.multiprocess': multiprocess,
        'wsgi.run_once': False,
        'wsgi.input_terminated': True,
        RUNNER: tpool.execute,
    }
    if scheme == 'https':
        environ['HTTPS'] = 'on'
    return environ


def client_address(address: Any) -> tuple[str, str]:
    """Return REMOTE_ADDR and REMOTE_PORT.

    A client on a Unix socket has neither. It runs on this machine, so it
    counts as 127.0.0.1, port 0; checks for loopback and for trusted proxies
    then work. For the same reason, IPv4 addresses mapped into IPv6 are
    written as IPv4.
    """
    if not isinstance(address, tuple):
        return '127.0.0.1', '0'
    host = address[0].partition('%')[0]
    if host.startswith('::ffff:'):
        mapped = ipaddress.IPv6Address(host).ipv4_mapped
        host = str(mapped or host)
    return host, str(address[1])


def for_request(template: dict[str, Any], client: tuple[str, str],
                head: Head, body: Body | None) -> dict[str, Any]:
    """Return the environ of a request; ``template`` is its listener's."""
    path = head.path
    if '%' in path:
        path = unquote_to_bytes(path).decode('latin-1')
    return {
        **template, **head.fields,
        'REMOTE_ADDR': client[0],
        'REMOTE_PORT': client[1],
        'REQUEST_METHOD': head.method,
        'SERVER_PROTOCOL': 'HTTP/1.1' if head.http_1_1 else 'HTTP/1.0',
        'REQUEST_URI': head.target,
        'RAW_PATH_INFO': head.path,
        'PATH_INFO': path,
        'QUERY_STRING': head.query,
        'wsgi.input': io.BytesIO() if body is None else
        io.BufferedReader(body),
    }


def _server(sock: socket.socket) -> tuple[str, str]:
    if sock.family == native_socket.AF_UNIX:
        return 'localhost', '80'
    host, port = sock.getsockname()[:2]
    return host, str(port)
