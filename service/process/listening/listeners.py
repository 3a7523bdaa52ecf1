# SPDX-License-Identifier: Apache-2.0
"""The sockets to listen on: TCP, a Unix socket, or sockets from systemd.

The launcher binds each address once, and all workers accept from that socket.
With a socket per worker (SO_REUSEPORT), the kernel would distribute
connections by hash, even to busy or stopped workers, and those in the queue
of a worker that ends would be lost, so a reload would fail requests.
``bench/two_workers.py`` measures both: with ``connection_balance``, the shared
socket is as fast.
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

#: The first file descriptor that systemd passes (SD_LISTEN_FDS_START).
LISTEN_FDS_START = 3

#: The longest path of a Unix socket on Linux (sun_path, unix(7)), in bytes.
MAX_UNIX_PATH_BYTES = 107


class AddressInUse(StartError):
    """Another process listens on the address, or holds the file."""


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound socket that may not listen yet.

    ``from_systemd`` means that systemd created the socket, already listens
    on it, and keeps it when the service ends. ``inode`` holds the device and
    inode of a Unix socket's file that this process created.
    """

    sock: socket.socket
    name: str
    from_systemd: bool = False
    inode: tuple[int, int] | None = None

    def close(self) -> None:
        """Close the socket, and remove the file if it is a Unix socket.

        The file stays if another process has created a socket in its place.
        """
        path = self.sock.getsockname() if self.inode else ''
        self.sock.close()
        with contextlib.suppress(FileNotFoundError):
            if self.inode and _inode(path) == self.inode:
                os.unlink(path)


def bind(conf: cfg.ConfigOpts) -> list[Listener]:
    """Bind the configured address, unless systemd passes sockets.

    The sockets do not listen yet. The first worker that has loaded the
    application makes them listen, so no client waits for a service that
    cannot start. StartError if the address cannot be bound.
    """
    from_systemd = _systemd_sockets()
    if from_systemd:
        return from_systemd
    if conf.api.unix_socket:
        return [_unix(conf.api.unix_socket,
                      int(conf.api.unix_socket_mode, 8))]
    _refuse_open_noauth(conf)
    return [_tcp(conf.api.bind_host, conf.api.bind_port)]


def check(conf: cfg.ConfigOpts) -> list[str]:
    """Raise StartError in the cases in which ``bind`` does.

    Returns a note for an address that is in use, since the running service
    may use it. A TCP address is bound for a moment, and nothing listens on
    it.
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
    """Return the address to listen on, to compare two configurations."""
    if conf.api.unix_socket:
        return ('unix', conf.api.unix_socket)
    return (conf.api.bind_host, str(conf.api.bind_port))


def _systemd_sockets() -> list[Listener]:
    """Return the sockets that systemd passes to this process, if any.

    Removes systemd's environment variables: they do not apply to children.
    """
    pid = os.environ.pop('LISTEN_PID', '')
    count = os.environ.pop('LISTEN_FDS', '0')
    os.environ.pop('LISTEN_FDNAMES', None)
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    return [_systemd_listener(LISTEN_FDS_START + index)
            for index in range(int(count))]


def _systemd_listener(number: int) -> Listener:
    source = f'LISTEN_FDS: file descriptor {number}'
    try:
        sock = socket.socket(fileno=number)
    except OSError as exc:
        raise StartError(f'{source}: {exc.strerror}; pass a listening stream '
                         'socket') from exc
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        raise StartError(f'{source}: does not listen; set ListenStream= and '
                         'Accept=no in the socket unit')
    os.set_inheritable(number, False)
    return Listener(sock, _name(sock), from_systemd=True)


def _tcp(host: str, port: int) -> Listener:
    setting = f'[api] bind_host = {host}'
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM,
                                       flags=socket.AI_PASSIVE)
    except socket.gaierror as exc:
        raise StartError(f'{setting}: {exc.strerror}; give an address or a '
                         'name that resolves') from exc
    family, kind, protocol, _canonical, address = addresses[0]
    sock = socket.socket(family, kind, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    _bind(sock, address, f'{setting}, bind_port = {port}')
    return Listener(sock, _name(sock))


def _unix(path: str, mode: int) -> Listener:
    setting = f'[api] unix_socket = {path}'
    path = os.path.abspath(path)
    if _is_stale(path, setting):
        os.unlink(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    _bind(sock, path, setting)
    os.chmod(path, mode)
    return Listener(sock, _name(sock), inode=_inode(path))


def _check_unix(path: str) -> None:
    """Raise StartError if ``_unix`` cannot create its socket."""
    setting = f'[api] unix_socket = {path}'
    path = os.path.abspath(path)
    _is_stale(path, setting)
    parent = os.path.dirname(path)
    if not os.path.isdir(parent):
        number = errno.ENOTDIR if os.path.exists(parent) else errno.ENOENT
        raise StartError(f'{setting}: {os.strerror(number)}')
    if not os.access(parent, os.W_OK | os.X_OK):
        raise StartError(f'{setting}: {os.strerror(errno.EACCES)}')
    if len(os.fsencode(path)) > MAX_UNIX_PATH_BYTES:
        raise StartError(f'{setting}: AF_UNIX path too long')


def _bind(sock: socket.socket, address: str | tuple[object, ...],
          setting: str) -> None:
    try:
        sock.bind(address)
    except OSError as exc:
        sock.close()
        error = AddressInUse if exc.errno == errno.EADDRINUSE else StartError
        raise error(f'{setting}: {exc.strerror or exc}') from exc


def _is_stale(path: str, setting: str) -> bool:
    """Whether a killed service left its socket file at the path.

    Raises StartError if the file is not a socket, AddressInUse if a process
    listens on it.
    """
    if not os.path.lexists(path):
        return False
    if not stat.S_ISSOCK(os.lstat(path).st_mode):
        raise StartError(f'{setting}: the file exists and is not a socket; '
                         'remove it or name another path')
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError as exc:
            raise StartError(f'{setting}: {exc.strerror}') from exc
    raise AddressInUse(f'{setting}: Address already in use')


def _inode(path: str) -> tuple[int, int]:
    status = os.stat(path, follow_symlinks=False)
    return (status.st_dev, status.st_ino)


def _name(sock: socket.socket) -> str:
    """Return the address as an operator writes it."""
    address = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f'unix:{address}'
    host, port = address[:2]
    return f'[{host}]:{port}' if ':' in host else f'{host}:{port}'


def _refuse_open_noauth(conf: cfg.ConfigOpts) -> None:
    """Refuse noauth on any address but loopback.

    SECURITY: with noauth every caller is an administrator.
    """
    host = conf.api.bind_host
    if conf.api.auth_strategy != 'noauth' or conf.api.insecure_noauth_bind \
            or _loopback(host):
        return
    raise StartError(
        f'[api] bind_host = {host}: auth_strategy = noauth serves loopback '
        'addresses only; choose another auth_strategy, or set '
        'insecure_noauth_bind = true to make every caller who reaches the '
        'port an administrator')


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'
