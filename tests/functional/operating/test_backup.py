# SPDX-License-Identifier: Apache-2.0
"""Everything goes into a file and comes out of it, in any database.

What was killed on the way goes on where it was, and nothing is lost or there
twice.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from oslo_db import exception as db_exception

import service
from service.commands import manage, schema
from service.config import files as config_files
from service.errors import StartError
from service.storage.database import engine
from service.storage.maintenance import export
from tests.functional.harness import databases
from tests.functional.harness.daemon import SHIPPED_CONFIG, config_dir
from tests.functional.harness.in_process import Application

#: Records that refer to each other in every direction, and values of all
#: kinds.
NODE = '''
name: node
plural: nodes
properties:
  label: {type: string}
  ratio: {type: number}
  size: {type: integer}
  alive: {type: boolean}
  seen_at: {type: string, format: date-time}
  notes: {type: object}
  items: {type: array}
  long: {type: string, maxLength: 60000}
  parent_id: {references: node, on_delete: set_null}
  leaf_id: {references: leaf, on_delete: set_null}
  host_id: {references: host, on_delete: cascade}
'''
LEAF = '''
name: leaf
plural: leaves
properties: {node_id: {references: node, on_delete: cascade}}
'''
VALUES: list[dict[str, Any]] = [
    {'label': 'a \U0001f600 \u2028 "\\\n é ', 'ratio': 0.1 + 0.2,
     'size': 2 ** 63 - 1, 'alive': True, 'items': [1, 2.5, None, 'é'],
     'seen_at': '1999-12-31T23:59:59.999999Z', 'notes': {'b': {'a': [0.1]}}},
    {'label': '', 'ratio': -1.7976931348623157e308, 'size': -2 ** 63,
     'alive': False, 'items': [], 'seen_at': '2026-01-01T00:00:00.000001Z',
     'notes': {}, 'long': 'é' * 60000},
    {'ratio': 1e-320},
    {},
]
KINDS = ('sqlite', *databases.SERVERS)


def types() -> dict[str, str]:
    return {'node': NODE, 'leaf': LEAF, **{
        path.stem: path.read_text()
        for path in (SHIPPED_CONFIG / 'resources.d').glob('*.yaml')}}


def made(tmp_path: Path, kind: str, name: str) -> Path:
    """A config directory with an empty database of these types."""
    (tmp_path / name).mkdir()
    url = (f'sqlite:///{tmp_path}/{name}.sqlite' if kind == 'sqlite'
           else databases.config_url(databases.create(kind)))
    directory = config_dir(tmp_path / name, types(),
                           {'database': {'connection': url}})
    schema.apply_configured(conf(directory))
    return directory


def conf(directory: Path) -> Any:
    return config_files.load(['--config-dir', str(directory)])


def fill(directory: Path) -> None:
    """As clients do, over all that leaves something in the database."""
    served = Application(directory)

    def ask(method: str, path: str, body: object = None,
            **headers: str) -> Any:
        reply = served.request(method, path, body, {
            name.replace('_', '-'): text for name, text in headers.items()})
        assert reply.status < 300, reply.body
        return reply.json if reply.body else None
    rack = ask('POST', '/v1/racks', {'rack': {
        'name': 'r1', 'site': 'x', 'room': 'y'}})['rack']['id']
    for project in ('demo', 'elsewhere'):
        hosts = ask('POST', '/v1/hosts', {'hosts': [
            {'name': f'h{number}', 'serial': f'CZ-{number:05}',
             'rack_id': rack, 'tags': ['a', f'é{number}'],
             'metadata': {'k': f'{number}'}} for number in range(700)]},
            X_Project_Id=project, Idempotency_Key=f'"{project}"')['hosts']
    host = hosts[0]['id']
    parent = None
    for values in VALUES:
        parent = ask('POST', '/v1/nodes', {'node': {
            **values, 'parent_id': parent}})['node']['id']
    leaf = ask('POST', '/v1/leaves', {'leaf': {'node_id': parent}})
    ask('PATCH', f'/v1/nodes/{parent}', {'node': {
        'leaf_id': leaf['leaf']['id'], 'parent_id': parent}})
    ask('POST', '/v1/maintenances', {'maintenance': {
        'title': 'disks', 'host_id': host, 'state': 'done',
        'starts_at': '2031-05-01T22:00:00.000001Z'}},
        X_Project_Id='elsewhere')
    ask('DELETE', f'/v1/hosts/{hosts[1]["id"]}', None,
        X_Project_Id='elsewhere')
    ask('PATCH', '/v1/quotas/demo', {'quota': {'hosts': 900}})


def run(directory: Path, *words: str) -> int:
    return manage.main(['--config-dir', str(directory), *words])


def rows(directory: Path) -> dict[str, list[Any]]:
    """Every row of every table that moves, by its key."""
    connected = engine.connect(conf(directory))
    try:
        with connected.connect() as connection:
            _, moved = export.exported_tables(
                export.require_types(connection).catalogue)
            return {str(table.name): sorted(
                (tuple(row) for row in connection.execute(
                    sa.select(table))), key=lambda row: repr(row[:3]))
                for table in moved}
    finally:
        connected.dispose()


@pytest.fixture(scope='module')
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = made(tmp_path_factory.mktemp('source'), 'sqlite', 'source')
    fill(directory)
    return directory


@pytest.fixture(scope='module')
def written(source: Path) -> Path:
    file = source.parent / 'all.dump'
    assert run(source, 'export', str(file)) == 0
    return file


@pytest.fixture(params=KINDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    yield made(tmp_path, request.param, 'target')


def test_nothing_is_lost_on_the_way_through_every_database(
        source, written, tmp_path):
    """A start on SQLite moves on, and the last one is as the first was."""
    lines = written.read_bytes().splitlines()
    before = rows(source)
    assert all(before.values())
    file = written
    for number, kind in enumerate(('postgresql', 'mysql', 'sqlite')):
        target = made(tmp_path, kind, f'{number}')
        assert run(target, 'import', str(file)) == 0
        assert rows(target) == before
        file = tmp_path / f'{number}.dump'
        assert run(target, 'export', str(file)) == 0
        assert file.read_bytes().splitlines()[1:-1] == lines[1:-1]


def test_what_was_imported_is_served_as_it_was(source, written, empty):
    """Also its entity tags, its counts and its next revision."""
    assert run(empty, 'import', str(written)) == 0
    (node,) = {one[0] for one in rows(source)['r_nodes']
               if one[-2] is not None}
    (old, new) = (Application(one) for one in (source, empty))
    for path in (f'/v1/nodes/{node}', f'/v1/nodes/{node}/revisions',
                 '/v1/hosts?tags=a&limit=3', '/v1/quotas/demo'):
        one, other = (served.request('GET', path) for served in (old, new))
        assert (one.status, one.json) == (200, other.json)
        assert one.headers['ETag'] == other.headers['ETag']
    patched = new.request('PATCH', f'/v1/nodes/{node}',
                          {'node': {'label': 'moved'}})
    assert patched.status == 200, patched.body
    assert new.request('DELETE', f'/v1/nodes/{node}').status == 204


def test_references_bind_again_after_an_import(written, empty):
    assert run(empty, 'import', str(written)) == 0
    connected = engine.connect(conf(empty))
    with connected.connect() as connection:
        built, _ = export.exported_tables(
                export.require_types(connection).catalogue)
    racks = built.types['rack']
    with (pytest.raises(db_exception.DBReferenceError),
          engine.writer(connected).begin() as connection):
        connection.execute(sa.delete(racks))
    connected.dispose()
    assert run(empty, 'schema', 'plan') == 0


def killed(directory: Path, file: Path) -> int:
    """An import that is killed after the first chunk that it stores."""
    return manage_killed(directory, 'import_chunk', 'import', str(file))


def manage_killed(directory: Path, where: str, *words: str) -> int:
    return subprocess.run(
        [Path(sys.executable).with_name('pileus-manage'), '--config-dir',
         directory, *words], check=False, capture_output=True,
        env={**os.environ, 'PILEUS_FAILPOINTS': f'{where}=kill'}
        ).returncode


def test_who_is_killed_on_the_way_goes_on_where_he_was(source, written,
                                                       empty, capsys):
    for _ in range(2):
        assert killed(empty, written) == -9
    assert run(empty, 'import', str(written)) == 0
    assert rows(empty) == rows(source)


def test_another_dump_does_not_complete_it(source, written, empty, tmp_path,
                                           capsys):
    other = tmp_path / 'other.dump'
    assert run(source, 'export', str(other)) == 0
    assert killed(empty, written) == -9
    assert run(empty, 'import', str(other)) == 2
    assert 'has a part of another export file' in capsys.readouterr().err
    assert run(empty, 'export', str(other)) == 2
    assert 'an apply or an import is running or was' in capsys.readouterr().err
    assert run(empty, 'import', str(written)) == 0


def test_half_of_a_dump_is_never_taken_for_all(source, written, empty,
                                               capsys):
    """Neither an apply nor a start lets anybody in before the rest is there.
    """
    assert killed(empty, written) == -9
    assert run(empty, 'schema', 'plan') == 1
    assert run(empty, 'schema', 'apply') == 1
    told = 'an import was started and has not finished'
    assert f'refused: database: {told}' in capsys.readouterr().err
    assert run(empty, 'purge') == 2
    assert f'{told}: nothing is removed' in capsys.readouterr().err
    with pytest.raises(StartError, match=told):
        service.open(conf(empty))
    assert run(empty, 'import', str(written)) == 0
    assert rows(empty) == rows(source)
    service.open(conf(empty)).close()


def test_a_dump_waits_for_the_end_of_an_apply(written, tmp_path, capsys):
    """Where one was interrupted the tables are of no types yet."""
    target = made(tmp_path, 'postgresql', 'target')
    file = target / 'resources.d' / 'leaf.yaml'
    before = file.read_text()
    file.write_text(before.replace('{node_id', '{size: {type: integer}, '
                                   'node_id'))
    assert manage_killed(target, 'schema_step', 'schema', 'apply') == -9
    file.write_text(before)
    assert run(target, 'import', str(written)) == 2
    assert 'run pileus-manage schema apply first' in capsys.readouterr().err
    file.write_text(before.replace('{node_id', '{size: {dropped: true}, '
                                   'node_id'))
    assert run(target, 'schema', 'apply') == 0


# Files that are not sound

def replaced(number: int, old: bytes, new: bytes) -> Any:
    def change(lines: list[bytes]) -> list[bytes]:
        assert old in lines[number]
        return [*lines[:number], lines[number].replace(old, new, 1),
                *lines[number + 1:]]
    return change


SPOILT = {
    'another letter': (
        replaced(1, b'"CZ-', b'"CX-'),
        'line 1002: the checksum of chunk 1 is wrong: some of the lines 2 to '
        '1002 were changed or are missing'),
    'a line is missing': (
        lambda lines: [*lines[:5], *lines[6:]],
        'the checksum of chunk 1 is wrong'),
    'the last row is cut': (
        lambda lines: [*lines[:8], lines[8][:-20]],
        'line 9: the file is incomplete: it ends here'),
    'the end is missing': (
        lambda lines: lines[:-1], 'the file is incomplete'),
    'a chunk is missing': (
        lambda lines: [lines[0], *lines[3:]],
        'the checksum of chunk 1 is wrong'),
    'the header is another': (
        replaced(0, b'"number":', b'"number":1'),
        'the checksum of the file is wrong'),
    'two dumps in one': (
        lambda lines: [*lines, *lines], 'the file continues after its end'),
    'no JSON': (lambda lines: [lines[0], b'{\n'],
                'line 2: the line is not JSON'),
    'no dump': (lambda lines: [b'{}\n'],
                'line 1: this is not an export file of Pileus'),
    'an empty file': (lambda lines: [], 'line 1: the file is incomplete'),
    'a later format': (replaced(0, b'{"pileus_dump":1', b'{"pileus_dump":2'),
                       'line 1: the file has format 2'),
}


@pytest.mark.parametrize('how', SPOILT)
def test_a_file_that_is_not_sound_is_refused_before_anything_is_done(
        written, tmp_path, capsys, how):
    change, told = SPOILT[how]
    spoilt = tmp_path / 'spoilt.dump'
    spoilt.write_bytes(b''.join(change(
        written.read_bytes().splitlines(keepends=True))))
    target = made(tmp_path, 'sqlite', 'target')
    assert run(target, 'import', str(spoilt)) == 2
    (line,) = [one for one in capsys.readouterr().err.splitlines()
               if 'spoilt.dump' in one]
    assert told in line
    assert not any(rows(target).values())
    assert run(target, 'import', str(written)) == 0


def test_a_database_that_is_not_empty_is_refused(source, written, capsys):
    assert run(source, 'import', str(written)) == 2
    assert 'the database is not empty' in capsys.readouterr().err
    assert Application(source).request(
        'DELETE', '/v1/hosts/7bd6bd13-2c4b-4d6a-9b27-0123456789ab'
        ).status == 404


def test_a_database_of_other_types_is_refused_by_their_files(
        written, tmp_path, capsys):
    target = made(tmp_path, 'sqlite', 'target')
    file = target / 'resources.d' / 'rack.yaml'
    file.write_text(file.read_text().replace('maxLength: ', 'maxLength: 1'))
    assert run(target, 'schema', 'apply') == 0
    assert run(target, 'import', str(written)) == 2
    assert '(rack.yaml)' in capsys.readouterr().err


def test_a_database_without_types_is_told_what_to_do(written, tmp_path,
                                                     capsys):
    target = config_dir(tmp_path, types(), {'database': {
        'connection': f'sqlite:///{tmp_path}/none.sqlite'}})
    assert run(target, 'export', '-') == 2
    assert 'nothing to export' in capsys.readouterr().err
    assert run(target, 'import', str(written)) == 2
    assert 'run pileus-manage schema apply' in capsys.readouterr().err


def test_a_dump_goes_through_a_pipe(source, tmp_path):
    target = made(tmp_path, 'sqlite', 'target')
    script = Path(sys.executable).with_name('pileus-manage')
    with subprocess.Popen([script, '--config-dir', source, 'export', '-'],
                          stdout=subprocess.PIPE) as out:
        subprocess.run([script, '--config-dir', target, 'import', '-'],
                       stdin=out.stdout, check=True)
    assert out.returncode == 0
    assert rows(target) == rows(source)


@pytest.mark.parametrize('kind', KINDS)
def test_a_dump_is_of_one_moment(kind, tmp_path):
    """What is written while it is made is not in it, nor half of it."""
    directory = made(tmp_path, kind, 'busy')
    fill(directory)
    served = Application(directory)
    connected = engine.connect(conf(directory))
    told = export.lines(connected, lambda *given: None)
    header = orjson.loads(next(told))
    for number in range(3):
        assert served.request('POST', '/v1/hosts', {'host': {
            'name': f'later{number}', 'serial': f'ZZ-{number}000',
            'tags': ['later']}}).status == 201
    lines = list(told)
    assert not any(b'later' in line for line in lines)
    assert sum(line.startswith(b'{"in":') for line in lines) == sum(
        header['rows'].values())
    connected.dispose()


def test_the_file_is_its_owners_alone(written):
    """SECURITY: it holds what anybody ever stored."""
    assert written.stat().st_mode & 0o777 == 0o600
    assert not list(written.parent.glob('*.part'))
