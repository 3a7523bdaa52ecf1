# SPDX-License-Identifier: Apache-2.0
"""Receive the messages of all workers, check timeouts, reap the dead.

The launcher decides what follows from an event, through ``WorkerEvents``.
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

#: How long after its time limit a process that has not ended is killed.
KILL_MARGIN_SECONDS = 1.0


class WorkerEvents(Protocol):
    """The events of workers, which the launcher handles."""

    def loaded(self, worker: Worker) -> None: ...
    def serves(self, worker: Worker) -> None: ...
    def stopped_accepting(self, worker: Worker) -> None: ...
    def failed(self, worker: Worker, reason: str) -> None: ...
    def ended(self, worker: Worker, status: int) -> None: ...


class WorkerPool:
    """The workers of all sets, including those that are about to end."""

    def __init__(self, events: WorkerEvents) -> None:
        self._events = events
        self._by_pid: dict[int, Worker] = {}
        self._selector = selectors.DefaultSelector()

    def __iter__(self) -> Iterator[Worker]:
        return iter(tuple(self._by_pid.values()))

    def __len__(self) -> int:
        return len(self._by_pid)

    def watch(self, sock: socket.socket, action: Callable[[], None]) -> None:
        """Call ``action`` when ``sock`` is readable."""
        self._selector.register(sock, selectors.EVENT_READ, action)

    def spawn(self, worker_set: WorkerSet,
              foreign: Iterable[socket.socket]) -> None:
        """Start a worker that keeps none of the ``foreign`` sockets.

        OSError if the system cannot fork another process.
        """
        channels = [worker.channel for worker in self]
        worker = worker_set.spawn([*channels, *foreign])
        self._by_pid[worker.pid] = worker
        self.watch(worker.channel, lambda: self._receive_if_alive(worker))
        LOG.debug('worker %d started', worker.pid)

    def wait(self, until: float) -> None:
        """Sleep until something happens, a worker is due, or ``until``.

        If this process or the machine was suspended meanwhile, messages
        could not be received, so the timeouts of all workers start again.
        """
        due = min([until, *(worker.due() for worker in self)])
        before = time.monotonic()
        ready = self._selector.select(
            None if due == math.inf else max(0.0, due - before))
        woken = time.monotonic()
        if woken > max(due, before) + KILL_MARGIN_SECONDS:
            for worker in self:
                worker.last_heard = woken
        for key, _mask in ready:
            key.data()

    def end_overdue(self, now: float) -> None:
        """End workers that exceed their time or send no messages."""
        for worker in self:
            if now < worker.due():
                continue
            if worker.deadline is None:
                LOG.error('worker %d sent no heartbeat for '
                          'worker_timeout = %d seconds: ending it',
                          worker.pid, worker.timeout_seconds)
                worker.abort(KILL_MARGIN_SECONDS)
            else:
                worker.kill(KILL_MARGIN_SECONDS)

    def reap(self) -> None:
        """Collect the exit status of every child that ended.

        In a container the launcher may be the init process, which inherits
        every orphan, so processes that are not workers are reaped too.
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
                self._remove(worker, os.waitstatus_to_exitcode(status))

    def _remove(self, worker: Worker, status: int) -> None:
        """Remove an ended worker, after the last messages it sent.

        The last message may hold the reason for its end.
        """
        self._receive(worker)
        del self._by_pid[worker.pid]
        self._unwatch(worker)
        worker.discard()
        self._events.ended(worker, status)

    def _receive_if_alive(self, worker: Worker) -> None:
        """Receive, unless the worker was removed since ``select`` returned.
        """
        if worker.pid in self._by_pid:
            self._receive(worker)

    def _receive(self, worker: Worker) -> None:
        for message in worker.messages():
            worker.last_heard = time.monotonic()
            if not message:
                self._unwatch(worker)
            elif message.startswith(channel.FAILED):
                self._events.failed(worker, channel.reason(message))
            elif message == channel.LOADED:
                worker.advance(State.LOADED)
                self._events.loaded(worker)
            elif message == channel.SERVING:
                worker.advance(State.SERVING)
                self._events.serves(worker)
            elif message == channel.CLOSED:
                worker.accepts_no_more = True
                self._events.stopped_accepting(worker)

    def _unwatch(self, worker: Worker) -> None:
        if worker.channel in self._selector.get_map():
            self._selector.unregister(worker.channel)


def describe_exit(status: int) -> str:
    """Return how a process ended, as the end of a sentence."""
    if status < 0:
        return f'was killed by {signal.Signals(-status).name}'
    return f'ended with status {status}'
