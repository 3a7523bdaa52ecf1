# SPDX-License-Identifier: Apache-2.0
"""The database server is restarted repeatedly under load (C02).

It stops in an orderly way, immediately, or because all its processes are
killed. Each time the answer of a commit is lost. The service is not restarted.
"""

from __future__ import annotations

import contextlib
import itertools
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from tests.functional.concurrency.test_linearizable import (
    NOTE,
    RECORDS,
    Client,
)
from tests.functional.faults.cutting import CuttingProxy
from tests.functional.faults.own import DatabaseServer, until
from tests.functional.faults.test_down import is_unavailable
from tests.functional.harness.daemon import Daemon, Reply
from tests.functional.harness.databases import config_url
from tests.functional.harness.directories import config_dir
from tests.functional.harness.linearizability import linearizable

WORKERS, WRITERS, CLIENTS = 2, 4, 3
#: Acknowledged writes between a start of the server and its next stop.
BETWEEN = 40


class Writer:
    """Creates notes, each with a different text."""

    def __init__(self, daemon: Daemon, number: int) -> None:
        self._daemon = daemon
        self._name = f'w{number}'
        self.replies: dict[str, Reply] = {}

    def run(self, over: threading.Event) -> None:
        for turn in itertools.count():
            if over.is_set():
                return
            text = f'{self._name} {turn}'
            self.replies[text] = self._daemon.request(
                'POST', '/v1/notes', {'note': {'text': text}})

    def count(self, status: int) -> int:
        return sum(reply.status == status
                   for reply in list(self.replies.values()))


@pytest.fixture
def url(through: sa.URL) -> sa.URL:
    return through


@pytest.fixture
def daemon(tmp_path, url: sa.URL) -> Iterator[Daemon]:
    with Daemon(config_dir(tmp_path, NOTE, {
            'api': {'workers': WORKERS},
            'database': {'connection': config_url(url)}})) as running:
        until(lambda: running.output.count('Serving the resource types')
              == WORKERS)
        yield running


@contextlib.contextmanager
def working(*parts: Writer | Client) -> Iterator[None]:
    """Run writers and clients during the block; raise their failures."""
    over = threading.Event()
    with ThreadPoolExecutor(len(parts)) as threads:
        work = [threads.submit(part.run, over) for part in parts]
        try:
            yield
        finally:
            over.set()
        for task in work:
            task.result()


def ended(server: DatabaseServer) -> list[Callable[[], None]]:
    """The ways to stop the server; the orderly one comes twice."""
    def by(number: signal.Signals) -> Callable[[], None]:
        return lambda: server.stop(number)
    return [*map(by, server.endings), server.kill, server.stop]


def stored(server: DatabaseServer, url: sa.URL) -> list[tuple[str, int]]:
    """The stored texts of the writers, and the revisions of each."""
    with server.connect(url) as connection:
        return [(text, count) for text, count in connection.execute(sa.text(
            'SELECT text, (SELECT count(*) FROM pileus_revisions '
            "WHERE record_id = id) FROM r_notes WHERE text LIKE 'w%'"))]


def test_no_write_is_lost_or_repeated_while_the_server_is_restarted(
        server: DatabaseServer, behind: sa.URL, proxy: CuttingProxy,
        daemon: Daemon):
    """C02: acknowledged writes are stored once, refused ones are not, and the
    answers about shared records are linearizable. Other answers do not occur,
    and no worker of the service exits."""
    before = daemon.workers()
    writers = [Writer(daemon, number) for number in range(WRITERS)]
    clients = [Client(daemon, number) for number in range(CLIENTS)]

    def count(status: int) -> int:
        return sum(writer.count(status) for writer in writers)

    with working(*writers, *clients):
        for number, end in enumerate(ended(server)):
            created, refused = count(201), count(503)
            until(lambda: count(201) >= created + BETWEEN)  # noqa: B023
            proxy.cut('unanswered', away=True)
            until(lambda: proxy.cuts > number)  # noqa: B023
            end()
            until(lambda: count(503) > refused)  # noqa: B023
            server.start()
            proxy.away = False
        created = count(201)
        until(lambda: count(201) >= created + BETWEEN)
    replies = {text: reply for writer in writers
               for text, reply in writer.replies.items()}
    acknowledged = [text for text, reply in replies.items()
                    if reply.status == 201]
    assert all(is_unavailable(reply) for reply in replies.values()
               if reply.status != 201)
    assert sorted(stored(server, behind)) == sorted(
        (text, 1) for text in acknowledged)
    met: Counter[str] = Counter()
    for record in range(RECORDS):
        history = [operation for client in clients
                   for operation in client.told[record]]
        met += Counter(operation.outcome for operation in history)
        assert linearizable(history), sorted(history)
    assert met['written'] and met['read'] and not met['lost'], met
    assert daemon.workers() == before
    assert 'it is not known whether' not in daemon.output
