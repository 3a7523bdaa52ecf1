# SPDX-License-Identifier: Apache-2.0
"""Sixty-four clients make and delete at once, and workers are killed.

Reliability C06. A project never has more than it may, not for a moment; what
it is said to have is what it has, whenever all is quiet; and what a client
was told was made or deleted is.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import threading
from collections.abc import Collection, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.functional import databases
from tests.functional.harness import (
    PATIENCE,
    ROOT,
    SHIPPED,
    Daemon,
    config_dir,
)

CLIENTS, LIMIT, WORKERS = 64, 20, 4
ANSWERS, SECONDS, KILLS = 600, 15.0, (100, 250, 400)

DESK = f'''
name: desk
plural: desks
quota: {LIMIT}
properties:
  place: {{type: string}}
'''
#: Goes with the desk it stands on.
LAMP = '''
name: lamp
plural: lamps
properties:
  desk_id: {references: desk, on_delete: cascade}
'''
DOWN = (OSError, http.client.HTTPException)


class Race:
    """So many answers long, or so many seconds. ``kills`` says at which of
    the answers a worker is gone from one moment to the next."""

    def __init__(self, daemon: Daemon, kills: Collection[int]) -> None:
        self.daemon = daemon
        self._kills = kills
        self._random = random.Random(len(kills))
        self._answers = count(1)
        self._over = threading.Event()
        self._end = threading.Timer(SECONDS, self._over.set)
        self._end.start()

    @property
    def over(self) -> bool:
        return self._over.is_set()

    def answered(self) -> None:
        number = next(self._answers)
        if number in self._kills:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._random.choice(self.daemon.workers()),
                        signal.SIGKILL)
        if number >= ANSWERS:
            self._end.cancel()
            self._over.set()


class Client:
    """Makes and deletes desks for as long as the race goes.

    ``there`` are ids that it was told of, ``gone`` those it was told are
    deleted; of the rest of its requests nobody knows what became.
    """

    def __init__(self, race: Race, number: int) -> None:
        self._race = race
        self._random = random.Random(number)
        self.there: set[str] = set()
        self.gone: set[str] = set()
        self.statuses: set[int] = set()

    def run(self) -> None:
        daemon = self._race.daemon
        while not self._race.over:
            wire = http.client.HTTPConnection(daemon.host, daemon.port,
                                              timeout=PATIENCE)
            with contextlib.suppress(*DOWN), contextlib.closing(wire):
                while not self._race.over:
                    self._step(wire)

    def _step(self, wire: http.client.HTTPConnection) -> None:
        if self.there and self._random.random() < 0.5:
            id = self.there.pop()
            if self._ask(wire, 'DELETE', f'/v1/desks/{id}')[0] == 204:
                self.gone.add(id)
            return
        status, told = self._ask(wire, 'POST', '/v1/desks', {'desk': {}})
        if status != 201:
            return
        id = told['desk']['id']
        self.there.add(id)
        self._ask(wire, 'POST', '/v1/lamps', {'lamp': {'desk_id': id}})

    def _ask(self, wire: http.client.HTTPConnection, method: str, path: str,
             body: object = None) -> tuple[int, Any]:
        wire.request(method, path, body and json.dumps(body),
                     {'Content-Type': 'application/json'} if body else {})
        reply = wire.getresponse()
        read = reply.read()
        self.statuses.add(reply.status)
        self._race.answered()
        return reply.status, json.loads(read) if read else None


class Watch:
    """The tables, seen over a connection of the test's own."""

    def __init__(self, url: sa.URL) -> None:
        self._engine = sa.create_engine(url, isolation_level='AUTOCOMMIT')

    def close(self) -> None:
        self._engine.dispose()

    def count(self, table: str) -> int:
        return self._one(f'SELECT COUNT(*) FROM {table}')

    def used(self, type: str) -> int:
        return self._one('SELECT used FROM pileus_usage WHERE '
                         f"project_id = 'demo' AND type = '{type}'")

    def ids(self) -> set[str]:
        with self._engine.connect() as connection:
            return {str(one) for one in connection.scalars(
                sa.text('SELECT id FROM r_desks'))}

    def most(self, race: Race) -> int:
        """The most desks there were at any time of a race."""
        most = 0
        while not race.over:
            most = max(most, self.count('r_desks'))
        return most

    def _one(self, statement: str) -> int:
        with self._engine.connect() as connection:
            return connection.scalar(sa.text(statement))


def hold_to(daemon: Daemon, watch: Watch, kills: Collection[int]) -> None:
    """Race, and raise AssertionError where a promise was not kept."""
    race = Race(daemon, kills)
    clients = [Client(race, number) for number in range(CLIENTS)]
    threads = [threading.Thread(target=one.run) for one in clients]
    for one in threads:
        one.start()
    most = watch.most(race)
    for one in threads:
        one.join()
    quiet(daemon)
    assert most <= LIMIT
    assert watch.used('desk') == watch.count('r_desks') <= LIMIT
    assert watch.used('lamp') == watch.count('r_lamps')
    there = watch.ids()
    assert set().union(*(one.there for one in clients)) <= there
    assert there.isdisjoint(set().union(*(one.gone for one in clients)))
    statuses = set().union(*(one.statuses for one in clients))
    assert {201, 403} <= statuses <= {201, 204, 400, 403, 404, 503}


def quiet(daemon: Daemon) -> None:
    """Stopped, so that nothing is under way, and started again."""
    daemon.stop()
    daemon.start()


def fill(daemon: Daemon) -> int:
    """Make desks until there is no more room; how many there are."""
    while daemon.request('POST', '/v1/desks', {'desk': {}}).status == 201:
        pass
    return daemon.request('GET', '/v1/quotas/demo').json['quota']['desks'][
        'used']


@contextlib.contextmanager
def racing(tmp_path: Path, kind: str, paste: str | None = None
           ) -> Iterator[tuple[Daemon, Watch]]:
    """A daemon with four workers on a database of one kind."""
    url = (sa.make_url(f'sqlite:///{tmp_path}/state/pileus.sqlite')
           if kind == 'sqlite' else databases.created(kind))
    conf = {'api': {'workers': WORKERS, 'queue_timeout': 3},
            'database': {'connection': databases.written(url)}}
    (tmp_path / 'state').mkdir()
    directory = config_dir(tmp_path, {'desk': DESK, 'lamp': LAMP}, conf,
                           paste)
    watch = Watch(url)
    with contextlib.closing(watch), \
            Daemon(directory, env={'PYTHONPATH': str(ROOT)}) as running:
        # Both are counted before the race, or there is nothing to look at.
        made = running.request('POST', '/v1/desks', {'desk': {}}).json
        running.request('POST', '/v1/lamps', {
            'lamp': {'desk_id': made['desk']['id']}})
        yield running, watch


@pytest.mark.parametrize('kind', ['sqlite', 'postgresql', 'mysql'])
def test_a_quota_holds_whatever_happens(tmp_path, kind):
    """C06: exact under a race, and when workers die in the middle of it."""
    with racing(tmp_path, kind) as (daemon, watch):
        hold_to(daemon, watch, KILLS)
        assert fill(daemon) == LIMIT == watch.count('r_desks')


def test_a_look_before_the_deed_would_not_hold(tmp_path):
    """C06: or the test above would say nothing."""
    paste = (SHIPPED / 'api-paste.ini').read_text().replace(
        '= api.app:factory', '= tests.functional.countfirst:factory')
    assert 'countfirst' in paste
    with racing(tmp_path, 'postgresql', paste) as (daemon, watch), \
            pytest.raises(AssertionError, match=f'<= {LIMIT}'):
        hold_to(daemon, watch, [])
