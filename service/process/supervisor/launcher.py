# SPDX-License-Identifier: Apache-2.0
"""The parent process: binds, forks workers, watches, reloads and stops.

The launcher serves no requests and never imports eventlet or the
application, so no request and no type file can end it.

A reload starts a second set of workers beside the first. Once all of them
have loaded the new configuration, they serve and the old workers finish. If
one of them fails, the new set ends and the old one serves on.
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

#: How many workers in a row may die before any has served; then the start
#: fails.
MAX_START_FAILURES = 5

#: The exit status after SIGINT, by the convention of shells.
INTERRUPTED = 128 + signal.SIGINT


class Launcher:
    """The service from the start of its first worker to the end of its last.

    ``load_conf`` loads the configuration again, or raises StartError.
    ``on_ready`` is called once, when the service first accepts requests.
    """

    def __init__(self, conf: cfg.ConfigOpts,
                 load_conf: Callable[[], cfg.ConfigOpts],
                 on_ready: Callable[[], None] = lambda: None) -> None:
        tls_context.context(conf)
        self._load_conf = load_conf
        self._on_ready = on_ready
        self._sets = ReloadState(WorkerSet(conf, listeners.bind(conf)))
        self._pool = WorkerPool(self)
        self._backoff = Backoff()
        self._reload_pending = False
        self._stopping = False
        self._status = channel.DONE
        self._failure: str | None = None

    def run(self) -> int:
        """Serve until a signal ends the service; return the exit status.

        0: all requests were answered. 1: some were cut, at their time limit
        or by a second SIGTERM. Raises StartError if it never served.
        """
        with Signals({signal.SIGTERM: self._terminate,
                      signal.SIGINT: self._interrupt,
                      signal.SIGHUP: self._reload,
                      signal.SIGCHLD: self._pool.reap}) as signals:
            self._pool.watch(signals.wakeup, signals.dispatch)
            watchdog = systemd.watchdog_seconds()
            while not self._stopping or len(self._pool):
                if watchdog < math.inf:
                    systemd.notify_alive()
                now = time.monotonic()
                self._pool.end_overdue(now)
                self._start_workers(now)
                self._pool.wait(min(now + watchdog, self._next_start()))
        if self._failure is not None:
            raise StartError(self._failure)
        return self._status

    # The start of workers.

    def _next_start(self) -> float:
        """Return when the next worker is to be started."""
        if any(worker_set.missing() > 0 for worker_set in self._sets):
            return self._backoff.until
        return math.inf

    def _start_workers(self, now: float) -> None:
        if now < self._backoff.until:
            return
        for worker_set in self._sets:
            foreign = [listener.sock
                       for listener in self._sets.foreign(worker_set)]
            for _ in range(worker_set.missing()):
                try:
                    self._pool.spawn(worker_set, foreign)
                except OSError as exc:
                    LOG.error('cannot start a worker: %s', exc.strerror)
                    self._backoff.record_death(now, 0)
                    return

    def loaded(self, worker: Worker) -> None:
        """Let the worker serve; on a reload, once all of its set can."""
        worker_set, current = worker.worker_set, self._sets.current
        if worker_set not in self._sets:
            return
        if current is None or worker_set is current:
            worker.send(channel.GO)
        elif worker_set.all_in(State.LOADED):
            for member in worker_set.workers:
                member.send(channel.GO)

    def serves(self, worker: Worker) -> None:
        """Promote the incoming set: at the start when its first worker
        serves, on a reload when all of them do."""
        worker_set = worker.worker_set
        if worker_set is self._sets.incoming and (
                self._sets.current is None
                or worker_set.all_in(State.SERVING)):
            self._promote(worker_set)

    def _promote(self, worker_set: WorkerSet) -> None:
        """Make this set the current one, and retire the one before."""
        worker_set.proven = True
        self._backoff.reset()
        before = self._sets.promote()
        if before is None:
            self._report_ready(worker_set, 'started')
            self._on_ready()
            return
        for worker in before.workers:
            worker.retire(KILL_MARGIN_SECONDS)
        _set_up_log(worker_set.conf)
        self._check_reloaded()

    def stopped_accepting(self, worker: Worker) -> None:
        """Check whether this was the last old worker that accepted."""
        self._check_reloaded()

    def _check_reloaded(self) -> None:
        """End the reload once no old worker accepts connections."""
        current, outgoing = self._sets.current, self._sets.outgoing
        if current and outgoing and all(
                worker.accepts_no_more for worker in outgoing.workers):
            self._sets.outgoing = None
            self._report_ready(current, 'reloaded')

    def _report_ready(self, worker_set: WorkerSet, event: str) -> None:
        LOG.info('%s: serving on %s with workers = %d', event,
                 ', '.join(listener.name
                           for listener in worker_set.listeners),
                 worker_set.conf.api.workers)
        systemd.notify('READY=1')
        self._start_pending_reload()

    # The end of workers.

    def failed(self, worker: Worker, reason: str) -> None:
        """Handle a worker that reports why it cannot start."""
        if worker.worker_set is self._sets.current:
            LOG.error('worker %d cannot start: %s', worker.pid,
                      _one_line(reason))
        elif worker.worker_set is self._sets.incoming:
            self._fail(reason)

    def ended(self, worker: Worker, status: int) -> None:
        """Replace a worker that ended, unless its set was given up."""
        text = f'worker {worker.pid} {describe_exit(status)}'
        if worker.worker_set in self._sets:
            self._replace(worker, text)
        elif worker.has_served and not worker.stopped_at_once \
                and status != channel.DONE:
            LOG.warning('%s before all requests were answered', text)
            if self._stopping:
                self._status = self._status or channel.FAILURE
        self._check_reloaded()

    def _replace(self, worker: Worker, text: str) -> None:
        now = time.monotonic()
        delay = self._backoff.record_death(now, now - worker.started_at)
        LOG.error('%s; another worker starts in %.1f seconds', text, delay)
        reloading = self._sets.current is not None
        if worker.worker_set is self._sets.incoming and (
                reloading or self._backoff.failures >= MAX_START_FAILURES):
            self._fail(f'{text} while it was starting')

    def _fail(self, reason: str) -> None:
        """Refuse the new configuration; at the start, end the service."""
        if self._sets.current is None:
            self._failure = reason
            self._end(channel.FAILURE)
        else:
            self._refuse_reload(reason)

    # The operator's signals.

    def _reload(self) -> None:
        """Begin a reload; during a reload, remember to begin another."""
        sets = self._sets
        if sets.incoming or sets.outgoing:
            self._reload_pending = True
        elif sets.current:
            LOG.info('reloading the configuration')
            systemd.notify_reloading()
            self._backoff.reset()
            reason = None
            try:
                sets.incoming = self._new_set(sets.current)
            except StartError as exc:
                reason = str(exc)
            # Not in the except clause, where oslo.log adds the exception to
            # the log line, which then has the reason twice.
            if reason is not None:
                self._refuse_reload(reason)

    def _new_set(self, before: WorkerSet) -> WorkerSet:
        conf = self._load_conf()
        tls_context.context(conf)
        same_address = (listeners.configured_address(conf)
                        == listeners.configured_address(before.conf))
        if same_address or any(listener.from_systemd
                               for listener in before.listeners):
            return WorkerSet(conf, before.listeners)
        return WorkerSet(conf, listeners.bind(conf))

    def _refuse_reload(self, reason: str) -> None:
        LOG.error('reload refused, the previous configuration stays in '
                  'force: %s', _one_line(reason))
        dropped = self._sets.drop_incoming()
        if dropped is not None:
            for worker in dropped.workers:
                worker.kill(KILL_MARGIN_SECONDS)
        systemd.notify('READY=1')
        self._start_pending_reload()

    def _start_pending_reload(self) -> None:
        if self._reload_pending:
            self._reload_pending = False
            self._reload()

    def _terminate(self) -> None:
        """Stop accepting, and finish the requests in flight."""
        if self._stopping:
            LOG.warning('second SIGTERM: stopping at once')
            self._end(channel.FAILURE)
            return
        LOG.info('stopping: finishing the requests in flight')
        systemd.notify('STOPPING=1')
        self._stopping = True
        self._sets.end()
        for worker in self._pool:
            if worker.state is not State.RETIRING:
                worker.retire(KILL_MARGIN_SECONDS)

    def _interrupt(self) -> None:
        LOG.info('interrupted: stopping at once')
        self._end(INTERRUPTED)

    def _end(self, status: int) -> None:
        """Kill all workers, and log no warning for the requests cut."""
        self._status = status
        self._stopping = True
        self._sets.end()
        for worker in self._pool:
            worker.stopped_at_once = True
            worker.kill(KILL_MARGIN_SECONDS)


def _one_line(reason: str) -> str:
    """Join lines; a list follows its colon: ``invalid types: one; two``."""
    return '; '.join(reason.splitlines()).replace(':; ', ': ')


def _set_up_log(conf: cfg.ConfigOpts) -> None:
    """Apply the new log options to the launcher too."""
    try:
        log_setup.setup(conf)
    except StartError as exc:
        LOG.error('%s', exc)
