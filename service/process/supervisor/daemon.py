# SPDX-License-Identifier: Apache-2.0
"""Detach from the terminal, and lock a pid file while the service runs."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import socket
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TextIO

from daemon import DaemonContext

from service.errors import StartError
from service.process.worker import channel

#: Options that name files; a daemon runs in another working directory.
PATH_OPTIONS = ('--config-dir', '--config-file', '--log-file', '--log-dir',
                '--log-config-append', '--pid-file')

#: Files that a daemon creates are not readable for other users.
UMASK = 0o027


class PidFileHeld(StartError):
    """The service is already running: a process holds the lock."""


class PidFile:
    """A context manager: a locked file that holds this process's id.

    The lock, not the file, shows that the service is running. The kernel
    releases the lock when the process ends, so the file of a killed service
    does not prevent a start. Forked workers do not inherit the lock.
    """

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)

    def __enter__(self) -> PidFile:
        self._file = self._open_locked()
        self._file.truncate(0)
        self._file.write(f'{os.getpid()}\n')
        self._file.flush()
        return self

    def __exit__(self, kind: type[BaseException] | None,
                 exc: BaseException | None,
                 trace: TracebackType | None) -> None:
        os.unlink(self._path)
        self._file.close()

    def check(self) -> list[str]:
        """Raise StartError if the file cannot be written.

        Returns a note if a process holds the lock: the running service may
        be that process. The file is not created.
        """
        if not os.path.exists(self._path):
            parent = os.path.dirname(self._path)
            if not os.path.isdir(parent):
                raise self._unusable(errno.ENOENT)
            if not os.access(parent, os.W_OK | os.X_OK):
                raise self._unusable(errno.EACCES)
            return []
        try:
            self._lock(self._open()).close()
        except PidFileHeld as exc:
            return [str(exc)]
        return []

    def _unusable(self, number: int) -> StartError:
        return StartError(f'--pid-file {self._path}: {os.strerror(number)}')

    def _open_locked(self) -> TextIO:
        """Open and lock the file; retry if it was removed in between."""
        while True:
            file = self._lock(self._open())
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()),
                                    os.stat(self._path)):
                    return file
            file.close()

    def _lock(self, file: TextIO) -> TextIO:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except OSError as exc:
            file.seek(0)
            holder = file.read().strip()
            file.close()
            raise PidFileHeld(f'--pid-file {self._path}: the service is '
                              f'already running as process {holder}'
                              ) from exc

    def _open(self) -> TextIO:
        try:
            return open(self._path, 'a+', encoding='ascii')
        except OSError as exc:
            raise StartError(f'--pid-file {self._path}: {exc.strerror}'
                             ) from exc


def absolute_paths(argv: Sequence[str]) -> list[str]:
    """Return the command line with all paths made absolute."""
    fixed: list[str] = []
    for word in argv:
        option, equals, value = word.partition('=')
        if equals and option in PATH_OPTIONS:
            word = f'{option}={os.path.abspath(value)}'
        elif fixed and fixed[-1] in PATH_OPTIONS:
            word = os.path.abspath(word)
        fixed.append(word)
    return fixed


def detach(run: Callable[[Callable[[], None]], int]) -> int:
    """Call ``run`` in a daemon; return 0 once the daemon serves.

    ``run`` gets a function to call when it serves. A StartError in the
    daemon is raised in this process, which is attached to the terminal; the
    daemon's own stderr is /dev/null.
    """
    terminal_end, daemon_end = channel.pair()
    if os.fork():
        daemon_end.close()
        terminal_end.setblocking(True)
        return _outcome(terminal_end.recv(channel.MAX_MESSAGE_BYTES))
    terminal_end.close()
    with DaemonContext(detach_process=True, umask=UMASK,
                       files_preserve=[daemon_end, *_log_files()]):
        return _run_detached(run, daemon_end)


def _outcome(message: bytes) -> int:
    if message == channel.SERVING:
        return channel.DONE
    if message:
        raise StartError(channel.reason(message))
    raise StartError('the daemon ended before it accepted requests, without '
                     'an error message; see its log file')


def _run_detached(run: Callable[[Callable[[], None]], int],
                  daemon_end: socket.socket) -> int:
    try:
        return run(lambda: _report(daemon_end, channel.SERVING))
    except StartError as exc:
        _report(daemon_end, channel.failed(str(exc)))
        return channel.FAILURE


def _report(daemon_end: socket.socket, message: bytes) -> None:
    """Send the outcome to the process at the terminal, if it still waits."""
    with contextlib.suppress(OSError):
        daemon_end.send(message)
    daemon_end.close()


def _log_files() -> list[TextIO]:
    """Return the open log files, which detaching would close."""
    return [handler.stream for handler in logging.getLogger().handlers
            if isinstance(handler, logging.FileHandler) and handler.stream]
