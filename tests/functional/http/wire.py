# SPDX-License-Identifier: Apache-2.0
"""A client that sends raw bytes, parses the answers and checks them.

The checks hold for every exchange: each answer is complete, nothing follows
the last one, the application has received as many requests as were answered
(apart from refusals), and it has not received the canary.
"""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from tests.functional.http.serving import Running

HOST = b'Host: pileus.example\r\n'
#: A request that reaches the application only if smuggling succeeds.
CANARY = b'GET /smuggled HTTP/1.1\r\n' + HOST + b'\r\n'
WAIT_SECONDS = 5.0


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


def get(path: str = '/', extra: bytes = b'') -> bytes:
    return b'GET %s HTTP/1.1\r\n%s%s\r\n' % (path.encode(), HOST, extra)


def post(path: str, body: bytes, extra: bytes = b'') -> bytes:
    return b'POST %s HTTP/1.1\r\n%sContent-Length: %d\r\n%s\r\n%s' % (
        path.encode(), HOST, len(body), extra, body)


def chunked(path: str, chunks: bytes, extra: bytes = b'') -> bytes:
    return (b'POST %s HTTP/1.1\r\n%sTransfer-Encoding: chunked\r\n%s\r\n%s' % (
        path.encode(), HOST, extra, chunks))


def connect(running: Running, timeout: float = WAIT_SECONDS) -> socket.socket:
    sock = socket.create_connection(running.address[:2], timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def whole(data: bytes) -> list[bytes]:
    return [data]


def by_byte(data: bytes) -> list[bytes]:
    return [data[i:i + 1] for i in range(len(data))]


def at_random(data: bytes) -> list[bytes]:
    """Split at five places, which are the same in every run."""
    positions = random.Random(data).sample(range(1, len(data)),
                                           min(5, len(data) - 1))
    cuts = [0, *sorted(positions), len(data)]
    return [data[a:b] for a, b in zip(cuts, cuts[1:], strict=False)]


def send(sock: socket.socket, pieces: Iterable[bytes]) -> None:
    """Send the pieces until the server closes the connection."""
    try:
        for piece in pieces:
            sock.sendall(piece)
    except (BrokenPipeError, ConnectionResetError):
        return


def read_all(sock: socket.socket) -> bytes:
    """Return all bytes until the server closes; a hang is a failure."""
    data = bytearray()
    while piece := sock.recv(65536):
        data += piece
    return bytes(data)


def talk(running: Running, pieces: Sequence[bytes], *, end: bool = False,
         methods: Sequence[str] = ()) -> list[Answer]:
    """Send the pieces, read until the server closes, return the answers.

    With ``end`` the client shuts down its sending side. Without it, the
    server must close by itself.
    """
    with connect(running) as sock:
        send(sock, pieces)
        if end:
            sock.shutdown(socket.SHUT_WR)
        return answers(read_all(sock), methods)


def answers(data: bytes, methods: Sequence[str] = ()) -> list[Answer]:
    """Parse all of ``data`` as answers, without 100 Continue."""
    parsed: list[Answer] = []
    while data:
        method = methods[len(parsed)] if len(parsed) < len(methods) else 'GET'
        answer, data = one_answer(data, method)
        if answer.status != 100:
            parsed.append(answer)
    return parsed


def one_answer(data: bytes, method: str = 'GET') -> tuple[Answer, bytes]:
    """Return the first answer in ``data`` and the bytes after it."""
    head, end, rest = data.partition(b'\r\n\r\n')
    assert end, f'an incomplete head: {data[:200]!r}'
    line, *lines = head.split(b'\r\n')
    version, status, _ = line.split(b' ', 2)
    assert version == b'HTTP/1.1', line
    headers: dict[str, str] = {}
    for field in lines:
        name, colon, value = field.partition(b': ')
        assert colon, field
        key = name.decode().lower()
        assert key not in headers, f'{key} is given twice'
        headers[key] = value.decode('latin-1')
    body, rest = _body(int(status), headers, rest, method)
    return Answer(int(status), headers, body), rest


def _body(status: int, headers: dict[str, str], rest: bytes, method: str,
          ) -> tuple[bytes, bytes]:
    if method == 'HEAD' or status in (100, 204, 304):
        return b'', rest
    if 'transfer-encoding' in headers:
        return unchunked(rest)
    if 'content-length' not in headers:
        return rest, b''
    length = int(headers['content-length'])
    assert len(rest) >= length, f'{len(rest)} of {length} bytes arrived'
    return rest[:length], rest[length:]


def unchunked(rest: bytes) -> tuple[bytes, bytes]:
    body = b''
    while True:
        size, end, rest = rest.partition(b'\r\n')
        assert end, 'an incomplete chunk'
        length = int(size, 16)
        assert rest[length:length + 2] == b'\r\n', 'a chunk is cut short'
        body += rest[:length]
        rest = rest[length + 2:]
        if not length:
            return body, rest


def refused(running: Running, pieces: Sequence[bytes],
            allowed: Sequence[int] = (400,), before: int = 0) -> Answer:
    """Check that ``before`` requests are answered and the next is refused.

    The server must close by itself. The application must receive neither the
    refused request nor the canary.
    """
    running.app.seen.clear()
    results = talk(running, pieces)
    assert [answer.status for answer in results[:before]] == [200] * before
    assert len(results) == before + 1, results
    answer = results[-1]
    assert answer.status in allowed, answer
    assert answer.headers['connection'] == 'close'
    check_document(answer)
    assert len(running.app.seen) == before, running.app.paths
    assert '/smuggled' not in running.app.paths
    return answer


def check_document(answer: Answer) -> None:
    """Check the error document of a refusal."""
    item = answer.document['errors'][0]
    assert answer.headers['content-type'] == 'application/json'
    assert answer.headers['cache-control'] == 'private, no-cache'
    assert item['status'] == answer.status
    assert item['code'].startswith('pileus.')
    assert item['request_id'] == answer.headers['x-openstack-request-id']
    assert item['title'] and item['detail']
    assert item['links'][0]['rel'] == 'help' and item['links'][0]['href']
    assert answer.document['error'] == {
        'code': answer.status, 'title': item['title'],
        'message': item['detail']}


def until(condition: Any, seconds: float = WAIT_SECONDS) -> None:
    """Wait until ``condition()`` is true; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'the condition never became true'
        time.sleep(0.005)
