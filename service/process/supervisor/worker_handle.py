# SPDX-License-Identifier: Apache-2.0
"""Worker processes as the launcher sees them: start one, talk to it, end it.

What a worker does with its life is in ``worker``, which is imported in the
child alone: eventlet stays out of the launcher.
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

#: The signals that mean something to the launcher, and others to a worker.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class State(enum.Enum):
    """How far a worker has come."""

    LOADING = 'loading'
    LOADED = 'loaded'
    SERVING = 'serving'
    RETIRING = 'retiring'


@dataclass(eq=False)
class Worker:
    """One worker: ``heard`` is when it last gave a sign of life, ``closed``
    that it takes no more connections, ``deadline`` when it is killed unless
    it has ended by itself, ``cut`` that somebody told it to stop at once."""

    pid: int
    wire: socket.socket
    generation: WorkerSet
    place: int
    born: float = field(default_factory=time.monotonic)
    heard: float = field(default_factory=time.monotonic)
    state: State = State.LOADING
    served: bool = False
    closed: bool = False
    cut: bool = False
    deadline: float | None = None

    def bury(self) -> None:
        """Nobody is to wait for it any more."""
        self.wire.close()
        self.generation.forget(self)

    @property
    def patience(self) -> int:
        """How many seconds it may say nothing while it serves."""
        return self.generation.conf.api.worker_timeout

    def due(self) -> float:
        """When something has to be done about it, if nothing happens."""
        if self.deadline is not None:
            return self.deadline
        if self.state is State.SERVING:
            return self.heard + self.patience
        return math.inf

    def become(self, state: State) -> None:
        """Take note of progress; one that is to end makes none any more."""
        self.served = self.served or state is State.SERVING
        if self.state is not State.RETIRING:
            self.state = state

    def say(self, message: bytes) -> None:
        """Tell it; one that has gone is reaped anyway."""
        with contextlib.suppress(OSError):
            self.wire.send(message)

    def messages(self) -> Iterator[bytes]:
        """What it has said since; an empty message last once it has gone."""
        while True:
            try:
                message = self.wire.recv(channel.MAX_MESSAGE)
            except BlockingIOError:
                return
            except ConnectionError:
                message = b''
            yield message
            if not message:
                return

    def retire(self, margin: float) -> None:
        """Have it finish what is in flight; one that serves nothing ends."""
        if self.state is State.LOADING:
            os.kill(self.pid, signal.SIGTERM)
        self.say(channel.STOP)
        grace = self.generation.conf.api.graceful_shutdown_timeout
        self._end_by(time.monotonic() + grace + margin)

    def abort(self, margin: float) -> None:
        """End one that hangs; it writes to stderr where it does."""
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
    """The workers of one configuration, and what they listen on.

    It is ``proven`` once its configuration has been served.
    """

    conf: cfg.ConfigOpts
    listeners: list[Listener]
    proven: bool = False
    workers: set[Worker] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._balance = ConnectionBalance(self.conf.api.workers)
        self._kept = SharedMemory()

    def lacks(self) -> int:
        """How many workers it is short of.

        The first goes alone, to try the configuration on; the rest follow
        when it has loaded, and need not fail all at once if it cannot.
        """
        tried = any(one.state is not State.LOADING for one in self.workers)
        return (self.conf.api.workers if tried or self.proven else 1) \
            - len(self.workers)

    def all_are(self, state: State) -> bool:
        """Whether it is complete, and every worker has come so far."""
        return self.lacks() <= 0 and all(
            one.state is state for one in self.workers)

    def forget(self, worker: Worker) -> None:
        self.workers.discard(worker)
        self._balance.place(worker.place).leave()

    def spawn(self, strangers: Iterable[socket.socket]) -> Worker:
        """Fork a worker that holds none of the strangers.

        One that kept another's line would keep it from seeing that the
        launcher has died; one that kept another generation's listener would
        keep clients waiting there when nobody accepts any more. The signals
        wait until the child has left the launcher's handlers behind: one that
        came between would be told to the launcher as its own.
        """
        place = min(set(range(self.conf.api.workers))
                    - {one.place for one in self.workers})
        ours, theirs = channel.pair()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                for stranger in (ours, *strangers):
                    stranger.close()
                _run_worker(self, self._balance.place(place), theirs,
                        self._kept.path)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        worker = Worker(pid, ours, self, place)
        self.workers.add(worker)
        return worker


def _run_worker(generation: WorkerSet, place: ConnectionCount,
                wire: socket.socket, kept: str) -> NoReturn:
    """Be a worker until the end of this process.

    Nothing returns or raises out of here: above stands the launcher's own
    stack, with its pid file and its sockets.
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
        status = main.run(generation.conf, generation.listeners, place,
                            wire, kept)
    finally:
        if sys.exception() is not None:
            LOG.critical('the worker crashed', exc_info=True)
        logging.shutdown()
        os._exit(status)
