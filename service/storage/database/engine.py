# SPDX-License-Identifier: Apache-2.0
"""Connect, and one transaction a call.

``sqlite`` and ``servers`` say how a connection to each database is set up,
``lost`` what its failures mean.
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

#: How long a write is tried anew when others were faster, and how long it is
#: asked what became of it, in seconds.
_RETRY_SECONDS = 10.0


def connect(conf: cfg.ConfigOpts, *, time_limits: bool = True,
            read_only: bool = False) -> Engine:
    """An engine for ``[database] connection``; nothing connects yet.

    Without ``time_limits`` no statement is cancelled for taking too long, as
    a change of a large table may. With ``read_only`` a SQLite file is neither
    created nor written.
    """
    url = conf.database.connection or sqlite.default_url(
        conf, make=not read_only)
    try:
        parsed = sa.make_url(url)
        made = ((sqlite.read_only_engine if read_only
                 else sqlite.engine)(parsed, conf)
                if parsed.get_backend_name() == 'sqlite'
                else servers.engine(parsed, conf, time_limits=time_limits))
    except sa_exc.ArgumentError as exc:
        raise StartError(
            '[database] connection is not a database URL such as '
            'sqlite:////var/lib/pileus/pileus.sqlite') from exc
    # SECURITY: an error in the log would else show what a client sent.
    made.hide_parameters = True
    return made


def writer(engine: Engine) -> Engine:
    """The same engine, whose transactions write."""
    return engine.execution_options(**{sqlite.WRITES: True})


class Transactions:
    """Runs work on a connection: reads side by side, writes retried.

    On SQLite a process writes one at a time: a green thread that waited for
    another's transaction inside SQLite would stop the whole worker, the other
    one included.
    """

    def __init__(self, engine: Engine,
                 retry_seconds: float = _RETRY_SECONDS) -> None:
        self._engine = engine
        self._writer = writer(engine)
        self._retry_seconds = retry_seconds
        self._turn: AbstractContextManager[Any] = (
            threading.Lock() if engine.dialect.name == 'sqlite'
            else nullcontext())

    def read(self, work: Callable[[Connection], T]) -> T:
        """Run ``work``, and once more if the connection broke under it, as
        when the server was restarted."""
        with failures.translate_errors():
            try:
                return self._read_once(work)
            except db_exception.DBConnectionError:
                return self._read_once(work)

    def _read_once(self, work: Callable[[Connection], T]) -> T:
        with (self._engine.connect() as connection,
              servers.autocommit(connection)):
            return work(connection)

    def write(self, work: Work[T], kept: CommitCheck[T] | None = None) -> T:
        """Run ``work`` in one transaction; again, whole, if it was raced.

        ``work`` must bear being run twice: it may change only the database.
        Where the connection breaks at the commit, ``kept`` tells on another
        one whether the transaction of such an answer was committed. Without
        it nobody knows, and the write is not run again.
        """
        with failures.translate_errors():
            done = RetriedWrite(work, kept, self._turn,
                            self._retry_seconds).made(self._writer)
        failpoints.reach('after_commit_before_reply')
        return done


#: What a database raises that a start cannot go on with.
FAILURES = failures.FAILURES


def wait_for_database(engine: Engine, conf: cfg.ConfigOpts) -> None:
    """Return when the database answers; StartError if it will not.

    ``[database] max_retries`` says how often it is asked again.
    """
    tries, left = 0, conf.database.max_retries
    while True:
        try:
            with engine.connect():
                return
        except FAILURES as exc:
            if 0 <= left <= tries:
                raise unusable_error(engine, exc) from exc
            tries += 1
            LOG.warning('%s; trying again in %d seconds',
                        unusable_error(engine, exc),
                        conf.database.retry_interval)
        time.sleep(conf.database.retry_interval)


def unusable_error(engine: Engine, exc: BaseException) -> StartError:
    """Why the service cannot start on this database, as its driver has it."""
    where = engine.url.render_as_string(hide_password=True)
    said = exc.__cause__ if isinstance(exc, errors.Unavailable) else exc
    reason = ' '.join(str(getattr(said, 'orig', None) or said).split())
    return StartError(f'[database] connection: {where} cannot be used: '
                      f'{reason}')
