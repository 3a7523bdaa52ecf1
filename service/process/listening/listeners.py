# SPDX-License-Identifier: Apache-2.0
"""What the service listens on: TCP, a Unix socket, or what systemd hands in.

The launcher binds each address once and every worker accepts from the same
socket. A socket for each worker (SO_REUSEPORT) would be dealt connections by
hash, whether or not its worker has time for them; a worker that ends would
take its queue along, so a reload would fail requests, and a stopped one
would keep its share waiting. ``bench/two_workers.py`` measures both: with the
turns that ``balance`` takes they are equally fast.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
import stat
from dataclasses import dataclass

from oslo_config import cfg

from service.errors import StartError

#: The first file descriptor systemd passes.
LISTEN_FDS_START = 3

#: The longest path of a Unix socket on Linux (sun_path, unix(7)), in bytes.
MAX_UNIX_PATH_BYTES = 107


class AddressInUse(StartError):
    """Another process listens on the address, or holds the file."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket to serve on, bound and perhaps not yet listening.

    ``file`` is the device and inode of a Unix socket this process made;
    ``passed`` says that systemd made the socket, listens on it already and
    keeps it when the service ends.
    """

    sock: socket.socket
    name: str
    passed: bool = False
    file: tuple[int, int] | None = None

    def close(self) -> None:
        """Close it, and remove the file of a Unix socket while it is ours.

        A younger service may have put its own socket in the same place.
        """
        path = self.sock.getsockname() if self.file else ''
        self.sock.close()
        with contextlib.suppress(FileNotFoundError):
            if self.file and _file(path) == self.file:
                os.unlink(path)


def bind(conf: cfg.ConfigOpts) -> list[Listener]:
    """Bind what the configuration asks for; StartError where it cannot be.

    Nobody listens yet: that is for the worker that has loaded the
    application, so no client waits in the queue of a service that cannot
    start.
    """
    passed = _passed()
    if passed:
        return passed
    if conf.api.unix_socket:
        return [_unix(conf.api.unix_socket,
                      int(conf.api.unix_socket_mode, 8))]
    _refuse_open_noauth(conf)
    return [_tcp(conf.api.bind_host, conf.api.bind_port)]


def check(conf: cfg.ConfigOpts) -> list[str]:
    """Raise StartError where ``bind`` would, without leaving a trace.

    Returns a note for an address that is in use: the service that runs with
    this configuration may hold it. A TCP address is bound for a moment and
    released; nothing ever listens on it.
    """
    try:
        if conf.api.unix_socket:
            _check_unix(conf.api.unix_socket)
        else:
            _refuse_open_noauth(conf)
            _tcp(conf.api.bind_host, conf.api.bind_port).close()
    except AddressInUse as exc:
        return [str(exc)]
    return []


def configured_address(conf: cfg.ConfigOpts) -> tuple[str, ...]:
    """What a configuration asks to listen on, to compare with another's."""
    if conf.api.unix_socket:
        return ('unix', conf.api.unix_socket)
    return (conf.api.bind_host, str(conf.api.bind_port))


def _passed() -> list[Listener]:
    """The sockets systemd passes to this very process, in its order.

    The variables go, so that no child believes they are meant for it.
    """
    pid = os.environ.pop('LISTEN_PID', '')
    count = os.environ.pop('LISTEN_FDS', '0')
    os.environ.pop('LISTEN_FDNAMES', None)
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    return [_adopted(LISTEN_FDS_START + index) for index in range(int(count))]


def _adopted(number: int) -> Listener:
    place = f'LISTEN_FDS: file descriptor {number}'
    try:
        sock = socket.socket(fileno=number)
    except OSError as exc:
        raise StartError(f'{place}: {exc.strerror}; it is to be a listening '
                         'stream socket') from exc
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise StartError(f'{place}: does not listen; the socket unit wants '
                         'ListenStream= and Accept=no')
    os.set_inheritable(number, False)
    return Listener(sock, _name(sock), passed=True)


def _tcp(host: str, port: int) -> Listener:
    place = f'[api] bind_host = {host}'
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM,
                                   flags=socket.AI_PASSIVE)
    except socket.gaierror as exc:
        raise StartError(f'{place}: {exc.strerror}; give an address or a '
                         'name that resolves') from exc
    family, kind, protocol, _canonical, address = found[0]
    sock = socket.socket(family, kind, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    _bind(sock, address, f'{place}, bind_port = {port}')
    return Listener(sock, _name(sock))


def _unix(path: str, mode: int) -> Listener:
    place = f'[api] unix_socket = {path}'
    path = os.path.abspath(path)
    if _is_stale(path, place):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    _bind(sock, path, place)
    os.chmod(path, mode)
    return Listener(sock, _name(sock), file=_file(path))


def _check_unix(path: str) -> None:
    """Raise StartError where ``_unix`` cannot make its socket."""
    place = f'[api] unix_socket = {path}'
    path = os.path.abspath(path)
    _is_stale(path, place)
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        number = errno.ENOTDIR if os.path.exists(parent) else errno.ENOENT
        raise StartError(f'{place}: {os.strerror(number)}')
    if not os.access(parent, os.W_OK | os.X_OK):
        raise StartError(f'{place}: {os.strerror(errno.EACCES)}')
    if len(os.fsencode(path)) > MAX_UNIX_PATH_BYTES:
        raise StartError(f'{place}: AF_UNIX path too long')


def _bind(sock: socket.socket, address: str | tuple[object, ...],
          place: str) -> None:
    try:
        sock.bind(address)
    except OSError as exc:
        sock.close()
        refusal = AddressInUse if exc.errno == errno.EADDRINUSE else StartError
        raise refusal(f'{place}: {exc.strerror or exc}') from exc


def _is_stale(path: str, place: str) -> bool:
    """Return True if a killed service left its socket file at the path.

    Raises StartError if the file is no socket, AddressInUse if a process
    listens on it.
    """
    if not os.path.lexists(path):
        return False
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise StartError(f'{place}: there is a file that is no socket; '
                         'remove it or name another path')
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError as exc:
            raise StartError(f'{place}: {exc.strerror}') from exc
    raise AddressInUse(f'{place}: Address already in use')


def _file(path: str) -> tuple[int, int]:
    found = os.stat(path, follow_symlinks=False)
    return (found.st_dev, found.st_ino)


def _name(sock: socket.socket) -> str:
    """An address as an operator would write it."""
    address = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f'unix:{address}'
    host, port = address[:2]
    return f'[{host}]:{port}' if ':' in host else f'{host}:{port}'


def _refuse_open_noauth(conf: cfg.ConfigOpts) -> None:
    """Keep an API where everybody is an administrator to this machine."""
    host = conf.api.bind_host
    if conf.api.auth_strategy != 'noauth' or conf.api.insecure_noauth_bind \
            or _loopback(host):
        return
    raise StartError(
        f'[api] bind_host = {host}: auth_strategy = noauth serves loopback '
        'addresses only; choose another auth_strategy, or set '
        'insecure_noauth_bind = true to let anybody who reaches the port be '
        'an administrator')


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'
