# SPDX-License-Identifier: Apache-2.0
"""Listening on IPv6, a Unix socket, a socket from systemd, and with TLS."""

from __future__ import annotations

import os
import socket
import ssl
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.functional.harness.daemon import WAIT_SECONDS, Daemon, configure
from tests.functional.process.conftest import Served

REQUEST = b'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'


def answer(client: socket.socket) -> bytes:
    client.settimeout(WAIT_SECONDS)
    client.sendall(REQUEST)
    text = b''
    while data := client.recv(4096):
        text += data
    return text


def over_unix(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        return answer(client)


def has_ipv6() -> bool:
    try:
        socket.create_server(('::1', 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason='this machine has no ::1')
def test_the_service_listens_on_ipv6(serve: Served) -> None:
    daemon = serve(bind_host='::1')
    assert daemon.request('GET', '/').status == 200
    assert f'serving on [::1]:{daemon.port}' in daemon.output


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    """Return a socket path below the kernel's limit of 108 bytes.

    pytest's directories may have longer names, so a long path goes through
    the working directory, which the daemon does not change.
    """
    return Path(f'/proc/self/cwd/{os.path.relpath(tmp_path)}/api.sock') \
        if len(str(tmp_path)) > 90 else tmp_path / 'api.sock'


def test_a_unix_socket_has_the_configured_mode(
        serve: Served, socket_path: Path) -> None:
    daemon = serve(unix_socket=socket_path, unix_socket_mode='0600')
    assert over_unix(socket_path).startswith(b'HTTP/1.1 200 OK')
    assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600
    daemon.reload()
    assert over_unix(socket_path).startswith(b'HTTP/1.1 200 OK')
    assert daemon.stop() == 0
    assert not socket_path.exists()


def test_the_socket_file_of_a_killed_service_is_replaced(
        serve: Served, socket_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(socket_path))
    serve(unix_socket=socket_path)
    assert over_unix(socket_path).startswith(b'HTTP/1.1 200 OK')


def test_a_socket_in_use_or_an_ordinary_file_prevents_the_start(
        prepared: Served, socket_path: Path) -> None:
    daemon = prepared(unix_socket=socket_path)
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(socket_path))
        other.listen()
        daemon.launch()
        assert daemon.wait_for_exit() == 1
        assert f'unix_socket = {socket_path}: Address already in use' \
            in daemon.output
    socket_path.unlink()
    socket_path.write_text('precious')
    daemon.launch()
    assert daemon.wait_for_exit() == 1
    assert 'the file exists and is not a socket' in daemon.output
    assert socket_path.read_text() == 'precious'


#: Passes a socket to the command as systemd does.
ACTIVATE = """
import os, socket, sys
sock = socket.socket()
sock.bind(('127.0.0.1', int(sys.argv[1])))
if sys.argv[2] == 'listen':
    sock.listen()
os.dup2(sock.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1')
os.execv(sys.argv[3], sys.argv[3:])
"""


def test_a_socket_from_systemd_replaces_the_configured_address(
        prepared: Served) -> None:
    """The service uses its port, also after a reload."""
    daemon = prepared(workers=2)
    daemon.argv = [sys.executable, '-c', ACTIVATE, str(daemon.port),
                   'listen', *daemon.argv]
    with daemon:
        assert daemon.request('GET', '/').status == 200
        daemon.reload()
        assert daemon.request('GET', '/').status == 200
        assert daemon.stop() == 0


def test_a_socket_from_systemd_that_does_not_listen_is_refused(
        prepared: Served) -> None:
    daemon = prepared()
    daemon.argv = [sys.executable, '-c', ACTIVATE, str(daemon.port), 'no',
                   *daemon.argv]
    daemon.launch()
    assert daemon.wait_for_exit() == 1
    assert 'LISTEN_FDS: file descriptor 3: does not listen' in daemon.output


class Authority:
    """A certificate authority that uses the openssl command."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.root = self._issue('root', '-x509', '-days', '2')

    def issue(self, name: str, *words: str) -> Path:
        """Return a PEM file with a certificate of this authority and a key."""
        return self._issue(name, '-x509', '-days', '2', '-CA', str(self.root),
                           '-CAkey', str(self.root), *words)

    def _issue(self, name: str, *words: str) -> Path:
        both = self._directory / f'{name}.pem'
        key, cert = both.with_suffix('.key'), both.with_suffix('.crt')
        subprocess.run(
            ['openssl', 'req', '-newkey', 'ec', '-pkeyopt',
             'ec_paramgen_curve:prime256v1', '-nodes', '-subj',
             f'/CN={name}', '-addext', 'subjectAltName=IP:127.0.0.1',
             '-keyout', str(key), '-out', str(cert), *words],
            check=True, capture_output=True, timeout=WAIT_SECONDS)
        both.write_bytes(cert.read_bytes() + key.read_bytes())
        return both


@pytest.fixture(scope='module')
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp('ca'))


@pytest.fixture
def serve_tls(prepared: Served) -> Iterator[Served]:
    """Return a function that starts a daemon with options of ``[ssl]``."""
    with ExitStack() as running:
        def start(**options: object) -> Daemon:
            daemon = prepared()
            configure(daemon.directory, {'ssl': options})
            return running.enter_context(daemon)
        yield start


def over_tls(port: int, context: ssl.SSLContext) -> bytes:
    with socket.create_connection(('127.0.0.1', port)) as plain, \
            context.wrap_socket(plain, server_hostname='127.0.0.1') as client:
        return answer(client)


def client_of(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.root))


def test_tls_1_2_is_accepted_and_older_versions_are_not(
        serve_tls: Served, authority: Authority) -> None:
    daemon = serve_tls(cert_file=authority.issue('server'))
    assert over_tls(daemon.port, client_of(authority)).startswith(
        b'HTTP/1.1 200 OK')
    old = client_of(authority)
    with pytest.warns(DeprecationWarning):
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        over_tls(daemon.port, old)


def test_with_ca_file_clients_need_a_certificate_of_that_authority(
        serve_tls: Served, authority: Authority, tmp_path: Path) -> None:
    daemon = serve_tls(cert_file=authority.issue('server'),
                       ca_file=authority.root)
    trusted = client_of(authority)
    trusted.load_cert_chain(authority.issue('client'))
    assert over_tls(daemon.port, trusted).startswith(b'HTTP/1.1 200 OK')
    untrusted = client_of(authority)
    untrusted.load_cert_chain(Authority(tmp_path).issue('client'))
    for client_context in (untrusted, client_of(authority)):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            over_tls(daemon.port, client_context)


def test_a_renewed_certificate_is_served_after_a_reload(
        serve_tls: Served, authority: Authority, tmp_path: Path) -> None:
    cert = tmp_path / 'cert.pem'
    cert.write_bytes(authority.issue('server').read_bytes())
    daemon = serve_tls(cert_file=cert)
    assert shown_name(daemon.port, authority) == 'server'
    cert.write_bytes(authority.issue('renewed').read_bytes())
    daemon.reload()
    assert shown_name(daemon.port, authority) == 'renewed'


def shown_name(port: int, authority: Authority) -> str:
    """Return the common name in the certificate of a server."""
    with socket.create_connection(('127.0.0.1', port)) as plain, \
            client_of(authority).wrap_socket(
                plain, server_hostname='127.0.0.1') as client:
        shown = client.getpeercert()
        assert shown is not None
        return next(part[0][1] for part in shown['subject']
                    if part[0][0] == 'commonName')


def test_a_plain_http_client_on_a_tls_port_does_not_delay_others(
        serve_tls: Served, authority: Authority) -> None:
    daemon = serve_tls(cert_file=authority.issue('server'))
    with daemon.connect() as plain:
        assert not answer(plain).startswith(b'HTTP/1.1 200')
    start = time.monotonic()
    assert over_tls(daemon.port, client_of(authority)).startswith(
        b'HTTP/1.1 200 OK')
    assert time.monotonic() - start < 5
