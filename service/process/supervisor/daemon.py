# SPDX-License-Identifier: Apache-2.0
"""Detach from the terminal, and hold a pid file while the service runs."""

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

#: The options that name files, which a daemon reads from another directory.
PATH_OPTIONS = ('--config-dir', '--config-file', '--log-file', '--log-dir',
         '--log-config-append', '--pid-file')

#: Others may not read what a daemon writes.
UMASK = 0o027


class PidFileHeld(StartError):
    """The service runs already: another process holds the lock."""


class PidFile:
    """While entered, the file holds this process's id and a lock.

    The lock, not the file, says that the service runs: the kernel drops it
    with the process, so a file that a killed service left refuses nobody.
    Workers do not inherit it.
    """

    def __init__(self, path: str) -> None:
        self._path = os.path.abspath(path)

    def __enter__(self) -> PidFile:
        self._file = self._locked()
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
        """Raise StartError where the file cannot be written.

        Returns a note if a process holds the file: this may be the service
        that runs. A file that does not exist is not made.
        """
        if not os.path.exists(self._path):
            parent = os.path.dirname(self._path)
            if not os.path.isdir(parent):
                raise self._unusable(errno.ENOENT)
            if not os.access(parent, os.W_OK | os.X_OK):
                raise self._unusable(errno.EACCES)
            return []
        try:
            self._lock(self._opened()).close()
        except PidFileHeld as exc:
            return [str(exc)]
        return []

    def _unusable(self, number: int) -> StartError:
        return StartError(f'--pid-file {self._path}: {os.strerror(number)}')

    def _locked(self) -> TextIO:
        """Open and lock it; again if it was removed between the two."""
        while True:
            file = self._lock(self._opened())
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
            raise PidFileHeld(f'--pid-file {self._path}: the service runs '
                              f'already, as process {holder}') from exc

    def _opened(self) -> TextIO:
        try:
            return open(self._path, 'a+', encoding='ascii')
        except OSError as exc:
            raise StartError(f'--pid-file {self._path}: {exc.strerror}'
                             ) from exc


def absolute(argv: Sequence[str]) -> list[str]:
    """The same command line, right from whichever directory it is read."""
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
    """Have ``run`` go on in a daemon; 0 here as soon as that serves.

    ``run`` is given what to call when it serves. What keeps it from serving
    is raised in the process that was started from the terminal, where
    somebody reads it. (Nobody else can: a daemon's stderr leads nowhere.)
    """
    ours, theirs = channel.pair()
    if os.fork():
        theirs.close()
        ours.setblocking(True)
        return _outcome(ours.recv(channel.MAX_MESSAGE))
    ours.close()
    with DaemonContext(detach_process=True, umask=UMASK,
                       files_preserve=[theirs, *_log_files()]):
        return _detached(run, theirs)


def _outcome(message: bytes) -> int:
    if message == channel.SERVING:
        return channel.DONE
    if message:
        raise StartError(channel.reason(message))
    raise StartError('the daemon ended before it could serve')


def _detached(run: Callable[[Callable[[], None]], int],
              wire: socket.socket) -> int:
    try:
        return run(lambda: _answer(wire, channel.SERVING))
    except StartError as exc:
        _answer(wire, channel.failed(str(exc)))
        return channel.FAILURE


def _answer(wire: socket.socket, message: bytes) -> None:
    """Tell the process at the terminal, unless it was interrupted."""
    with contextlib.suppress(OSError):
        wire.send(message)
    wire.close()


def _log_files() -> list[TextIO]:
    """The open files of the log, which detaching would close."""
    return [handler.stream for handler in logging.getLogger().handlers
            if isinstance(handler, logging.FileHandler) and handler.stream]
