# SPDX-License-Identifier: Apache-2.0
"""Faulty clients of the real daemon, with the shipped types.

``tests/functional/http`` tests the HTTP server's answers in detail. These
tests check the whole service: its log has no traceback, its worker survives,
and the next client is served.
"""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from tests.functional.harness.daemon import Daemon, config_dir
from tests.functional.http import wire

HOST = b'Host: 127.0.0.1\r\n'
LIST_RACKS = b'GET /v1/racks HTTP/1.1\r\n' + HOST + b'\r\n'
LIMITS = {'header_timeout': 1.0, 'body_grace': 0.5, 'min_body_rate': 1000,
          'drain_timeout': 0.5}


@pytest.fixture(scope='module')
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    directory = config_dir(tmp_path_factory.mktemp('faults'),
                           conf={'api': LIMITS})
    with Daemon(directory) as running:
        for number in range(300):
            running.request('POST', '/v1/racks', {'rack': {
                'name': f'r{number}', 'metadata': {'about': 'x' * 255}}})
        yield running


@pytest.fixture(autouse=True)
def unharmed(daemon: Daemon) -> Iterator[None]:
    """Check that the worker survives, serves, and logs no traceback."""
    before = daemon.workers()
    yield
    assert daemon.request('GET', '/v1/racks?limit=1').status == 200
    assert daemon.workers() == before
    assert 'Traceback' not in daemon.output


def drip(sock: socket.socket, data: bytes) -> bytes:
    """Send one byte every 0.2 seconds until there is an answer."""
    sock.settimeout(0.2)
    for place in range(len(data)):
        with contextlib.suppress(TimeoutError):
            return sock.recv(65536)
        sock.sendall(data[place:place + 1])
    raise AssertionError('the server waited for all of it')


@pytest.mark.parametrize(('sent', 'dripped'), [
    pytest.param(b'', b'GET /v1/racks HTTP/1.1\r\n' + HOST + b'X: y',
                 id='R01 a head'),
    pytest.param(b'POST /v1/racks HTTP/1.1\r\n' + HOST
                 + b'Content-Type: application/json\r\n'
                   b'Content-Length: 900\r\n\r\n', b' ' * 100,
                 id='R02 a body'),
])
def test_a_slow_client_gets_408_and_is_disconnected(daemon, sent, dripped):
    with daemon.connect() as sock:
        sock.sendall(sent)
        began = time.monotonic()
        answer = drip(sock, dripped)
        assert answer.startswith(b'HTTP/1.1 408 ')
        assert time.monotonic() - began < 10


def test_a_client_that_shuts_down_its_sending_side_is_answered(daemon):
    with daemon.connect() as sock:
        sock.sendall(LIST_RACKS)
        sock.shutdown(socket.SHUT_WR)
        answer, = wire.answers(wire.read_all(sock))
        assert answer.status == 200 and len(answer.document['racks']) == 300


def test_a_client_that_resets_within_a_reply_does_no_harm(daemon):
    for _ in range(20):
        with daemon.connect() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.sendall(LIST_RACKS * 8)
            assert sock.recv(64).startswith(b'HTTP/1.1 200 ')
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                            struct.pack('ii', 1, 0))


def test_a_worker_without_descriptors_waits_and_recovers(daemon):
    """R06: the worker may open ten more files, and 60 clients connect."""
    worker, = daemon.workers()
    limits = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    now = len(os.listdir(f'/proc/{worker}/fd'))
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (now + 10, limits[1]))
    try:
        with contextlib.ExitStack() as clients:
            for _ in range(60):
                clients.enter_context(daemon.connect())
            wire.until(lambda: 'cannot accept connections' in daemon.output)
        assert daemon.request('GET', '/v1/racks?limit=1').status == 200
    finally:
        resource.prlimit(worker, resource.RLIMIT_NOFILE, limits)
    assert daemon.output.count('cannot accept connections') == 1



SMUGGLED = wire.get('/v1/smuggled')

@pytest.mark.parametrize('split', [wire.whole, wire.by_byte, wire.at_random])
@pytest.mark.parametrize('attack', [
    pytest.param(b'Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n'
                 b'0\r\n\r\n' % (len(SMUGGLED) + 5), id='H01 CL.TE'),
    pytest.param(b'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n'
                 b'5c\r\n', id='H01 TE.CL'),
    pytest.param(b'Content-Length: 0\r\nContent-Length: 40\r\n\r\n',
                 id='H02 two lengths'),
    pytest.param(b'Content-Length: 0x0\r\n\r\n', id='H03 a length in hex'),
    pytest.param(b'Transfer-Encoding: xchunked\r\n\r\n',
                 id='H04 an unknown coding'),
    pytest.param(b'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n',
                 id='H06 a blank before the colon'),
    pytest.param(b'X: a\n\r\n', id='H07 a bare line feed'),
])
def test_a_request_that_a_proxy_takes_for_one_is_never_taken_for_two(
        daemon, attack, split):
    head = b'POST /v1/racks HTTP/1.1\r\n' + HOST
    with daemon.connect() as sock:
        wire.send(sock, split(head + attack + SMUGGLED))
        answers = wire.answers(wire.read_all(sock))
    assert [answer.status // 100 for answer in answers] in ([4], [5])
    assert '/v1/smuggled' not in daemon.output
