# SPDX-License-Identifier: Apache-2.0
"""All workers at once: hear them, time them, and notice who has gone.

What follows from it is decided by the launcher, through ``Events``.
"""

from __future__ import annotations

import math
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from oslo_log import log

from service.process.supervisor.worker_handle import State, Worker, WorkerSet
from service.process.worker import channel

LOG = log.getLogger(__name__)

#: Seconds beyond its time after which a process that will not end is killed.
KILL_MARGIN_SECONDS = 1.0


class WorkerEvents(Protocol):
    """What can happen to a worker."""

    def loaded(self, worker: Worker) -> None: ...
    def serves(self, worker: Worker) -> None: ...
    def closed(self, worker: Worker) -> None: ...
    def failed(self, worker: Worker, reason: str) -> None: ...
    def gone(self, worker: Worker, status: int) -> None: ...


class WorkerPool:
    """The workers of every generation, of whatever age."""

    def __init__(self, events: WorkerEvents) -> None:
        self._events = events
        self._by_pid: dict[int, Worker] = {}
        self._selector = selectors.DefaultSelector()

    def __iter__(self) -> Iterator[Worker]:
        return iter(tuple(self._by_pid.values()))

    def __len__(self) -> int:
        return len(self._by_pid)

    def watch(self, wire: socket.socket, act: Callable[[], None]) -> None:
        """Call ``act`` when there is something to read on ``wire``."""
        self._selector.register(wire, selectors.EVENT_READ, act)

    def spawn(self, generation: WorkerSet,
              foreign: Iterable[socket.socket]) -> None:
        """Start a worker that keeps none of the ``foreign`` sockets.

        OSError if the system has no room for one.
        """
        wires = [one.wire for one in self]
        worker = generation.spawn([*wires, *foreign])
        self._by_pid[worker.pid] = worker
        self.watch(worker.wire, lambda: self._hear_living(worker))
        LOG.debug('worker %d started', worker.pid)

    def wait(self, until: float) -> None:
        """Sleep until something happens or falls due.

        If this process was itself stopped meanwhile, or the machine was, the
        workers could not be heard: nobody is blamed for that.
        """
        due = min([until, *(one.due() for one in self)])
        before = time.monotonic()
        ready = self._selector.select(
            None if due == math.inf else max(0.0, due - before))
        woken = time.monotonic()
        if woken > max(due, before) + KILL_MARGIN_SECONDS:
            for worker in self:
                worker.heard = woken
        for key, _mask in ready:
            key.data()

    def judge(self, now: float) -> None:
        """Kill who outstayed its time, and who gives no sign of life."""
        for worker in self:
            if now < worker.due():
                continue
            if worker.deadline is None:
                LOG.error('worker %d gave no sign of life for '
                          'worker_timeout = %d seconds: ending it',
                          worker.pid, worker.patience)
                worker.abort(KILL_MARGIN_SECONDS)
            else:
                worker.kill(KILL_MARGIN_SECONDS)

    def reap(self) -> None:
        """Take note of every child that ended.

        Processes that are none of ours are reaped too: in a container this
        may be the process that inherits every orphan.
        """
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            worker = self._by_pid.get(pid)
            if worker is not None:
                self._buried(worker, os.waitstatus_to_exitcode(status))

    def _buried(self, worker: Worker, status: int) -> None:
        """Its last words may be unread yet, and tell why."""
        self._hear(worker)
        del self._by_pid[worker.pid]
        self._deaf(worker)
        worker.bury()
        self._events.gone(worker, status)

    def _hear_living(self, worker: Worker) -> None:
        """Its end may have been dealt with since the kernel named its line.
        """
        if worker.pid in self._by_pid:
            self._hear(worker)

    def _hear(self, worker: Worker) -> None:
        for message in worker.messages():
            worker.heard = time.monotonic()
            if not message:
                self._deaf(worker)
            elif message.startswith(channel.FAILED):
                self._events.failed(worker, channel.reason(message))
            elif message == channel.LOADED:
                worker.become(State.LOADED)
                self._events.loaded(worker)
            elif message == channel.SERVING:
                worker.become(State.SERVING)
                self._events.serves(worker)
            elif message == channel.CLOSED:
                worker.closed = True
                self._events.closed(worker)

    def _deaf(self, worker: Worker) -> None:
        if worker.wire in self._selector.get_map():
            self._selector.unregister(worker.wire)


def describe_exit(status: int) -> str:
    """How a process ended, for people."""
    if status < 0:
        return f'was killed by {signal.Signals(-status).name}'
    return f'ended with status {status}'
