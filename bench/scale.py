# SPDX-License-Identifier: Apache-2.0
"""Compare a late page with the first, among a million hosts of a project.

    python -m bench.scale --database sqlite:////tmp/scale.sqlite
    python -m bench.scale --database postgresql+psycopg2://... --hosts 200000

Creates the missing hosts, a thousand per transaction, through the same code as
the API; an interrupted run can be continued. Then reads the first and a late
page alternately, in every sort order that the type offers. The database keeps
the hosts; drop it when done. The exit status is 1 if a late page takes more
than 1.5 times as long as the first.
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
PAGE_ROWS = 100
BATCH_ROWS = 1000
PROJECT = 'scale'
STATUSES = ('provisioning', 'active', 'retired')

Sort = tuple[str, ...]


class Result(NamedTuple):
    """A sort order, and the milliseconds of its first and its late page."""

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
        """All sort orders of the type, and each leading part of one."""
        from service.domain.query import list_query
        return list(dict.fromkeys(itertools.chain.from_iterable(
            itertools.accumulate((name,) for name in order)
            for order in list_query.list_options(self._shape).sorts)))

    def order(self, sort: str, dialect: str) -> sa.Select[Any]:
        """Return a query for one id in a sort order; add an offset."""
        from service.domain.query import list_query
        from service.storage.lists import statements
        from service.storage.tables import declared as declared_tables
        built = declared_tables.build(self._service.catalogue)
        table = built.of(self._shape.declared)
        query = list_query.parse(self._shape, [('sort', sort)], PAGE_ROWS)
        source = statements.source(table, built.core.tags, dialect)
        return statements.select(source, query, PROJECT, None
                            ).with_only_columns(table.c.id).limit(1)

    def count(self) -> int:
        from service.domain.query import list_query
        return self._service.records.list(
            self._shape.declared, self._caller,
            list_query.Query(limit=1, with_count=True)).total

    def make(self, first: int, number: int, racks: list[str]) -> None:
        """Create hosts whose values repeat as often as in practice."""
        from service.domain.records.operations import NewRecord
        source = random.Random(first)
        self._service.records.create(self._shape, self._caller, [
            NewRecord(self._values(source, index, racks), PROJECT, '')
            for index in range(first, first + number)])

    def _values(self, source: random.Random, number: int,
                racks: list[str]) -> dict[str, Any]:
        until = datetime(2026, 1, 1) + timedelta(days=source.randrange(2000))
        values = {prop.name: None if prop.nullable else prop.default
                  for prop in self._shape.declared.live}
        return {**values, 'name': f'{source.getrandbits(48):012x}-{number}',
                'serial': f'CZ-{number:08}',
                'status': source.choice(STATUSES),
                'rack_id': source.choice([None, *racks]),
                'memory_mb': source.choice((65536, 131072, 262144)),
                'warranty_until': source.choice(
                    (None, until.isoformat(timespec='microseconds') + 'Z')),
                'tags': ['a', f't{number % 100}']}

    def racks(self) -> list[str]:
        """Return the ids of racks for the hosts; create them if missing."""
        from service.domain.catalogue.types import FIRST_VERSION
        from service.domain.query import list_query
        from service.domain.records.operations import NewRecord
        shape = self._service.catalogue.types['rack'].at(FIRST_VERSION)
        values = {prop.name: None if prop.nullable else prop.default
                  for prop in shape.declared.live}
        racks = self._service.records.list(shape.declared, self._caller,
                                           list_query.Query(limit=100)).records
        if not racks:
            racks = self._service.records.create(shape, self._caller, [
                NewRecord({**values, 'name': f'rack-{number}', 'site': 'x',
                           'room': 'y'}, None, '') for number in range(100)])
        return [rack['id'] for rack in racks]


def fill(hosts: Hosts, wanted: int) -> None:
    """Create the missing hosts, and report the progress."""
    present, begun = hosts.count(), time.monotonic()
    before, racks = present, hosts.racks()
    while present < wanted:
        number = min(BATCH_ROWS, wanted - present)
        hosts.make(present, number, racks)
        present += number
        if present % (20 * BATCH_ROWS) == 0 or present == wanted:
            rate = (present - before) / (time.monotonic() - begun)
            print(f'{present} of {wanted} hosts, {rate:.0f}/s',
                  file=sys.stderr, flush=True)


@contextlib.contextmanager
def fast_sqlite() -> Iterator[None]:
    """Let SQLite cache the whole file and not wait for the disk.

    A database that is lost in a crash can be filled again.
    """
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
    """Update the statistics, which the database would do later."""
    engine = sa.create_engine(database, isolation_level='AUTOCOMMIT')
    with engine.connect() as connection:
        for statement in ANALYZE[engine.dialect.name]:
            connection.exec_driver_sql(statement)
    engine.dispose()


def marker(database: sa.Engine, hosts: Hosts, sort: str,
           page: int) -> str:
    """Return the marker of a page: the id before its first record."""
    with database.connect() as connection:
        return connection.execute(
            hosts.order(sort, database.dialect.name).offset(
                (page - 1) * PAGE_ROWS - 1)).scalar_one()


def measure(app: Any, sort: str, late: str, rounds: int) -> Result:
    """Return the medians for both pages, which are read alternately."""
    query = f'/v1/hosts?sort={sort}&limit={PAGE_ROWS}'
    times: dict[str, list[float]] = {
        query: [], f'{query}&marker={late}': []}
    for _ in range(rounds):
        for path, spent in times.items():
            start = time.perf_counter()
            read_page(app, path)
            spent.append((time.perf_counter() - start) * 1000)
    return Result(sort, *map(statistics.median, times.values()))


def read_page(app: Any, path: str) -> None:
    """Read a page through the whole pipeline, without a socket."""
    request = webob.Request.blank(
        path, {'REMOTE_ADDR': '127.0.0.1'}, 'http://127.0.0.1:8088',
        headers={'X-Project-Id': PROJECT})
    response = request.get_response(app)
    assert response.status_int == 200, response.text
    assert response.body.count(b'"serial":') == PAGE_ROWS


def measure_all(app: Any, database: sa.Engine, hosts: Hosts, page: int,
                rounds: int) -> Iterator[Result]:
    for names in hosts.sorts:
        for direction in ('asc', 'desc'):
            sort = ','.join(f'{name}:{direction}' for name in names)
            late = marker(database, hosts, sort, page)
            yield measure(app, sort, late, rounds)


def printed(results: Iterable[Result], format: str) -> Iterator[Result]:
    """Yield the results; for a table, print each as soon as it is known."""
    for result in results:
        if format == 'table':
            print(f'{result.sort:34} {result.first:8.2f} '
                  f'{result.late:8.2f} ms {result.ratio:6.2f}', flush=True)
        yield result


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--database', required=True)
    parser.add_argument('--hosts', type=int, default=1_000_000)
    parser.add_argument('--page', type=int, default=5000)
    parser.add_argument('--rounds', type=int, default=31)
    parser.add_argument('--format', choices=('table', 'json'),
                        default='table')
    options = parser.parse_args()
    if options.page * PAGE_ROWS > options.hosts:
        parser.error(f'--page {options.page} is beyond {options.hosts} hosts')
    import service
    from service.config import files as config_files
    from service.hosting import paste
    with deployed.config_dir(options.database) as directory:
        conf = config_files.load(['--config-dir', str(directory)])
        with fast_sqlite(), contextlib.closing(service.open(conf)) as opened:
            fill(Hosts(opened), options.hosts)
        analyze(options.database)
        with contextlib.closing(service.open(conf)) as opened:
            hosts = Hosts(opened)
            results = list(printed(measure_all(
                paste.load(conf), sa.create_engine(options.database), hosts,
                options.page, options.rounds), options.format))
    if options.format == 'json':
        print(json.dumps([{**result._asdict(), 'ratio': result.ratio}
                          for result in results], indent=2))
    return int(any(result.ratio > TARGET for result in results))


if __name__ == '__main__':
    sys.exit(main())
