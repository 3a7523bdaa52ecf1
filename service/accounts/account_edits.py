# SPDX-License-Identifier: Apache-2.0
"""Add, change and remove users in the account files.

A file is replaced as a whole: a service that reads it at the same time sees
the old or the new file, and a crash leaves one of the two.
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

_HEADER = ('# Users of [api] auth_strategy = http_basic. pileus-manage user '
           'rewrites this file\n# and drops comments.\n')


def put(passwords: str, users: str, name: str, password: str,
        entry: dict[str, Any]) -> None:
    """Add a user, or replace an existing one.

    The users file is written first: a user with a password but no roles yet
    would be let in without any rights.
    """
    hash = bcrypt.hashpw(password.encode(),
                         bcrypt.gensalt(account_files.BCRYPT_COST))
    with _lock(passwords, users):
        _write(users, _dump({**_existing_users(users), name: entry}))
        _write(passwords, ''.join(
            [*_other_lines(passwords, name), f'{name}:{hash.decode()}\n']))


def remove(passwords: str, users: str, name: str) -> None:
    """Remove a user, the password first."""
    with _lock(passwords, users):
        _write(passwords, ''.join(_other_lines(passwords, name)))
        entries = _existing_users(users)
        entries.pop(name, None)
        _write(users, _dump(entries))


@contextlib.contextmanager
def _lock(*paths: str) -> Iterator[None]:
    """Lock the directories of the files against other writers.

    Two writers that read the same file would lose one user.
    """
    with contextlib.ExitStack() as stack:
        for directory in sorted({os.path.dirname(path) for path in paths}):
            descriptor = _open_directory(directory)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _open_directory(directory: str) -> int:
    try:
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as exc:
        raise StartError(
            f'{directory}: cannot be opened: {exc.strerror}') from exc


def _other_lines(path: str, name: str) -> list[str]:
    """Return the lines of an htpasswd file that are not for ``name``."""
    if not os.path.exists(path):
        return []
    return [f'{line}\n' for line in account_files.read_text(path).splitlines()
            if line.partition(':')[0] != name]


def _existing_users(path: str) -> dict[Any, Any]:
    return account_files.read_mapping(path) if os.path.exists(path) else {}


def _dump(entries: dict[Any, Any]) -> str:
    return _HEADER + yaml.safe_dump(entries, allow_unicode=True)


def _write(path: str, text: str) -> None:
    """Replace a file; it keeps its owner, and only the owner can read it."""
    try:
        _replace(path, text.encode())
    except OSError as exc:
        raise StartError(f'{path}: cannot be written: '
                         f'{exc.strerror}') from exc


def _replace(path: str, data: bytes) -> None:
    directory = os.path.dirname(path)
    descriptor, temporary = tempfile.mkstemp(dir=directory, prefix='.pileus-')
    try:
        with os.fdopen(descriptor, 'wb') as file:       # mkstemp makes it 0600
            if os.path.exists(path):
                old = os.stat(path)
                if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(descriptor, old.st_uid, old.st_gid)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    directory_handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory_handle)
    finally:
        os.close(directory_handle)
