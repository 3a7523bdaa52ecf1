# SPDX-License-Identifier: Apache-2.0
"""A page takes the same number of SQL statements whatever its length.

Measured over the whole application, on each database.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from service.storage.database.engine import writer
from tests.functional.harness import databases
from tests.functional.harness.daemon import config_dir
from tests.functional.harness.in_process import Application

HOST = {'host': '''
name: host
plural: hosts
properties:
  name: {type: string}
  status: {type: string, default: new}
  rack_id: {references: rack}
  labels: {type: object}
required: [name]
unique: [[name]]
indexes: [[status], [rack_id, name]]
''', 'rack': '''
name: rack
plural: racks
scope: cloud
properties: {name: {type: string}}
'''}
HOSTS = 1500
LENGTHS = (1, 100, 1000)


@pytest.fixture(scope='module', params=['sqlite', *databases.SERVERS])
def served(request: pytest.FixtureRequest,
           tmp_path_factory: pytest.TempPathFactory) -> Application:
    conf = {} if request.param == 'sqlite' else {'database': {
        'connection': databases.config_url(databases.create(request.param))}}
    served = Application(config_dir(
        tmp_path_factory.mktemp('statements'), HOST, conf=conf))
    for start in range(0, HOSTS, 500):
        reply = served.request('POST', '/v1/hosts', {'hosts': [{
            'name': f'web-{n}', 'tags': ['red', f't{n}'],
            'metadata': {'k': f'{n}', 'l': 'm'}, 'labels': {'role': 'web'}}
            for n in range(start, start + 500)]})
        assert reply.status == 201, reply.body
    return served


@contextlib.contextmanager
def recorded() -> Iterator[list[str]]:
    """Record all SQL statements, except the periodic check for newer types.
    """
    statements: list[str] = []

    def record(connection: object, cursor: object, statement: str,
               *arguments: object) -> None:
        if 'FROM pileus_counter' not in statement:
            statements.append(statement)
    sa.event.listen(sa.engine.Engine, 'before_cursor_execute', record)
    try:
        yield statements
    finally:
        sa.event.remove(sa.engine.Engine, 'before_cursor_execute', record)


def statements(served: Application, query: str, limit: int) -> int:
    """List ``limit`` hosts; return the number of SQL statements."""
    with recorded() as executed:
        reply = served.request('GET', f'/v1/hosts?limit={limit}&{query}')
    assert reply.status == 200, reply.body
    hosts = reply.json['hosts']
    assert len(hosts) == limit
    assert all(len(host['tags']) == len(host['metadata']) == 2
               for host in hosts)
    assert ('count' in reply.json) == ('with_count' in query)
    return len(executed)


def marker(served: Application, sort: str) -> str:
    """Return the id of the tenth host."""
    reply = served.request('GET', f'/v1/hosts?limit=10&sort={sort}')
    return str(reply.json['hosts'][-1]['id'])


@pytest.mark.parametrize('counted', ['', '&with_count=true'])
@pytest.mark.parametrize('with_marker', [False, True])
@pytest.mark.parametrize('query', [
    'sort=id', 'sort=name:desc', 'sort=rack_id:desc', 'sort=id&tags=red',
    'sort=created_at&status=new', 'sort=id&all_projects=true'])
def test_the_number_of_statements_does_not_depend_on_the_length(
        served: Application, query: str, with_marker: bool,
        counted: str) -> None:
    sort = query.removeprefix('sort=').partition('&')[0]
    start = f'&marker={marker(served, sort)}' if with_marker else ''
    counts = [statements(served, f'{query}{start}{counted}', limit)
              for limit in LENGTHS]
    plain = statements(served, query, 1)
    assert len(set(counts)) == 1, counts
    assert counts[0] <= plain + 2 * with_marker + bool(counted)


def test_a_deleted_marker_takes_one_more_statement(
        served: Application) -> None:
    """The place in the order comes from the record's last revision."""
    id = served.request('POST', '/v1/hosts', {'host': {
        'name': 'aaa', 'tags': ['a', 'b']}}).json['host']['id']
    existing = statements(served, f'sort=name&marker={id}', 100)
    assert served.request('DELETE', f'/v1/hosts/{id}').status == 204
    deleted = {statements(served, f'sort=name&marker={id}', limit)
               for limit in LENGTHS}
    assert deleted == {existing + 1}


def test_a_list_works_without_the_index_of_its_hint(
        served: Application) -> None:
    """An apply drops an index before it publishes the new types.

    This test is the last one, because the index stays dropped.
    """
    engines: list[sa.Engine] = []

    def note_engine(connection: sa.Connection, *arguments: object) -> None:
        engines.append(connection.engine)

    def ids(path: str) -> list[str]:
        reply = served.request('GET', path)
        assert reply.status == 200, reply.body
        return [host['id'] for host in reply.json['hosts']]
    pages = ['/v1/hosts?sort=status&limit=100',
             f'/v1/hosts?sort=status&marker={marker(served, "status")}']
    sa.event.listen(sa.engine.Engine, 'before_cursor_execute', note_engine)
    try:
        before = [ids(path) for path in pages]
    finally:
        sa.event.remove(sa.engine.Engine, 'before_cursor_execute',
                        note_engine)
    engine = engines[0]
    of = ' ON r_hosts' if engine.dialect.name == 'mysql' else ''
    with writer(engine).begin() as connection:
        connection.exec_driver_sql(f'DROP INDEX ix_hosts_status{of}')
    assert [ids(path) for path in pages] == before
