# SPDX-License-Identifier: Apache-2.0
"""Signals as events of a select loop, so that no handler does any work."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any


class Signals:
    """While entered, each signal of the table waits to be dispatched.

    Python writes the number of a signal that arrives to ``wire``. A storm of
    one signal is one call: what it asks for has to be done once.
    """

    def __init__(self, table: Mapping[signal.Signals, Callable[[], None]]
                 ) -> None:
        self._table = table
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Signals:
        self.wire, self._inlet = socket.socketpair()
        for end in (self.wire, self._inlet):
            end.setblocking(False)
        signal.set_wakeup_fd(self._inlet.fileno(), warn_on_full_buffer=False)
        for number in self._table:
            self._before[number] = signal.signal(number, _ignore)
        return self

    def __exit__(self, kind: type[BaseException] | None,
                 exc: BaseException | None,
                 trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        self.wire.close()
        self._inlet.close()

    def dispatch(self) -> None:
        """Act on each signal that has come, once and in order."""
        try:
            numbers = self.wire.recv(4096)
        except BlockingIOError:
            return
        for number in dict.fromkeys(numbers):
            act = self._table.get(signal.Signals(number))
            if act is not None:
                act()


def _ignore(number: int, frame: object) -> None:
    """Python has written the number already; there must be a handler."""
