# SPDX-License-Identifier: Apache-2.0
"""One write, repeated until its outcome is known.

If the connection breaks before the commit, nothing was stored and the work is
run again. If it breaks during the commit, the server may have stored
everything before its answer was lost. The next connection that succeeds is
therefore used to find out: a write that was committed returns its answer as
usual, one that was not is run again. The write fails only while the server
cannot be reached.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Generic, TypeVar

from oslo_db import api as db_api
from sqlalchemy.engine import Connection, Engine

from service import failpoints
from service.storage.database import failures

LOG = logging.getLogger(__name__)
T = TypeVar('T')

Work = Callable[[Connection], T]

#: Whether the transaction that returned this answer was committed.
CommitCheck = Callable[[Connection, T], bool]


class RetriedWrite(Generic[T]):
    """The attempts at one write, for at most ``retry_seconds``.

    The time starts again, once, when a commit is left unanswered: a write
    that was slow until then must still find out its outcome. Without
    ``was_committed`` the outcome cannot be found out and the write fails.

    ``write_lock`` is held during all attempts. On SQLite each attempt blocks
    the thread for a moment while another process writes; thirty requests
    that made their attempts alternately would block it permanently.
    """

    def __init__(self, work: Work[T], was_committed: CommitCheck[T] | None,
                 write_lock: AbstractContextManager[Any],
                 retry_seconds: float) -> None:
        self._work = work
        self._was_committed = was_committed
        self._write_lock = write_lock
        self._retry_seconds = retry_seconds
        self._deadline = time.monotonic() + retry_seconds
        #: The answer of a transaction whose commit is unanswered.
        self._unconfirmed: list[T] = []
        self._extended = self._reconnected = False

    def run(self, writer: Engine) -> T:
        """Return the answer of the work once it is stored."""
        # The holder of SQLite's lock polls often, as all other requests wait
        # behind it.
        max_interval = 0.05 if writer.dialect.name == 'sqlite' else 0.4
        with self._write_lock:
            return db_api.wrap_db_retry(
                max_retries=1000, retry_interval=0.005,
                inc_retry_interval=True, max_retry_interval=max_interval,
                jitter=True,
                exception_checker=self._retry)(self._attempt)(writer)

    def _attempt(self, writer: Engine) -> T:
        if self._unconfirmed:
            assert self._was_committed
            with writer.begin() as connection:
                committed = self._was_committed(connection,
                                                self._unconfirmed[0])
            answer = self._unconfirmed.pop()
            if committed:
                return answer
        return self._run(writer)

    def _run(self, writer: Engine) -> T:
        answers: list[T] = []
        try:
            with writer.begin() as connection:
                answer = self._work(connection)
                failpoints.reach('before_commit')
                answers.append(answer)
            return answer
        except failures.FAILURES as exc:
            if answers and failures.commit_unknown(exc):
                self._inquire(answers)
            raise

    def _inquire(self, answers: list[T]) -> None:
        self._unconfirmed = answers
        if not self._extended:
            self._extended = True
            self._deadline = time.monotonic() + self._retry_seconds

    def _retry(self, exc: BaseException) -> bool:
        if self._unconfirmed:
            return self._can_inquire(exc)
        if time.monotonic() >= self._deadline:
            return False
        if failures.is_race(exc):
            return True
        # Once only: a statement that breaks its connection breaks each one.
        first, self._reconnected = not self._reconnected, True
        return first and failures.connection_lost(exc)

    def _can_inquire(self, exc: BaseException) -> bool:
        possible = (self._was_committed is not None
                    and time.monotonic() < self._deadline
                    and isinstance(exc, failures.FAILURES))
        if not possible:
            LOG.error('A commit was not answered and the database cannot be '
                      'asked: it is not known whether the write was stored')
        return possible
