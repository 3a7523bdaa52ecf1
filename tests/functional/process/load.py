# SPDX-License-Identifier: Apache-2.0
"""Clients that send requests continuously and count the answers."""

from __future__ import annotations

import http.client
import itertools
import threading
from collections import Counter
from types import TracebackType

from tests.functional.harness.daemon import WAIT_SECONDS, Server


class Load:
    """A context manager: ``clients`` threads send requests meanwhile.

    Each connection is used for up to twenty requests. ``answers`` counts the
    bodies of 200 replies, and ``failures`` lists everything else. After a
    failure or ``Connection: close`` a client connects again; only the former
    counts as a failure.
    """

    def __init__(self, server: Server, clients: int = 2, path: str = '/',
                 ) -> None:
        self._address = (server.host, server.port)
        self._path = path
        self._over = threading.Event()
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._ask)
                         for _ in range(clients)]
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []

    @property
    def total(self) -> int:
        return self.answers.total()

    def wait_for(self, count: int) -> None:
        """Return when ``count`` more requests have been answered."""
        until = self.total + count
        with self._changed:
            assert self._changed.wait_for(
                lambda: self.total >= until,
                WAIT_SECONDS), 'no more answers'

    def wait_for_answers(self, count: int) -> None:
        """Return when ``count`` different answers have arrived."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.answers) >= count,
                                          WAIT_SECONDS), self.answers

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        self.wait_for(len(self._threads))
        return self

    def __exit__(self, kind: type[BaseException] | None,
                 exc: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def _ask(self) -> None:
        """Send requests until ``stop``, up to twenty on a connection."""
        connection = http.client.HTTPConnection(*self._address,
                                                timeout=WAIT_SECONDS)
        for number in itertools.count(1):
            if self._over.is_set():
                break
            if number % 20 == 0:
                connection.close()
            try:
                connection.request('GET', self._path)
                answer = connection.getresponse()
                self._note(answer.status, answer.read())
            except (OSError, http.client.HTTPException) as exc:
                self._fail(f'{type(exc).__name__}: {exc}')
                connection.close()
                if isinstance(exc, ConnectionRefusedError):
                    return
        connection.close()

    def _note(self, status: int, body: bytes) -> None:
        if status != 200:
            self._fail(f'{status} {body[:200]!r}')
            return
        with self._changed:
            self.answers[body.decode()] += 1
            self._changed.notify_all()

    def _fail(self, failure: str) -> None:
        with self._changed:
            self.failures.append(failure)
