# SPDX-License-Identifier: Apache-2.0
"""Worker processes as the launcher sees them: fork, message, end.

The code that runs in a worker is in ``service.process.worker``. Only the
forked child imports it, since the launcher must not import eventlet.
"""

from __future__ import annotations

import contextlib
import enum
import logging
import math
import os
import signal
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from oslo_config import cfg
from oslo_log import log

from service.hosting.handover import SharedMemory
from service.process.listening.connection_balance import (
    ConnectionBalance,
    ConnectionCount,
)
from service.process.listening.listeners import Listener
from service.process.worker import channel

LOG = log.getLogger(__name__)

#: The signals that launcher and workers handle differently.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class State(enum.Enum):
    """A worker's progress from its start to its end."""

    LOADING = 'loading'
    LOADED = 'loaded'
    SERVING = 'serving'
    RETIRING = 'retiring'


@dataclass(eq=False)
class Worker:
    """A worker process and the launcher's end of its channel.

    ``index`` is its number in its set. ``last_heard`` is the time of its
    last message; ``accepts_no_more`` is true once it has closed its
    listeners. At ``deadline`` the launcher kills it. ``stopped_at_once``
    means that the operator asked for an end without regard to requests.
    """

    pid: int
    channel: socket.socket
    worker_set: WorkerSet
    index: int
    started_at: float = field(default_factory=time.monotonic)
    last_heard: float = field(default_factory=time.monotonic)
    state: State = State.LOADING
    has_served: bool = False
    accepts_no_more: bool = False
    stopped_at_once: bool = False
    deadline: float | None = None

    def discard(self) -> None:
        """Release what the launcher holds for this ended process."""
        self.channel.close()
        self.worker_set.discard(self)

    @property
    def timeout_seconds(self) -> int:
        """The seconds without a message after which it is ended."""
        return self.worker_set.conf.api.worker_timeout

    def due(self) -> float:
        """Return when the launcher must act if no message arrives."""
        if self.deadline is not None:
            return self.deadline
        if self.state is State.SERVING:
            return self.last_heard + self.timeout_seconds
        return math.inf

    def advance(self, state: State) -> None:
        """Record progress; a retiring worker keeps its state."""
        self.has_served = self.has_served or state is State.SERVING
        if self.state is not State.RETIRING:
            self.state = state

    def send(self, message: bytes) -> None:
        """Send a message; a process that has ended is reaped later."""
        with contextlib.suppress(OSError):
            self.channel.send(message)

    def messages(self) -> Iterator[bytes]:
        """Yield the messages received; an empty one marks the end."""
        while True:
            try:
                message = self.channel.recv(channel.MAX_MESSAGE_BYTES)
            except BlockingIOError:
                return
            except ConnectionError:
                message = b''
            yield message
            if not message:
                return

    def retire(self, margin: float) -> None:
        """Let it finish the requests in flight; end it if it still loads.

        It is killed ``margin`` seconds after ``graceful_shutdown_timeout``.
        """
        if self.state is State.LOADING:
            os.kill(self.pid, signal.SIGTERM)
        self.send(channel.STOP)
        grace = self.worker_set.conf.api.graceful_shutdown_timeout
        self._end_by(time.monotonic() + grace + margin)

    def abort(self, margin: float) -> None:
        """End a hanging worker; SIGABRT makes it write its stack to stderr.
        """
        os.kill(self.pid, signal.SIGABRT)
        self._end_by(time.monotonic() + margin)

    def kill(self, margin: float) -> None:
        """End it at once."""
        os.kill(self.pid, signal.SIGKILL)
        self._end_by(time.monotonic() + margin)

    def _end_by(self, deadline: float) -> None:
        self.state = State.RETIRING
        self.deadline = deadline


@dataclass(eq=False)
class WorkerSet:
    """The workers of one configuration, and the listeners they share.

    The start makes a set, and each reload another. ``proven`` is true once
    the set has served.
    """

    conf: cfg.ConfigOpts
    listeners: list[Listener]
    proven: bool = False
    workers: set[Worker] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._balance = ConnectionBalance(self.conf.api.workers)
        self._handover = SharedMemory()

    def missing(self) -> int:
        """Return how many workers to start.

        While the configuration is unproven, a first worker loads it alone.
        The others start once it has loaded, so that a configuration that
        cannot be loaded fails one worker and not all of them.
        """
        loaded = any(worker.state is not State.LOADING
                     for worker in self.workers)
        return (self.conf.api.workers if loaded or self.proven else 1) \
            - len(self.workers)

    def all_in(self, state: State) -> bool:
        """Whether no worker is missing and all are in ``state``."""
        return self.missing() <= 0 and all(
            worker.state is state for worker in self.workers)

    def discard(self, worker: Worker) -> None:
        """Remove an ended worker, and its count of connections."""
        self.workers.discard(worker)
        self._balance.of_worker(worker.index).withdraw()

    def spawn(self, foreign: Iterable[socket.socket]) -> Worker:
        """Fork a worker, which closes its copies of ``foreign`` sockets.

        A worker that kept the launcher's end of another worker's channel
        would hide the launcher's death from that worker. A worker that kept
        a listener of another set would leave clients waiting on a socket
        from which no process accepts.

        Signals are blocked until the child has removed the launcher's
        handlers; otherwise a signal to the child would reach the launcher
        through the wakeup socket that both share.
        """
        index = min(set(range(self.conf.api.workers))
                    - {worker.index for worker in self.workers})
        launcher_end, worker_end = channel.pair()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                for sock in (launcher_end, *foreign):
                    sock.close()
                _run_worker(self, self._balance.of_worker(index), worker_end,
                            self._handover.path)
        except OSError:
            launcher_end.close()
            raise
        finally:
            worker_end.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        worker = Worker(pid, launcher_end, self, index)
        self.workers.add(worker)
        return worker


def _run_worker(worker_set: WorkerSet, count: ConnectionCount,
                worker_end: socket.socket, handover: str) -> NoReturn:
    """Run a worker in this forked process, then end the process.

    Nothing may return or raise from here: the launcher's stack is above,
    and would remove its pid file and close its sockets.
    """
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        from service.process.worker import main
        status = main.run(worker_set.conf, worker_set.listeners, count,
                          worker_end, handover)
    finally:
        if sys.exception() is not None:
            LOG.critical('the worker crashed', exc_info=True)
        logging.shutdown()
        os._exit(status)
