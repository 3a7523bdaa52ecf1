# SPDX-License-Identifier: Apache-2.0
"""The parent of the workers: it binds, forks, watches, reloads and stops.

It serves nothing itself and never imports eventlet or the application, so
nothing that a request or a type file does can end it.

A reload starts a second *generation* of workers beside the first. Only when
all of them have loaded the new configuration do they serve and the old ones
finish; if one cannot, the new generation ends and nothing has changed.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable

from oslo_config import cfg
from oslo_log import log

from service.errors import StartError
from service.logs import log_setup
from service.process.listening import listeners, tls_context
from service.process.supervisor import systemd
from service.process.supervisor.backoff import Backoff
from service.process.supervisor.reloads import ReloadState
from service.process.supervisor.signals import Signals
from service.process.supervisor.worker_handle import State, Worker, WorkerSet
from service.process.supervisor.worker_pool import (
    KILL_MARGIN_SECONDS,
    WorkerPool,
    describe_exit,
)
from service.process.worker import channel

LOG = log.getLogger(__name__)

#: How many workers may die in a row before the first has ever served.
MAX_START_FAILURES = 5

#: The exit status after SIGINT, as a shell has it.
INTERRUPTED = 128 + signal.SIGINT


class Launcher:
    """One service, from its first worker to the end of its last.

    ``reread`` gives the configuration afresh or raises StartError;
    ``announce`` is called once, when the service first answers.
    """

    def __init__(self, conf: cfg.ConfigOpts,
                 reread: Callable[[], cfg.ConfigOpts],
                 announce: Callable[[], None] = lambda: None) -> None:
        tls_context.context(conf)
        self._reread = reread
        self._announce = announce
        self._generations = ReloadState(
            WorkerSet(conf, listeners.bind(conf)))
        self._crew = WorkerPool(self)
        self._backoff = Backoff()
        self._asked_again = False
        self._stopping = False
        self._status = channel.DONE
        self._failure: str | None = None

    def run(self) -> int:
        """Serve until told to stop; the exit status.

        0: every request was answered. 1: some were cut, at their time limit
        or by a second signal. Raises StartError if it never could serve.
        """
        with Signals({signal.SIGTERM: self._terminate,
                      signal.SIGINT: self._interrupt,
                      signal.SIGHUP: self._reload,
                      signal.SIGCHLD: self._crew.reap}) as signals:
            self._crew.watch(signals.wire, signals.dispatch)
            watchdog = systemd.watchdog_seconds()
            while not self._stopping or len(self._crew):
                if watchdog < math.inf:
                    systemd.notify_alive()
                now = time.monotonic()
                self._crew.judge(now)
                self._fill(now)
                self._crew.wait(min(now + watchdog, self._refill()))
        if self._failure is not None:
            raise StartError(self._failure)
        return self._status

    # Workers come ...

    def _refill(self) -> float:
        """When the next worker is to be started."""
        if any(one.lacks() > 0 for one in self._generations):
            return self._backoff.until
        return math.inf

    def _fill(self, now: float) -> None:
        if now < self._backoff.until:
            return
        for generation in self._generations:
            foreign = [one.sock
                       for one in self._generations.foreign(generation)]
            for _ in range(generation.lacks()):
                try:
                    self._crew.spawn(generation, foreign)
                except OSError as exc:
                    LOG.error('cannot start a worker: %s', exc.strerror)
                    self._backoff.died(now, 0)
                    return

    def loaded(self, worker: Worker) -> None:
        """Let it serve: on reload, all of the new generation at once."""
        generation, current = worker.generation, self._generations.current
        if generation not in self._generations:
            return
        if current is None or generation is current:
            worker.say(channel.GO)
        elif generation.all_are(State.LOADED):
            for one in generation.workers:
                one.say(channel.GO)

    def serves(self, worker: Worker) -> None:
        """The first of all, or the last of a new generation, takes over."""
        generation = worker.generation
        if generation is self._generations.incoming and (
                self._generations.current is None
                or generation.all_are(State.SERVING)):
            self._promote(generation)

    def _promote(self, generation: WorkerSet) -> None:
        """Serve with this generation, and let the one before finish."""
        generation.proven = True
        self._backoff.forget()
        before = self._generations.promote()
        if before is None:
            self._ready(generation, 'started')
            self._announce()
            return
        for worker in before.workers:
            worker.retire(KILL_MARGIN_SECONDS)
        _set_up_log(generation.conf)
        self._check_reloaded()

    def closed(self, worker: Worker) -> None:
        """It takes no more connections: those to come meet younger ones."""
        self._check_reloaded()

    def _check_reloaded(self) -> None:
        """The reload is done when nobody can meet the old configuration."""
        current, outgoing = (self._generations.current,
                             self._generations.outgoing)
        if current and outgoing and all(
                one.closed for one in outgoing.workers):
            self._generations.outgoing = None
            self._ready(current, 'reloaded')

    def _ready(self, generation: WorkerSet, what: str) -> None:
        LOG.info('%s: serving on %s with workers = %d', what,
                 ', '.join(one.name for one in generation.listeners),
                 generation.conf.api.workers)
        systemd.notify('READY=1')
        self._next_reload()

    # ... and go.

    def failed(self, worker: Worker, reason: str) -> None:
        """It said why it cannot start."""
        if worker.generation is self._generations.current:
            LOG.error('worker %d cannot start: %s', worker.pid,
                      _one_line(reason))
        elif worker.generation is self._generations.incoming:
            self._fail(reason)

    def gone(self, worker: Worker, status: int) -> None:
        """It has ended; another takes its place unless it was meant to."""
        text = f'worker {worker.pid} {describe_exit(status)}'
        if worker.generation in self._generations:
            self._miss(worker, text)
        elif worker.served and not worker.cut and status != channel.DONE:
            LOG.warning('%s before all was answered', text)
            if self._stopping:
                self._status = self._status or channel.FAILURE
        self._check_reloaded()

    def _miss(self, worker: Worker, text: str) -> None:
        now = time.monotonic()
        delay = self._backoff.died(now, now - worker.born)
        LOG.error('%s; another starts in %.1f seconds', text, delay)
        reloading = self._generations.current is not None
        if worker.generation is self._generations.incoming and (
                reloading or self._backoff.failures >= MAX_START_FAILURES):
            self._fail(f'{text} while it was starting')

    def _fail(self, reason: str) -> None:
        """The new configuration will not do: keep the old, or give up."""
        if self._generations.current is None:
            self._failure = reason
            self._end(channel.FAILURE)
        else:
            self._refuse(reason)

    # What the operator asks for.

    def _reload(self) -> None:
        """Begin a reload; one asked for meanwhile follows when it is done."""
        generations = self._generations
        if generations.incoming or generations.outgoing:
            self._asked_again = True
        elif generations.current:
            LOG.info('reloading the configuration')
            systemd.notify_reloading()
            self._backoff.forget()
            try:
                generations.incoming = self._renewed(generations.current)
            except StartError as exc:
                self._refuse(str(exc))

    def _renewed(self, before: WorkerSet) -> WorkerSet:
        conf = self._reread()
        tls_context.context(conf)
        same_address = (listeners.configured_address(conf)
                        == listeners.configured_address(before.conf))
        if same_address or any(one.passed for one in before.listeners):
            return WorkerSet(conf, before.listeners)
        return WorkerSet(conf, listeners.bind(conf))

    def _refuse(self, reason: str) -> None:
        LOG.error('reload refused, everything stays as it was: %s',
                  _one_line(reason))
        dropped = self._generations.drop_incoming()
        if dropped is not None:
            for worker in dropped.workers:
                worker.kill(KILL_MARGIN_SECONDS)
        systemd.notify('READY=1')
        self._next_reload()

    def _next_reload(self) -> None:
        if self._asked_again:
            self._asked_again = False
            self._reload()

    def _terminate(self) -> None:
        """Stop accepting, and let what is in flight be answered."""
        if self._stopping:
            LOG.warning('told to stop a second time: stopping at once')
            self._end(channel.FAILURE)
            return
        LOG.info('stopping: finishing what is in flight')
        systemd.notify('STOPPING=1')
        self._stopping = True
        self._generations.end()
        for worker in self._crew:
            if worker.state is not State.RETIRING:
                worker.retire(KILL_MARGIN_SECONDS)

    def _interrupt(self) -> None:
        LOG.info('interrupted: stopping at once')
        self._end(INTERRUPTED)

    def _end(self, status: int) -> None:
        """Stop now, whatever is in flight: nobody need be told of that."""
        self._status = status
        self._stopping = True
        self._generations.end()
        for worker in self._crew:
            worker.cut = True
            worker.kill(KILL_MARGIN_SECONDS)


def _one_line(reason: str) -> str:
    """A list after its colon, as in ``does this: one; two``."""
    return '; '.join(reason.splitlines()).replace(':; ', ': ')


def _set_up_log(conf: cfg.ConfigOpts) -> None:
    """Log as the new configuration says; its workers do so already."""
    try:
        log_setup.setup(conf)
    except StartError as exc:
        LOG.error('%s', exc)
