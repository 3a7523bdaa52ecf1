# SPDX-License-Identifier: Apache-2.0
"""Signals as events of a select loop, so that signal handlers do no work."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any


class Signals:
    """A context manager that queues signals until ``dispatch`` is called.

    Python writes the number of each signal to a socket pair. ``wakeup`` is
    the end to select on. Several signals of one kind lead to one call: the
    actions need not run twice.
    """

    def __init__(self, actions: Mapping[signal.Signals, Callable[[], None]]
                 ) -> None:
        self._actions = actions
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Signals:
        self.wakeup, self._inlet = socket.socketpair()
        for end in (self.wakeup, self._inlet):
            end.setblocking(False)
        signal.set_wakeup_fd(self._inlet.fileno(), warn_on_full_buffer=False)
        for number in self._actions:
            self._before[number] = signal.signal(number, _ignore)
        return self

    def __exit__(self, kind: type[BaseException] | None,
                 exc: BaseException | None,
                 trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(-1)
        self.wakeup.close()
        self._inlet.close()

    def dispatch(self) -> None:
        """Call the action of each signal that arrived, in their order."""
        try:
            numbers = self.wakeup.recv(4096)
        except BlockingIOError:
            return
        for number in dict.fromkeys(numbers):
            action = self._actions.get(signal.Signals(number))
            if action is not None:
                action()


def _ignore(number: int, frame: object) -> None:
    """Do nothing: Python writes the signal's number to the wakeup socket.

    Python does so only for signals that have a handler.
    """
