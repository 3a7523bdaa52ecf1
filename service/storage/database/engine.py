# SPDX-License-Identifier: Apache-2.0
"""Connect to the database; run each read or write in one transaction.

``sqlite`` and ``servers`` set up the connections to each kind of database,
``failures`` interprets their errors, ``write_retries`` repeats writes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import sqlalchemy as sa
from oslo_config import cfg
from oslo_db import exception as db_exception
from sqlalchemy import exc as sa_exc
from sqlalchemy.engine import Connection, Engine

from service import failpoints
from service.domain import errors
from service.errors import StartError
from service.storage.database import failures, servers, sqlite
from service.storage.database.write_retries import (
    CommitCheck,
    RetriedWrite,
    Work,
)

LOG = logging.getLogger(__name__)
T = TypeVar('T')

#: For how long a write is retried after lost races, and for how long the
#: outcome of an unanswered commit is looked up.
_RETRY_SECONDS = 10.0


def connect(conf: cfg.ConfigOpts, *, time_limits: bool = True,
            read_only: bool = False) -> Engine:
    """Return an engine for ``[database] connection``, without connecting.

    Without ``time_limits`` no statement is cancelled for taking too long, as
    a change of a large table may. With ``read_only`` a SQLite file is neither
    created nor written.
    """
    url = conf.database.connection or sqlite.default_url(
        conf, create=not read_only)
    try:
        parsed = sa.make_url(url)
        engine = ((sqlite.read_only_engine if read_only
                   else sqlite.engine)(parsed, conf)
                  if parsed.get_backend_name() == 'sqlite'
                  else servers.engine(parsed, conf, time_limits=time_limits))
    except sa_exc.ArgumentError as exc:
        raise StartError(
            '[database] connection is not a database URL such as '
            'sqlite:////var/lib/pileus/pileus.sqlite') from exc
    # SECURITY: otherwise an error in the log shows what a client sent.
    engine.hide_parameters = True
    return engine


def writer(engine: Engine) -> Engine:
    """Return the same engine with transactions that may write."""
    return engine.execution_options(**{sqlite.WRITES: True})


class Transactions:
    """Runs work on connections: reads concurrently, writes with retries.

    On SQLite a process runs one write at a time. SQLite waits for a lock by
    blocking the thread, so a green thread that waited for another one's
    transaction would stop the whole worker, the other one included.
    """

    def __init__(self, engine: Engine,
                 retry_seconds: float = _RETRY_SECONDS) -> None:
        self._engine = engine
        self._writer = writer(engine)
        self._retry_seconds = retry_seconds
        self._write_lock: AbstractContextManager[Any] = (
            threading.Lock() if engine.dialect.name == 'sqlite'
            else nullcontext())

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work``; repeat it once if the connection breaks, as it does
        when the server is restarted."""
        with failures.translate_errors():
            try:
                return self._read_once(work)
            except db_exception.DBConnectionError:
                return self._read_once(work)

    def _read_once(self, work: Callable[[Connection], T]) -> T:
        with (self._engine.connect() as connection,
              servers.autocommit(connection)):
            return work(connection)

    def write(self, work: Work[T],
              was_committed: CommitCheck[T] | None = None) -> T:
        """Run ``work`` in one transaction; repeat the whole transaction after
        a lost race.

        ``work`` may run more than once, so it may change only the database.
        If the connection breaks during the commit, ``was_committed`` finds
        out on another connection whether the transaction with this answer
        was committed. Without it the outcome stays unknown and the write
        fails without a retry.
        """
        with failures.translate_errors():
            answer = RetriedWrite(
                work, was_committed, self._write_lock,
                self._retry_seconds).run(self._writer)
        failpoints.reach('after_commit_before_reply')
        return answer


#: Exceptions of the database that prevent a start.
FAILURES = failures.FAILURES


def wait_for_database(engine: Engine, conf: cfg.ConfigOpts) -> None:
    """Return when the database answers; raise StartError if it does not.

    ``[database] max_retries`` limits the retries; -1 removes the limit.
    """
    retries, max_retries = 0, conf.database.max_retries
    while True:
        try:
            with engine.connect():
                return
        except FAILURES as exc:
            if 0 <= max_retries <= retries:
                raise unusable_error(engine, exc) from exc
            retries += 1
            LOG.warning('%s; trying again in %d seconds',
                        unusable_error(engine, exc),
                        conf.database.retry_interval)
        time.sleep(conf.database.retry_interval)


def unusable_error(engine: Engine, exc: BaseException) -> StartError:
    """Return a StartError that names the connection and the driver's reason.
    """
    url = engine.url.render_as_string(hide_password=True)
    cause = exc.__cause__ if isinstance(exc, errors.Unavailable) else exc
    reason = ' '.join(str(getattr(cause, 'orig', None) or cause).split())
    return StartError(f'[database] connection: {url} cannot be used: '
                      f'{reason}')
