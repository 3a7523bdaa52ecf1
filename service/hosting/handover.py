# SPDX-License-Identifier: Apache-2.0
"""What the workers of one configuration leave to those that take their place.

A worker that is replaced reads its files anew, and somebody may have edited
them since: half, or so that the workers beside it refused what they say. It
goes on from what they had in force instead, and looks at the files as they
do. That stands in memory which is gone with the service, so that a start and
a reload begin with the files.
"""

from __future__ import annotations

import fcntl
import json
import os
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

from service.config import files as config_files


class SharedMemory:
    """The memory of one configuration; forked workers inherit it.

    ``path`` is how each of them finds it, as PasteDeploy's text.
    """

    def __init__(self) -> None:
        descriptor = os.memfd_create('pileus-handover')
        self.path = f'/proc/self/fd/{descriptor}'
        weakref.finalize(self, os.close, descriptor)


class Handover:
    """Values of JSON by name; ``leave`` what is in force, for others to
    ``find``. Where no launcher made the memory nothing is ever found."""

    def __init__(self, path: str = '') -> None:
        self._path = path

    @classmethod
    def of(cls, global_conf: Mapping[str, str]) -> Handover:
        return cls(global_conf.get(config_files.HANDOVER, ''))

    def get(self, name: str) -> Any:
        """What was left last; None where nothing was."""
        if not self._path:
            return None
        with self._held('rb', fcntl.LOCK_SH) as file:
            return _read(file).get(name)

    def put(self, name: str, value: object) -> None:
        if not self._path:
            return
        with self._held('r+b', fcntl.LOCK_EX) as file:
            text = json.dumps({**_read(file), name: value}).encode()
            file.seek(0)
            file.write(text)
            file.truncate()

    @contextmanager
    def _held(self, mode: str, lock: int) -> Iterator[IO[bytes]]:
        """The lock is the opened file's, and goes with who is killed."""
        with open(self._path, mode) as file:
            fcntl.flock(file, lock)
            yield file


def _read(file: IO[bytes]) -> dict[str, Any]:
    """Nothing, where whoever wrote was killed before the end."""
    try:
        found: dict[str, Any] = json.loads(file.read())
    except ValueError:
        return {}
    return found
