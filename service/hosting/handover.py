# SPDX-License-Identifier: Apache-2.0
"""State that workers of one configuration hand to their replacements.

A replacement worker could read the policy and account files again. But these
files may have changed since: they may be half-written, or so invalid that the
other workers kept the previous contents. Therefore the replacement starts with
the state in force, and watches the files like the others. The state is in
memory that ends with the service, so a start and a reload read the files.
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
    """Anonymous shared memory that forked workers inherit.

    ``path`` opens it in each worker; PasteDeploy can pass it on as text.
    """

    def __init__(self) -> None:
        descriptor = os.memfd_create('pileus-handover')
        self.path = f'/proc/self/fd/{descriptor}'
        weakref.finalize(self, os.close, descriptor)


class Handover:
    """JSON values by name, in the shared memory of one configuration.

    Without shared memory, as under another WSGI server, ``put`` stores nothing
    and ``get`` returns None.
    """

    def __init__(self, path: str = '') -> None:
        self._path = path

    @classmethod
    def of(cls, global_conf: Mapping[str, str]) -> Handover:
        """Return the handover whose path PasteDeploy passes on."""
        return cls(global_conf.get(config_files.HANDOVER, ''))

    def get(self, name: str) -> Any:
        """Return the last value of this name, or None."""
        if not self._path:
            return None
        with self._locked('rb', fcntl.LOCK_SH) as file:
            return _read(file).get(name)

    def put(self, name: str, value: object) -> None:
        if not self._path:
            return
        with self._locked('r+b', fcntl.LOCK_EX) as file:
            text = json.dumps({**_read(file), name: value}).encode()
            file.seek(0)
            file.write(text)
            file.truncate()

    @contextmanager
    def _locked(self, mode: str, lock: int) -> Iterator[IO[bytes]]:
        """Open the memory with a lock, which ends with a killed process."""
        with open(self._path, mode) as file:
            fcntl.flock(file, lock)
            yield file


def _read(file: IO[bytes]) -> dict[str, Any]:
    """Return the stored values; none if a writer was killed midway."""
    try:
        values: dict[str, Any] = json.loads(file.read())
    except ValueError:
        return {}
    return values
