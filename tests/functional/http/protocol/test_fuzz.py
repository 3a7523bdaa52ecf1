# SPDX-License-Identifier: Apache-2.0
"""H24: requests with random damage, which is the same in every run.

The results are compared with llhttp: the server refuses what llhttp refuses.
If both accept the bytes, the application must receive the request that llhttp
has parsed.
"""

from __future__ import annotations

import os
import random
import socket
import time
from typing import Any

import httptools

from tests.functional.http import wire
from tests.functional.http.wire import CANARY, chunked, get, post

SEED = int(os.environ.get('PILEUS_FUZZ_SEED', '20261'))
CASES = int(os.environ.get('PILEUS_FUZZ_CASES', '20000'))

REQUESTS = [
    get('/a?b=c', b'Accept: */*\r\nX-Auth-Token: t\r\n'),
    post('/p', b'hello world'),
    chunked('/c', b'5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nT: t\r\n\r\n'),
    get('/u', b'Connection: Upgrade\r\nUpgrade: h2c\r\n'),
    post('/e', b'hi', b'Expect: 100-continue\r\n'),
    b'GET http://pileus.example/x HTTP/1.1\r\nHost: pileus.example\r\n\r\n',
    b'OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    b'GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n',
]
FRAGMENTS = [
    b'\r', b'\n', b'\r\n', b'\0', b' ', b'\t', b':', b',', b';', b'\xff', b'0',
    b'9', b'chunked', b'Content-Length: 3\r\n', b'GET ', b'%', b'#',
    b'Transfer-Encoding: chunked\r\n', b'Host: b\r\n', b'\x0b', b'-',
    b'\r\n\r\n', b'HTTP/1.1', b'_', b'"', b'+', b'0x', b'close', b'\x7f']


def random_damage(rng: random.Random) -> bytes:
    data = bytearray(b''.join(rng.choices(REQUESTS, k=rng.choice((1, 1, 2)))))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        rng.choice((_insert, _drop, _flip, _repeat))(data, rng)
    return bytes(data)


def _insert(data: bytearray, rng: random.Random) -> None:
    position = rng.randrange(len(data) + 1)
    data[position:position] = rng.choice(FRAGMENTS)


def _drop(data: bytearray, rng: random.Random) -> None:
    position = rng.randrange(len(data))
    del data[position:position + rng.choice((1, 1, 2, 5))]


def _flip(data: bytearray, rng: random.Random) -> None:
    if data:
        data[rng.randrange(len(data))] = rng.randrange(256)


def _repeat(data: bytearray, rng: random.Random) -> None:
    if data:
        position = rng.randrange(len(data))
        data[position:position] = data[position:position + rng.randrange(40)]


class Verdict:
    """llhttp's result for the first request in some bytes."""

    def __init__(self, data: bytes) -> None:
        self.ended = False
        self.refused = False
        self.target = b''
        self.body = b''
        try:
            httptools.HttpRequestParser(self).feed_data(data)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError:
            self.refused = not self.ended

    def on_url(self, piece: bytes) -> None:
        if not self.ended:
            self.target += piece

    def on_body(self, piece: bytes) -> None:
        if not self.ended:
            self.body += piece

    def on_message_complete(self) -> None:
        self.ended = True


def exchange(running: Any, data: bytes, rng: random.Random,
             ) -> list[wire.Answer]:
    """Send the data in pieces; a reset is valid, a hang is a failure."""
    pieces = rng.choice((wire.whole, wire.at_random))(data)
    with wire.connect(running) as sock:
        wire.send(sock, pieces)
        try:
            sock.shutdown(socket.SHUT_WR)
            return wire.answers(wire.read_all(sock))
        except (ConnectionResetError, OSError) as exc:
            assert not isinstance(exc, TimeoutError), data
            return []


def check(running: Any, data: bytes, answers: list[wire.Answer]) -> bool:
    """Check the exchange; return whether the application got a request."""
    seen = running.app.seen
    served = [answer for answer in answers if answer.status == 200]
    assert len(served) == len(seen), data
    assert all(answer.status in (200, 400, 405, 408, 413, 414, 417, 431, 501,
                              505) for answer in answers), (data, answers)
    assert [answer for answer in answers
            if answer.status != 200] in ([], answers[-1:])
    verdict = Verdict(data)
    if verdict.refused:
        assert not seen, data
    if seen and verdict.ended and not verdict.refused:
        assert seen[0].environ['REQUEST_URI'].encode() == verdict.target, data
        if 'HTTP_UPGRADE' not in seen[0].environ:
            assert seen[0].body == verdict.body, data
    return bool(seen)


def test_damaged_requests_are_refused_or_served_as_llhttp_parses_them(
        running: Any) -> None:
    """H24: no 5xx but 501 and 505, no hang, and no smuggled request."""
    rng = random.Random(SEED)
    started = time.monotonic()
    served = 0
    for _ in range(CASES):
        running.app.seen.clear()
        data = random_damage(rng)
        served += check(running, data, exchange(running, data, rng))
        if time.monotonic() - started > 60:
            break
    assert CASES / 20 < served < CASES
    assert running.counters.broken_replies == 0
    running.app.seen.clear()
    assert wire.talk(running, [get('/')], end=True)[0].status == 200


def test_the_canary_is_served_only_if_it_is_a_request(running: Any) -> None:
    """H24: never if llhttp takes the canary for a part of a body."""
    rng = random.Random(SEED + 1)
    head = (b'POST /p HTTP/1.1\r\nHost: pileus.example\r\nContent-Length: %d'
            b'\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n\r\n' % len(CANARY))
    for _ in range(CASES // 5):
        running.app.seen.clear()
        damage = bytearray(head)
        for _ in range(rng.choice((1, 2, 3))):
            rng.choice((_insert, _flip))(damage, rng)
        answers = exchange(running, bytes(damage) + CANARY, rng)
        for request in running.app.seen:
            if request.path == '/smuggled':
                before = Verdict(bytes(damage) + CANARY)
                assert before.ended and before.body == b'', bytes(damage)
        assert len(answers) >= len(running.app.seen)
