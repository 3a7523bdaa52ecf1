# SPDX-License-Identifier: Apache-2.0
"""A page costs the database as many statements as a record does, whatever
hangs on its records. Asked through the whole pipeline, on each database.
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
    made = Application(config_dir(
        tmp_path_factory.mktemp('statements'), HOST, conf=conf))
    for start in range(0, HOSTS, 500):
        reply = made.request('POST', '/v1/hosts', {'hosts': [{
            'name': f'web-{n}', 'tags': ['red', f't{n}'],
            'metadata': {'k': f'{n}', 'l': 'm'}, 'labels': {'role': 'web'}}
            for n in range(start, start + 500)]})
        assert reply.status == 201, reply.body
    return made


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """The statements that any database is told in here, but for a look now
    and then at which types are in force."""
    said: list[str] = []

    def told(connection: object, cursor: object, statement: str,
             *given: object) -> None:
        if 'FROM pileus_counter' not in statement:
            said.append(statement)
    sa.event.listen(sa.engine.Engine, 'before_cursor_execute', told)
    try:
        yield said
    finally:
        sa.event.remove(sa.engine.Engine, 'before_cursor_execute', told)


def statements(served: Application, query: str, limit: int) -> int:
    """How many it takes to list so many hosts, all of which come whole."""
    with heard() as said:
        reply = served.request('GET', f'/v1/hosts?limit={limit}&{query}')
    assert reply.status == 200, reply.body
    hosts = reply.json['hosts']
    assert len(hosts) == limit
    assert all(len(one['tags']) == len(one['metadata']) == 2
               for one in hosts)
    assert ('count' in reply.json) == ('with_count' in query)
    return len(said)


def marker(served: Application, sort: str) -> str:
    """The last of the first ten."""
    reply = served.request('GET', f'/v1/hosts?limit=10&sort={sort}')
    return str(reply.json['hosts'][-1]['id'])


@pytest.mark.parametrize('counted', ['', '&with_count=true'])
@pytest.mark.parametrize('begun', [False, True])
@pytest.mark.parametrize('asked', [
    'sort=id', 'sort=name:desc', 'sort=rack_id:desc', 'sort=id&tags=red',
    'sort=created_at&status=new', 'sort=id&all_projects=true'])
def test_a_page_costs_the_same_however_long_it_is(
        served: Application, asked: str, begun: bool, counted: str) -> None:
    """Nothing is asked once a record."""
    sort = asked.removeprefix('sort=').partition('&')[0]
    begin = f'&marker={marker(served, sort)}' if begun else ''
    counts = [statements(served, f'{asked}{begin}{counted}', limit)
              for limit in LENGTHS]
    plain = statements(served, asked, 1)
    assert len(set(counts)) == 1, counts
    assert counts[0] <= plain + 2 * begun + bool(counted)


def test_a_page_after_a_deleted_record_costs_one_more(
        served: Application) -> None:
    """Its last revision tells where it stood."""
    made = served.request('POST', '/v1/hosts', {'host': {
        'name': 'aaa', 'tags': ['a', 'b']}}).json['host']['id']
    there = statements(served, f'sort=name&marker={made}', 100)
    assert served.request('DELETE', f'/v1/hosts/{made}').status == 204
    gone = {statements(served, f'sort=name&marker={made}', limit)
            for limit in LENGTHS}
    assert gone == {there + 1}


def test_a_list_goes_on_where_its_index_is_gone(served: Application) -> None:
    """An apply drops one long before its types are in force. It comes last,
    for nobody makes it again."""
    engines: list[sa.Engine] = []

    def told(connection: sa.Connection, *given: object) -> None:
        engines.append(connection.engine)

    def ids(path: str) -> list[str]:
        reply = served.request('GET', path)
        assert reply.status == 200, reply.body
        return [one['id'] for one in reply.json['hosts']]
    pages = ['/v1/hosts?sort=status&limit=100',
             f'/v1/hosts?sort=status&marker={marker(served, "status")}']
    sa.event.listen(sa.engine.Engine, 'before_cursor_execute', told)
    try:
        before = [ids(path) for path in pages]
    finally:
        sa.event.remove(sa.engine.Engine, 'before_cursor_execute', told)
    engine = engines[0]
    of = ' ON r_hosts' if engine.dialect.name == 'mysql' else ''
    with writer(engine).begin() as connection:
        connection.exec_driver_sql(f'DROP INDEX ix_hosts_status{of}')
    assert [ids(path) for path in pages] == before
