# SPDX-License-Identifier: Apache-2.0
"""Sockets of all kinds: IPv6, Unix, TLS, and a monkey-patched process."""

from __future__ import annotations

import contextlib
import datetime
import pathlib
import socket
import ssl
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.functional.http import wire
from tests.functional.http.serving import listening, serving
from tests.functional.http.wire import get, post


def test_the_environ_has_the_address_of_a_client_on_ipv6() -> None:
    sock = socket.socket(socket.AF_INET6)
    try:
        sock.bind(('::1', 0))
    except OSError as exc:
        pytest.skip(f'no IPv6 on loopback: {exc}')
    sock.listen()
    with serving(listener=sock) as running:
        wire.talk(running, [get('/')], end=True)
        environ = running.app.seen[0].environ
    assert environ['REMOTE_ADDR'] == environ['SERVER_NAME'] == '::1'


def test_an_ipv4_address_mapped_into_ipv6_is_written_as_ipv4() -> None:
    sock = socket.socket(socket.AF_INET6)
    try:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(('::', 0))
    except OSError as exc:
        pytest.skip(f'no dual-stack sockets: {exc}')
    sock.listen()
    with serving(listener=sock) as running, socket.create_connection(
            ('127.0.0.1', running.address[1]), 5) as client:
        client.sendall(get('/', b'Connection: close\r\n'))
        wire.read_all(client)
        assert running.app.seen[0].environ['REMOTE_ADDR'] == '127.0.0.1'


def test_a_client_on_a_unix_socket_counts_as_loopback(
        tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / 'api.sock')
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    with serving(listener=listener) as running, \
            socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(path)
        client.sendall(post('/', b'hello', b'Connection: close\r\n'))
        assert wire.answers(wire.read_all(client))[0].status == 200
        environ = running.app.seen[0].environ
    assert environ['REMOTE_ADDR'] == '127.0.0.1'
    assert environ['REMOTE_PORT'] == '0'
    assert environ['SERVER_NAME'] == 'localhost'


@pytest.fixture(scope='module')
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Paths of a certificate for localhost and its key, made by openssl."""
    folder = tmp_path_factory.mktemp('tls')
    cert, key = folder / 'cert.pem', folder / 'key.pem'
    subprocess.run(
        ['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt',
         'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj',
         '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
         '-keyout', key, '-out', cert], check=True, capture_output=True)
    return cert, key


@pytest.fixture
def tls(certificate: Any) -> Any:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def secured(running: Any, certificate: Any) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=certificate[0])
    return context.wrap_socket(wire.connect(running),
                               server_hostname='localhost')


def test_tls_carries_pipelined_requests_and_large_bodies(
        tls: Any, certificate: Any) -> None:
    """Pipelined, with a body larger than a record, both ways."""
    body = bytes(range(256)) * 2000

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        assert environ['wsgi.url_scheme'] == 'https'
        start('200 OK', [])
        return [environ['wsgi.input'].read()]

    with serving(app, ssl_context=tls) as running, \
            secured(running, certificate) as sock:
        sock.sendall(get('/') + post('/', body)
                     + get('/', b'Connection: close\r\n'))
        answers = wire.answers(wire.read_all(sock))
    assert [answer.body for answer in answers] == [b'', body, b'']


def test_a_tls_handshake_has_a_deadline(tls: Any) -> None:
    """R01: a client that sends nothing is disconnected."""
    with serving(ssl_context=tls, header_timeout=0.4) as running, \
            wire.connect(running) as sock:
        started = time.monotonic()
        with pytest.raises(ConnectionResetError):
            sock.recv(1)
        assert time.monotonic() - started < 1.5
        wire.until(lambda: running.counters.connections == 0)


def test_plain_http_to_a_tls_port_ends_the_connection(tls: Any) -> None:
    with serving(ssl_context=tls) as running, wire.connect(running) as sock:
        sock.sendall(get('/'))
        assert b'HTTP/1.1' not in wire.read_all(sock)
        wire.until(lambda: running.counters.clients_gone == 1)
        assert running.app.seen == []


def test_idle_tls_connections_end_at_a_drain(tls: Any,
                                             certificate: Any) -> None:
    with serving(ssl_context=tls) as running, \
            secured(running, certificate) as sock:
        sock.sendall(get('/'))
        assert sock.recv(1000).startswith(b'HTTP/1.1 200')
        assert running.call(lambda: running.server.drain(10))


PATCHED = '''
import sys
import eventlet
eventlet.monkey_patch()
import socket
import ssl
from tests.functional.http.serving import default_limits, Recorder
from service.process.server.http_server import Server
inherited = socket.socket(fileno=int(sys.argv[1]))
context = None
if len(sys.argv) > 2:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*sys.argv[2:4])
server = Server(Recorder(), default_limits())
server.listen(inherited, context)
print('ready', flush=True)
eventlet.hubs.trampoline(sys.stdin.fileno(), read=True)
sys.exit(0 if server.drain(5) else 3)
'''


@pytest.mark.parametrize('secure', [False, True], ids=['clear', 'tls'])
def test_a_monkey_patched_process_serves_an_inherited_socket(
        certificate: Any, secure: bool) -> None:
    """A native socket works in a process with monkey patching."""
    listener = listening()
    files = [str(path) for path in certificate] if secure else []
    with subprocess.Popen(
            [sys.executable, '-W', 'ignore', '-c', PATCHED,
             str(listener.fileno()), *files],
            pass_fds=[listener.fileno()], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, cwd=pathlib.Path.cwd()) as worker:
        assert worker.stdout is not None and worker.stdin is not None
        assert worker.stdout.readline() == b'ready\n'
        address = listener.getsockname()
        listener.close()
        client: Any = socket.create_connection(address, 5)
        if secure:
            client = ssl.create_default_context(
                cafile=files[0]).wrap_socket(client,
                                             server_hostname='localhost')
        with client:
            client.sendall(get('/a') + get('/b', b'Connection: close\r\n'))
            answers = wire.answers(wire.read_all(client))
        assert [answer.body for answer in answers] == [b'/a', b'/b']
        worker.stdin.write(b'\n')
        worker.stdin.close()
        assert worker.wait(10) == 0


def test_replies_have_a_date_in_the_format_of_http(shared: Any) -> None:
    answers = wire.talk(shared, [get('/')], end=True)
    date = datetime.datetime.strptime(answers[0].headers['date'],
                                      '%a, %d %b %Y %H:%M:%S GMT')
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    assert abs((now - date).total_seconds()) < 5


def test_an_incomplete_tls_record_does_not_delay_other_clients(
        tls: Any, certificate: Any) -> None:
    """R01: the worker sleeps while it waits."""
    with serving(ssl_context=tls) as running, \
            wire.connect(running) as sock:
        client = ssl.create_default_context(cafile=certificate[0])
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        talk = client.wrap_bio(incoming, outgoing,
                               server_hostname='localhost')
        handshake(talk, sock, incoming, outgoing)
        talk.write(get('/') * 2)
        record = outgoing.read()
        spent = time.process_time()
        sock.sendall(record[:-5])
        with secured(running, certificate) as other:
            other.sendall(get('/other', b'Connection: close\r\n'))
            assert wire.answers(wire.read_all(other))[0].status == 200
        sock.sendall(record[-5:])
        answer = b''
        while answer.count(b'HTTP/1.1 200') < 2:
            incoming.write(sock.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                while True:
                    answer += talk.read(65536)
        assert time.process_time() - spent < 1


def handshake(
        talk: ssl.SSLObject, sock: socket.socket, incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO) -> None:
    """The client's side of a handshake, over memory."""
    while True:
        try:
            talk.do_handshake()
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
            incoming.write(sock.recv(65536))
        else:
            sock.sendall(outgoing.read())
            return
