# SPDX-License-Identifier: Apache-2.0
"""A late page against the first one, among a million hosts of one project.

    python -m bench.scale --database sqlite:////tmp/scale.sqlite
    python -m bench.scale --database postgresql+psycopg2://... --hosts 200000

Makes as many hosts as are missing, a thousand a transaction, by what the API
itself makes them with: stopped, it goes on where it was. Then lists them in
every order that the type offers, and reads the first page and one far on, in
turns. The database stays as it is; drop it when done. The exit status is 1 if
a late page takes more than one and a half times what the first does.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import random
import sqlite3
import statistics
import sys
import time
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
import webob

from bench import deployed

TARGET = 1.5
LIMIT = 100
BULK = 1000
PROJECT = 'scale'
STATUSES = ('provisioning', 'active', 'retired')

Sort = tuple[str, ...]


class Measured(NamedTuple):
    """One order, and the milliseconds of its first and of a late page."""

    sort: str
    first: float
    late: float

    @property
    def ratio(self) -> float:
        return self.late / self.first


class Hosts:
    """The hosts of one open service."""

    def __init__(self, service: Any) -> None:
        from service.domain.caller import Caller
        from service.domain.catalogue.types import FIRST_VERSION
        self._service = service
        self._shape = service.catalogue.types['host'].at(FIRST_VERSION)
        self._caller = Caller(PROJECT, 'bench', frozenset({'admin'}), False)

    @property
    def sorts(self) -> list[Sort]:
        """Every order that the type offers, and each beginning of one."""
        from service.domain.query import list_query
        return list(dict.fromkeys(itertools.chain.from_iterable(
            itertools.accumulate((name,) for name in order)
            for order in list_query.list_options(self._shape).sorts)))

    def order(self, sort: str, dialect: str) -> sa.Select[Any]:
        """The ids in an order, one of them."""
        from service.domain.query import list_query
        from service.storage.lists import statements
        from service.storage.tables import declared as declared_tables
        built = declared_tables.build(self._service.catalogue)
        table = built.of(self._shape.declared)
        asked = list_query.parse(self._shape, [('sort', sort)], LIMIT)
        source = statements.source(table, built.core.tags, dialect)
        return statements.select(source, asked, PROJECT, None
                            ).with_only_columns(table.c.id).limit(1)

    def count(self) -> int:
        from service.domain.query import list_query
        return self._service.records.list(
            self._shape.declared, self._caller,
            list_query.Query(limit=1, with_count=True)).total

    def make(self, first: int, number: int, racks: list[str]) -> None:
        """A thousand hosts whose values repeat as those of real ones do."""
        from service.domain.records.operations import NewRecord
        source = random.Random(first)
        self._service.records.create(self._shape, self._caller, [
            NewRecord(self._values(source, one, racks), PROJECT, '')
            for one in range(first, first + number)])

    def _values(self, source: random.Random, number: int,
                racks: list[str]) -> dict[str, Any]:
        until = datetime(2026, 1, 1) + timedelta(days=source.randrange(2000))
        values = {one.name: None if one.nullable else one.default
                  for one in self._shape.declared.live}
        return {**values, 'name': f'{source.getrandbits(48):012x}-{number}',
                'serial': f'CZ-{number:08}',
                'status': source.choice(STATUSES),
                'rack_id': source.choice([None, *racks]),
                'memory_mb': source.choice((65536, 131072, 262144)),
                'warranty_until': source.choice(
                    (None, until.isoformat(timespec='microseconds') + 'Z')),
                'tags': ['a', f't{number % 100}']}

    def racks(self) -> list[str]:
        """Some to put hosts in, made once."""
        from service.domain.catalogue.types import FIRST_VERSION
        from service.domain.query import list_query
        from service.domain.records.operations import NewRecord
        shape = self._service.catalogue.types['rack'].at(FIRST_VERSION)
        values = {one.name: None if one.nullable else one.default
                  for one in shape.declared.live}
        found = self._service.records.list(shape.declared, self._caller,
                                           list_query.Query(limit=100)).records
        if not found:
            found = self._service.records.create(shape, self._caller, [
                NewRecord({**values, 'name': f'rack-{one}', 'site': 'x',
                           'room': 'y'}, None, '') for one in range(100)])
        return [one['id'] for one in found]


def fill(hosts: Hosts, wanted: int) -> None:
    """Make the hosts that are missing, and say how it goes."""
    there, begun = hosts.count(), time.monotonic()
    before, racks = there, hosts.racks()
    while there < wanted:
        number = min(BULK, wanted - there)
        hosts.make(there, number, racks)
        there += number
        if there % (20 * BULK) == 0 or there == wanted:
            rate = (there - before) / (time.monotonic() - begun)
            print(f'{there} of {wanted} hosts, {rate:.0f}/s',
                  file=sys.stderr, flush=True)


@contextlib.contextmanager
def hurried() -> Iterator[None]:
    """SQLite with all of its file in memory, and not waiting for the disk: a
    database that is lost while it is filled is filled again."""
    def opened(connection: Any, record: Any) -> None:
        if isinstance(connection, sqlite3.Connection):
            connection.execute('PRAGMA synchronous = OFF')
            connection.execute('PRAGMA cache_size = -2000000')
    sa.event.listen(sa.Engine, 'connect', opened)
    try:
        yield
    finally:
        sa.event.remove(sa.Engine, 'connect', opened)


ANALYZE = {'sqlite': ('ANALYZE',), 'postgresql': ('VACUUM ANALYZE',),
           'mysql': ('ANALYZE TABLE r_hosts, pileus_tags',)}


def analyze(database: str) -> None:
    """The databases do this by themselves, in their own time."""
    engine = sa.create_engine(database, isolation_level='AUTOCOMMIT')
    with engine.connect() as connection:
        for said in ANALYZE[engine.dialect.name]:
            connection.exec_driver_sql(said)
    engine.dispose()


def marker(database: sa.Engine, hosts: Hosts, sort: str,
           page: int) -> str:
    """The id that a page begins after, counted from the first."""
    with database.connect() as connection:
        return connection.execute(
            hosts.order(sort, database.dialect.name).offset(
                (page - 1) * LIMIT - 1)).scalar_one()


def measured(app: Any, sort: str, late: str, rounds: int) -> Measured:
    """Medians, the two pages in turns."""
    query = f'/v1/hosts?sort={sort}&limit={LIMIT}'
    times: dict[str, list[float]] = {
        query: [], f'{query}&marker={late}': []}
    for _ in range(rounds):
        for path, spent in times.items():
            start = time.perf_counter()
            got(app, path)
            spent.append((time.perf_counter() - start) * 1000)
    return Measured(sort, *map(statistics.median, times.values()))


def got(app: Any, path: str) -> None:
    """One page through the whole pipeline, without a socket."""
    request = webob.Request.blank(
        path, {'REMOTE_ADDR': '127.0.0.1'}, 'http://127.0.0.1:8088',
        headers={'X-Project-Id': PROJECT})
    response = request.get_response(app)
    assert response.status_int == 200, response.text
    assert response.body.count(b'"serial":') == LIMIT


def rows(app: Any, database: sa.Engine, hosts: Hosts, page: int,
         rounds: int) -> Iterator[Measured]:
    for names in hosts.sorts:
        for direction in ('asc', 'desc'):
            sort = ','.join(f'{name}:{direction}' for name in names)
            late = marker(database, hosts, sort, page)
            yield measured(app, sort, late, rounds)


def told(found: Iterable[Measured], format: str) -> Iterator[Measured]:
    """The same, each printed as it comes if it is for people."""
    for one in found:
        if format == 'table':
            print(f'{one.sort:34} {one.first:8.2f} {one.late:8.2f} ms '
                  f'{one.ratio:6.2f}', flush=True)
        yield one


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--database', required=True)
    parser.add_argument('--hosts', type=int, default=1_000_000)
    parser.add_argument('--page', type=int, default=5000)
    parser.add_argument('--rounds', type=int, default=31)
    parser.add_argument('--format', choices=('table', 'json'),
                        default='table')
    given = parser.parse_args()
    if given.page * LIMIT > given.hosts:
        parser.error(f'page {given.page} begins after all {given.hosts}')
    import service
    from service.config import files as config_files
    from service.hosting import paste
    with deployed.config_dir(given.database) as directory:
        conf = config_files.load(['--config-dir', str(directory)])
        with hurried(), contextlib.closing(service.open(conf)) as opened:
            fill(Hosts(opened), given.hosts)
        analyze(given.database)
        with contextlib.closing(service.open(conf)) as opened:
            hosts = Hosts(opened)
            found = list(told(rows(
                paste.load(conf), sa.create_engine(given.database), hosts,
                given.page, given.rounds), given.format))
    if given.format == 'json':
        print(json.dumps([{**one._asdict(), 'ratio': one.ratio}
                          for one in found], indent=2))
    return int(any(one.ratio > TARGET for one in found))


if __name__ == '__main__':
    sys.exit(main())
