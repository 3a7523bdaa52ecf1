# SPDX-License-Identifier: Apache-2.0
"""A raw client: bytes out, answers in, and the verdict on both.

What these tests ask of every exchange is here once: each answer is whole,
nothing follows the last one, there are as many as the application saw
requests (refusals aside), and the canary was not seen.
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
#: A request that only a smuggler gets through to the application.
CANARY = b'GET /smuggled HTTP/1.1\r\n' + HOST + b'\r\n'
PATIENCE = 5.0


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


def connect(running: Running, timeout: float = PATIENCE) -> socket.socket:
    sock = socket.create_connection(running.address[:2], timeout)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def whole(data: bytes) -> list[bytes]:
    return [data]


def by_byte(data: bytes) -> list[bytes]:
    return [data[i:i + 1] for i in range(len(data))]


def at_random(data: bytes) -> list[bytes]:
    """Split at a handful of places, the same ones in every run."""
    places = random.Random(data).sample(range(1, len(data)),
                                        min(5, len(data) - 1))
    cuts = [0, *sorted(places), len(data)]
    return [data[a:b] for a, b in zip(cuts, cuts[1:], strict=False)]


def send(sock: socket.socket, pieces: Iterable[bytes]) -> None:
    """Send what the server takes; it may have answered and closed by now."""
    try:
        for piece in pieces:
            sock.sendall(piece)
    except (BrokenPipeError, ConnectionResetError):
        return


def read_all(sock: socket.socket) -> bytes:
    """Everything until the server closes; a hang is a failure."""
    data = bytearray()
    while piece := sock.recv(65536):
        data += piece
    return bytes(data)


def talk(running: Running, pieces: Sequence[bytes], *, end: bool = False,
         methods: Sequence[str] = ()) -> list[Answer]:
    """Send the pieces, read until the server closes, and part the answers.

    With ``end`` the client says that nothing more will come; without it, the
    server has to close by itself.
    """
    with connect(running) as sock:
        send(sock, pieces)
        if end:
            sock.shutdown(socket.SHUT_WR)
        return answers(read_all(sock), methods)


def answers(data: bytes, methods: Sequence[str] = ()) -> list[Answer]:
    """Every answer in ``data``, to the last byte; 100 is passed over."""
    found: list[Answer] = []
    while data:
        method = methods[len(found)] if len(found) < len(methods) else 'GET'
        answer, data = one_answer(data, method)
        if answer.status != 100:
            found.append(answer)
    return found


def one_answer(data: bytes, method: str = 'GET') -> tuple[Answer, bytes]:
    """The first answer in ``data`` and what follows it."""
    head, found, rest = data.partition(b'\r\n\r\n')
    assert found, f'an unfinished head: {data[:200]!r}'
    line, *lines = head.split(b'\r\n')
    version, status, _ = line.split(b' ', 2)
    assert version == b'HTTP/1.1', line
    headers: dict[str, str] = {}
    for one in lines:
        name, colon, value = one.partition(b': ')
        assert colon, one
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
    assert len(rest) >= length, f'{len(rest)} of {length} bytes came'
    return rest[:length], rest[length:]


def unchunked(rest: bytes) -> tuple[bytes, bytes]:
    body = b''
    while True:
        size, found, rest = rest.partition(b'\r\n')
        assert found, 'an unfinished chunk'
        length = int(size, 16)
        assert rest[length:length + 2] == b'\r\n', 'a chunk is cut short'
        body += rest[:length]
        rest = rest[length + 2:]
        if not length:
            return body, rest


def refused(running: Running, pieces: Sequence[bytes],
            allowed: Sequence[int] = (400,), before: int = 0) -> Answer:
    """The exchange ends in a refusal; ``before`` requests were answered.

    The server closes by itself, the application saw nothing of what was
    refused and least of all the canary.
    """
    running.app.seen.clear()
    given = talk(running, pieces)
    assert [one.status for one in given[:before]] == [200] * before
    assert len(given) == before + 1, given
    answer = given[-1]
    assert answer.status in allowed, answer
    assert answer.headers['connection'] == 'close'
    check_document(answer)
    assert len(running.app.seen) == before, running.app.paths
    assert '/smuggled' not in running.app.paths
    return answer


def check_document(answer: Answer) -> None:
    """The error document every refusal of the server has."""
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


def until(truth: Any, patience: float = PATIENCE) -> None:
    """Wait for something to become true; fail if it never does."""
    end = time.monotonic() + patience
    while not truth():
        assert time.monotonic() < end, 'it never came true'
        time.sleep(0.005)
