# SPDX-License-Identifier: Apache-2.0
"""Changing the files of ``accounts``, one user at a time.

Each file is replaced as a whole: a service that reads at the wrong moment
sees the file before or the file after, and a crash leaves one of the two.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import bcrypt
import yaml

from service.accounts import account_files
from service.errors import StartError

_HEADER = ('# Who is who for [api] auth_strategy = http_basic. Written anew '
           'by pileus-manage user;\n# comments of your own would be lost.\n')


def put(passwords: str, users: str, name: str, password: str,
        entry: dict[str, Any]) -> None:
    """Make a user, or give one another password and other roles.

    What the name stands for is written first: a name with a password and no
    roles yet would be let in and told that it may not.
    """
    hash = bcrypt.hashpw(password.encode(),
                         bcrypt.gensalt(account_files.BCRYPT_COST))
    with _lock(passwords, users):
        _write(users, _dump({**_existing_users(users), name: entry}))
        _write(passwords, ''.join(
            [*_other_lines(passwords, name), f'{name}:{hash.decode()}\n']))


def remove(passwords: str, users: str, name: str) -> None:
    """Forget a user; the password goes first."""
    with _lock(passwords, users):
        _write(passwords, ''.join(_other_lines(passwords, name)))
        kept = _existing_users(users)
        kept.pop(name, None)
        _write(users, _dump(kept))


@contextlib.contextmanager
def _lock(*paths: str) -> Iterator[None]:
    """One writer at a time, by a lock on the directories: two that read the
    same file would lose each other's user."""
    with contextlib.ExitStack() as held:
        for directory in sorted({os.path.dirname(one) for one in paths}):
            handle = _open_directory(directory)
            held.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _open_directory(directory: str) -> int:
    try:
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as exc:
        raise StartError(
            f'{directory}: cannot be opened: {exc.strerror}') from exc


def _other_lines(path: str, name: str) -> list[str]:
    """The lines of an htpasswd file that are not about ``name``."""
    if not os.path.exists(path):
        return []
    return [f'{line}\n' for line in account_files.read_text(path).splitlines()
            if line.partition(':')[0] != name]


def _existing_users(path: str) -> dict[Any, Any]:
    return account_files.read_mapping(path) if os.path.exists(path) else {}


def _dump(entries: dict[Any, Any]) -> str:
    return _HEADER + yaml.safe_dump(entries, allow_unicode=True)


def _write(path: str, text: str) -> None:
    """Replace a file; it stays whose it was, and is nobody else's to read."""
    try:
        _replace(path, text.encode())
    except OSError as exc:
        raise StartError(f'{path}: cannot be written: '
                         f'{exc.strerror}') from exc


def _replace(path: str, data: bytes) -> None:
    directory = os.path.dirname(path)
    handle, temporary = tempfile.mkstemp(dir=directory, prefix='.pileus-')
    try:
        with os.fdopen(handle, 'wb') as file:       # mkstemp makes it 0600
            if os.path.exists(path):
                was = os.stat(path)
                if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(handle, was.st_uid, was.st_gid)
            file.write(data)
            file.flush()
            os.fsync(handle)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    directory_handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory_handle)
    finally:
        os.close(directory_handle)
