# SPDX-License-Identifier: Apache-2.0
"""H23: all ambiguous requests of ``test_framing``, through nginx and HAProxy.

Each proxy refuses ``/admin`` and adds a header with an id of its own to each
request. If the application receives a request without that header, for
``/admin``, or the canary, the proxy and the server disagree about where a
request ends.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import pathlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.functional.http import wire
from tests.functional.http.protocol.test_framing import FORMS
from tests.functional.http.serving import Running, serving

NGINX = '''
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log {folder}/access.log;
    client_header_timeout 300ms;
    client_body_timeout 300ms;
    keepalive_timeout 300ms;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    scgi_temp_path {folder}/scgi;
    uwsgi_temp_path {folder}/uwsgi;
    upstream pileus {{ server 127.0.0.1:{server}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        location /admin {{ return 403; }}
        location / {{
            proxy_pass http://pileus;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_set_header Connection "";
            proxy_set_header Host pileus.example;
            proxy_set_header X-Proxied $request_id;
        }}
    }}
}}
'''

HAPROXY = '''
defaults
    mode http
    maxconn 200
    timeout connect 2s
    timeout client 300ms
    timeout http-request 300ms
    timeout http-keep-alive 300ms
    timeout server 3s
    http-reuse always
frontend front
    bind 127.0.0.1:{port}
    unique-id-format %rt-%ts-%pid
    acl admin path_beg /admin
    http-request deny if admin
    http-request set-header X-Proxied %[unique-id]
    default_backend pileus
backend pileus
    server pileus 127.0.0.1:{server}
'''

#: How many requests are sent at once.
BATCH_REQUESTS = 24

COMMANDS = {
    'nginx': (NGINX, ['nginx', '-c', '{file}', '-e', '{folder}/error.log']),
    'haproxy': (HAPROXY, ['haproxy', '-db', '-f', '{file}']),
}


class Front:
    """A proxy in front of the server, with the interface of ``Running``."""

    def __init__(self, port: int, running: Running) -> None:
        self.address = ('127.0.0.1', port)
        self.app = running.app
        self.counters = running.counters


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def proxied(name: str, folder: pathlib.Path, running: Running,
            ) -> Iterator[Front]:
    template, command = COMMANDS[name]
    port = free_port()
    file = folder / 'proxy.conf'
    file.write_text(template.format(folder=folder, port=port,
                                    server=running.address[1]))
    words = [word.format(file=file, folder=folder) for word in command]
    with (folder / 'output').open('w') as output, subprocess.Popen(
            words, stdout=output, stderr=output) as process:
        front = Front(port, running)
        try:
            wire.until(lambda: listens(front) or process.poll() is not None)
            assert process.poll() is None, (folder / 'output').read_text()
            yield front
        finally:
            process.terminate()


def listens(front: Front) -> bool:
    try:
        socket.create_connection(front.address, 1).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.fixture(scope='module', params=sorted(COMMANDS))
def front(request: pytest.FixtureRequest,
          tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    name: str = request.param
    if shutil.which(name) is None:
        pytest.skip(f'{name} is not installed (apt-get install {name})')
    with serving() as running, proxied(
            name, tmp_path_factory.mktemp(name), running) as proxy:
        yield proxy


def exchange(front: Any, data: bytes) -> bytes:
    """Return all bytes until the proxy closes the connection."""
    answer = b''
    with wire.connect(front, 4) as sock:
        wire.send(sock, [data])
        with contextlib.suppress(ConnectionResetError):
            while piece := sock.recv(65536):
                answer += piece
    return answer


def batches(payloads: list[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(payloads), BATCH_REQUESTS):
        yield payloads[start:start + BATCH_REQUESTS]


SMUGGLED = b'GET /admin/smuggled HTTP/1.1\r\nHost: pileus.example\r\n\r\n'


def test_proxy_and_server_agree_on_each_ambiguous_head(front: Front) -> None:
    """H23 H14: each form is followed by a request that the proxy refuses."""
    payloads = [form[2].replace(wire.CANARY, SMUGGLED) for form in FORMS
                if len(form[2]) < 100000]
    with concurrent.futures.ThreadPoolExecutor(BATCH_REQUESTS) as pool:
        for batch in batches(payloads):
            front.app.seen.clear()
            answers = list(pool.map(lambda data: exchange(front, data), batch))
            check(front, batch, answers)


def check(front: Front, batch: list[bytes], answers: list[bytes]) -> None:
    seen = front.app.seen
    assert not [request for request in seen
                if request.path.startswith('/admin')], batch
    assert all('HTTP_X_PROXIED' in request.environ
               for request in seen), batch
    ids = [request.environ['HTTP_X_PROXIED'] for request in seen]
    assert len(ids) == len(set(ids)), batch
    served = sum(answer.count(b'HTTP/1.1 200') for answer in answers)
    assert served <= len(seen), batch


@pytest.mark.parametrize('chunks', [
    b'2;' + b'a' * 100 + b'\r\nhi\r\n0\r\n\r\n',
    b'2\nhi\r\n0\r\n\r\n', b'0x2\r\nhi\r\n0\r\n\r\n', b'2\r\nhi0\r\n\r\n',
    b'0\r\nContent-Length: 5\r\n\r\n', b'0\r\nX-Proxied: forged\r\n\r\n',
    b'2;\nxx\r\nhi\r\n0\r\n\r\n', b'10000000000000002\r\nhi\r\n0\r\n\r\n',
], ids=repr)
def test_proxy_and_server_agree_on_each_ambiguous_chunk(
        front: Front, chunks: bytes) -> None:
    """H23 H08 H10"""
    front.app.seen.clear()
    exchange(front, wire.chunked('/c', chunks) + SMUGGLED)
    assert '/admin/smuggled' not in front.app.paths
    assert all(request.environ['HTTP_X_PROXIED'] != 'forged'
               for request in front.app.seen)


def test_valid_requests_pass_the_proxy(front: Front) -> None:
    """H23: through the connections that the proxy keeps open."""
    front.app.seen.clear()
    for number in range(20):
        data = (wire.post(f'/{number}', b'hello')
                if number % 2 else wire.chunked(
                    f'/{number}', b'5\r\nhello\r\n0\r\n\r\n'))
        head = data.replace(b'\r\n', b'\r\nConnection: close\r\n', 1)
        answer = exchange(front, head)
        assert answer.startswith(b'HTTP/1.1 200'), answer
    assert front.app.paths == [f'/{number}' for number in range(20)]
    assert {request.body for request in front.app.seen} == {b'hello'}


def test_a_tunnel_is_never_opened(front: Front) -> None:
    """H14: after a 200, the proxy would pass on all bytes unseen."""
    front.app.seen.clear()
    answer = exchange(front, b'CONNECT pileus.example:80 HTTP/1.1\r\n'
                             b'Host: pileus.example:80\r\n\r\n' + SMUGGLED)
    assert b' 200 ' not in answer.partition(b'\r\n')[0]
    assert front.app.seen == []
