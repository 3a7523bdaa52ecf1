# SPDX-License-Identifier: Apache-2.0
"""One write, until it is known what became of it.

A connection that breaks before the commit leaves nothing behind, and the work
is run again. One that breaks at the commit leaves a question, for the server
may have kept all of it before the answer was lost. So as soon as a server is
there again it is asked: what was kept is answered as if nothing had happened,
what was not is run again. Only while there is nobody to ask does it fail.
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

#: Whether the transaction that gave this answer was committed.
CommitCheck = Callable[[Connection, T], bool]


class RetriedWrite(Generic[T]):
    """The attempts at one write, for ``retry_seconds`` seconds.

    They begin anew, once, where a commit was not answered: what was slow
    until then shall not keep us from asking. Without ``kept`` nobody can be
    asked, and the write fails. ``turn`` is held all the time: on SQLite each
    attempt stops the thread for a moment while another process writes, and
    thirty that made theirs in turn would stop it for good.
    """

    def __init__(self, work: Work[T], kept: CommitCheck[T] | None,
                 turn: AbstractContextManager[Any],
                 retry_seconds: float) -> None:
        self._work = work
        self._kept = kept
        self._turn = turn
        self._retry_seconds = retry_seconds
        self._ends = time.monotonic() + retry_seconds
        #: What the work answered whose commit was not.
        self._open: list[T] = []
        self._asked = self._broken = False

    def made(self, writer: Engine) -> T:
        """The answer of the work, once it is stored."""
        # Who has SQLite's turn asks for all that wait behind.
        longest = 0.05 if writer.dialect.name == 'sqlite' else 0.4
        with self._turn:
            return db_api.wrap_db_retry(
                max_retries=1000, retry_interval=0.005,
                inc_retry_interval=True, max_retry_interval=longest,
                jitter=True,
                exception_checker=self._again)(self._attempt)(writer)

    def _attempt(self, writer: Engine) -> T:
        if self._open:
            assert self._kept
            with writer.begin() as connection:
                kept = self._kept(connection, self._open[0])
            answer = self._open.pop()
            if kept:
                return answer
        return self._run(writer)

    def _run(self, writer: Engine) -> T:
        answers: list[T] = []
        try:
            with writer.begin() as connection:
                done = self._work(connection)
                failpoints.reach('before_commit')
                answers.append(done)
            return done
        except failures.FAILURES as exc:
            if answers and failures.commit_unknown(exc):
                self._opened(answers)
            raise

    def _opened(self, answers: list[T]) -> None:
        self._open = answers
        if not self._asked:
            self._asked = True
            self._ends = time.monotonic() + self._retry_seconds

    def _again(self, exc: BaseException) -> bool:
        if self._open:
            return self._ask(exc)
        if time.monotonic() >= self._ends:
            return False
        if failures.is_race(exc):
            return True
        # Once: a statement that breaks each connection would break them all.
        first, self._broken = not self._broken, True
        return first and failures.connection_lost(exc)

    def _ask(self, exc: BaseException) -> bool:
        asked = (self._kept is not None and time.monotonic() < self._ends
                 and isinstance(exc, failures.FAILURES))
        if not asked:
            LOG.error('A commit was not answered, and nobody can be asked: '
                      'it is not known whether the write was stored')
        return asked
