# SPDX-License-Identifier: Apache-2.0
"""Records stay linearizable while workers are killed (C02).

Clients read, replace and delete a few records. Each write has the condition
that the record is as the client last saw it. Meanwhile workers are killed
before their commits and between commit and reply, and their connections to
the database are cut.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa

from service.failpoints import ENVIRONMENT
from tests.functional.harness import databases
from tests.functional.harness.daemon import WAIT_SECONDS, Daemon, config_dir
from tests.functional.harness.linearizability import (
    Operation,
    State,
    linearizable,
    lost_write,
)

CLIENTS, RECORDS, WORKERS = 8, 3, 3
#: The number of killed workers, and of answers before each kill.
KILLS, BETWEEN = 4, 80
PLACES = ('before_commit', 'after_commit_before_reply')
DOWN = (OSError, http.client.HTTPException)
NOTE = {'note': '''
name: note
plural: notes
properties: {text: {type: string}}
'''}


# The checker

def op(begun: float, ended: float, outcome: str, value: State = None,
       wanted: State = None) -> Operation:
    return Operation(begun, ended, outcome, value, wanted)


SOUND = {
    'nothing': [],
    'one after the other': [
        op(0, 1, 'written', 'a'), op(2, 3, 'read', 'a'),
        op(4, 5, 'written', 'b', 'a'), op(6, 7, 'written', None, 'b'),
        op(8, 9, 'absent'), op(8, 9, 'read', None)],
    'two at once, one too late': [
        op(0, 1, 'written', 'a'), op(2, 9, 'refused', 'b', 'a'),
        op(3, 8, 'written', 'c', 'a')],
    'a read amid a write, before and after it': [
        op(0, 1, 'written', 'a'), op(2, 9, 'written', 'b', 'a'),
        op(3, 4, 'read', 'a'), op(5, 6, 'read', 'b')],
    'a lost write that happened late': [
        op(0, 1, 'written', 'a'), lost_write(2, 'b', 'a'),
        op(3, 4, 'read', 'a'), op(5, 6, 'read', 'b')],
    'a lost write that never happened': [
        op(0, 1, 'written', 'a'), lost_write(2, 'b', 'a'),
        op(3, 4, 'written', 'c', 'a'), op(5, 6, 'read', 'c')],
    'a lost write that another one built on': [
        lost_write(0, 'a', None), op(2, 3, 'written', 'b', 'a')],
}
BROKEN = {
    'a read of what nobody wrote': [op(0, 1, 'read', 'x')],
    'a stale read': [
        op(0, 1, 'written', 'a'), op(2, 3, 'written', 'b', 'a'),
        op(4, 5, 'read', 'a')],
    'a lost update': [
        op(0, 1, 'written', 'a'), op(2, 8, 'written', 'b', 'a'),
        op(3, 9, 'written', 'c', 'a')],
    'a write that was acknowledged and is gone': [
        op(0, 1, 'written', 'a'), op(2, 3, 'read', None)],
    'a read amid a write, after and before it': [
        op(0, 1, 'written', 'a'), op(2, 9, 'written', 'b', 'a'),
        op(3, 4, 'read', 'b'), op(5, 6, 'read', 'a')],
    'a refusal for no reason': [
        op(0, 1, 'written', 'a'), op(2, 3, 'refused', 'b', 'a')],
    'a lost write that came before it was sent': [
        op(0, 1, 'written', 'a'), op(2, 3, 'read', 'b'),
        lost_write(4, 'b', 'a')],
    'a lost write that happened in spite of its condition': [
        op(0, 1, 'written', 'a'), op(2, 3, 'written', 'c', 'a'),
        lost_write(4, 'b', 'a'), op(5, 6, 'read', 'b')],
    'what was deleted and is back': [
        op(0, 1, 'written', 'a'), op(2, 3, 'written', None, 'a'),
        op(4, 5, 'read', 'a')],
    'a delete that found nothing of something': [
        op(0, 1, 'written', 'a'), op(2, 3, 'absent')],
}


@pytest.mark.parametrize('case', SOUND)
def test_a_possible_history_is_linearizable(case):
    assert linearizable(SOUND[case])


@pytest.mark.parametrize('case', BROKEN)
def test_an_impossible_history_is_not_linearizable(case):
    assert not linearizable(BROKEN[case])


@pytest.mark.parametrize('seed', range(20))
def test_one_wrong_answer_makes_a_long_history_not_linearizable(seed):
    source = random.Random(seed)
    history, state = [], None
    for moment in range(150):
        value = f'v{moment}'
        history.append(op(moment - source.uniform(0, 4),
                          moment + source.uniform(0.1, 4), 'written', value,
                          state))
        state = value
        if source.random() < 0.2:
            history.append(lost_write(moment - 1, f'lost {moment}', 'v0'))
    assert linearizable(history)
    history.append(op(200, 201, 'read', history[70].value))
    assert not linearizable(history)


# The service

class Client:
    """Reads and writes random records, and records the answers."""

    def __init__(self, daemon: Daemon, number: int) -> None:
        self._daemon = daemon
        self._random = random.Random(number)
        self._name = f'c{number}'
        self._sent = 0
        #: The text and ETag last seen, by record.
        self._seen: dict[int, tuple[State, str | None]] = {}
        self.told: dict[int, list[Operation]] = defaultdict(list)

    def run(self, over: Event) -> None:
        while not over.is_set():
            wire = http.client.HTTPConnection(
                self._daemon.host, self._daemon.port, timeout=WAIT_SECONDS)
            with contextlib.suppress(*DOWN), contextlib.closing(wire):
                while not over.is_set():
                    self._step(wire)

    def _step(self, wire: http.client.HTTPConnection) -> None:
        record = self._random.randrange(RECORDS)
        kind = self._random.choices(['GET', 'PUT', 'DELETE'],
                                    [3, 5, 1])[0]
        wanted, etag = self._seen.get(record, (None, None))
        if kind == 'GET' or (kind == 'DELETE' and etag is None):
            self._read(wire, record)
        else:
            self._write(wire, record, kind, wanted, etag)

    def _read(self, wire: http.client.HTTPConnection, record: int) -> None:
        begun = time.monotonic()
        status, etag, document = _ask(wire, 'GET', record)
        if status == 503:
            return
        assert status in (200, 404), document
        text = document['note']['text'] if status == 200 else None
        self._seen[record] = text, etag
        self._tell(record, begun, 'read', text)

    def _write(self, wire: http.client.HTTPConnection, record: int, kind: str,
               wanted: State, etag: str | None) -> None:
        self._sent += 1
        text = f'{self._name} {self._sent}' if kind == 'PUT' else None
        condition = ({'If-Match': etag} if etag
                     else {'If-None-Match': '*'})
        begun = time.monotonic()
        try:
            status, new_etag, _ = _ask(wire, kind, record, text, condition)
        except DOWN:
            self.told[record].append(lost_write(begun, text, wanted))
            raise
        if status == 503:
            return
        answer = _ANSWERS[status]
        self._tell(record, begun, answer, text, wanted)
        if answer == 'written':
            self._seen[record] = text, new_etag
        else:
            self._read(wire, record)

    def _tell(self, record: int, begun: float, outcome: str, value: State,
              wanted: State = None) -> None:
        self.told[record].append(
            Operation(begun, time.monotonic(), outcome, value, wanted))


#: The outcome of a write by its status. A 503 is left out, because it stores
#: nothing.
_ANSWERS = {200: 'written', 201: 'written', 204: 'written', 412: 'refused',
            404: 'absent'}


def _ask(wire: http.client.HTTPConnection, method: str, record: int,
         text: State = None, headers: Any = None
         ) -> tuple[int, str | None, Any]:
    body = None if text is None else json.dumps({'note': {'text': text}})
    wire.request(method, f'/v1/notes/{uuid.UUID(int=record)}', body,
                 {'Content-Type': 'application/json', **(headers or {})}
                 if body else headers or {})
    reply = wire.getresponse()
    read = reply.read()
    return reply.status, reply.headers['ETag'], read and json.loads(read)


def kill(daemon: Daemon, words: Path, clients: Sequence[Client],
         over: Event, cut: Callable[[], object]) -> None:
    """Kill workers repeatedly while a failpoint holds them.

    Between the kills the clients go on. The other workers are held as well,
    so their connections are cut.
    """
    chosen = random.Random(2)
    try:
        for number in range(KILLS):
            while answers(clients) < BETWEEN * (number + 1):
                assert not over.wait(0.02)
            words.write_text(f'{PLACES[number % 2]}=sleep 0.3')
            over.wait(0.15)
            os.kill(chosen.choice(daemon.workers()), signal.SIGKILL)
            words.unlink()
            cut()
            while len(daemon.workers()) < 2:
                assert not over.wait(0.02)
    finally:
        over.set()


def answers(clients: Sequence[Client]) -> int:
    return sum(len(operations) for client in clients
               for operations in client.told.values())


@contextlib.contextmanager
def served(tmp_path: Path, kind: str
           ) -> Iterator[tuple[Daemon, Path, Callable[[], object]]]:
    """A daemon with three workers, its failpoint file, and a function that
    cuts its connections to the database."""
    url = (sa.make_url(f'sqlite:///{tmp_path}/one.sqlite')
           if kind == 'sqlite' else databases.create(kind))
    directory = config_dir(tmp_path, NOTE, {
        'api': {'workers': WORKERS},
        'database': {'connection': databases.config_url(url)}})
    words = tmp_path / 'failpoints'
    with Daemon(directory, env={ENVIRONMENT: f'@{words}'}) as daemon:
        yield daemon, words, lambda: databases.disconnect(url)


@pytest.mark.parametrize('kind', ['sqlite', *databases.SERVERS])
def test_records_are_linearizable_while_workers_are_killed(tmp_path, kind):
    """C02: the answers have an order. An acknowledged write is stored, a
    refused write is not, a write without an answer happened at most once."""
    over = Event()
    with (served(tmp_path, kind) as (daemon, words, cut),
          ThreadPoolExecutor(CLIENTS + 1) as threads):
        clients = [Client(daemon, number) for number in range(CLIENTS)]
        running = [threads.submit(client.run, over) for client in clients]
        threads.submit(kill, daemon, words, clients, over, cut).result()
        for future in running:
            future.result()
    met = Counter()
    for record in range(RECORDS):
        history = [operation for client in clients
                   for operation in client.told[record]]
        met += Counter(operation.outcome for operation in history)
        assert linearizable(history), sorted(history)
    assert {'read', 'written', 'refused', 'lost'} <= set(met), met
