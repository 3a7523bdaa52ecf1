# SPDX-License-Identifier: Apache-2.0
"""Export all data to a file and import it into any database.

An import that was killed can be continued; it neither loses nor duplicates
rows.
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

#: Types whose records refer to each other in both directions, and with
#: properties of all kinds.
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
BACKENDS = ('sqlite', *databases.SERVERS)


def types() -> dict[str, str]:
    return {'node': NODE, 'leaf': LEAF, **{
        path.stem: path.read_text()
        for path in (SHIPPED_CONFIG / 'resources.d').glob('*.yaml')}}


def create_target(tmp_path: Path, backend: str, name: str) -> Path:
    """Create a config directory with an empty database of these types."""
    (tmp_path / name).mkdir()
    url = (f'sqlite:///{tmp_path}/{name}.sqlite' if backend == 'sqlite'
           else databases.config_url(databases.create(backend)))
    directory = config_dir(tmp_path / name, types(),
                           {'database': {'connection': url}})
    schema.apply_configured(load_config(directory))
    return directory


def load_config(directory: Path) -> Any:
    return config_files.load(['--config-dir', str(directory)])


def fill(directory: Path) -> None:
    """Write to all tables through the API."""
    application = Application(directory)

    def send(method: str, path: str, body: object = None,
             **headers: str) -> Any:
        reply = application.request(method, path, body, {
            name.replace('_', '-'): text for name, text in headers.items()})
        assert reply.status < 300, reply.body
        return reply.json if reply.body else None
    rack = send('POST', '/v1/racks', {'rack': {
        'name': 'r1', 'site': 'x', 'room': 'y'}})['rack']['id']
    for project in ('demo', 'elsewhere'):
        hosts = send('POST', '/v1/hosts', {'hosts': [
            {'name': f'h{number}', 'serial': f'CZ-{number:05}',
             'rack_id': rack, 'tags': ['a', f'é{number}'],
             'metadata': {'k': f'{number}'}} for number in range(700)]},
            X_Project_Id=project, Idempotency_Key=f'"{project}"')['hosts']
    host = hosts[0]['id']
    parent = None
    for values in VALUES:
        parent = send('POST', '/v1/nodes', {'node': {
            **values, 'parent_id': parent}})['node']['id']
    leaf = send('POST', '/v1/leaves', {'leaf': {'node_id': parent}})
    send('PATCH', f'/v1/nodes/{parent}', {'node': {
        'leaf_id': leaf['leaf']['id'], 'parent_id': parent}})
    send('POST', '/v1/maintenances', {'maintenance': {
        'title': 'disks', 'host_id': host, 'state': 'done',
        'starts_at': '2031-05-01T22:00:00.000001Z'}},
        X_Project_Id='elsewhere')
    send('DELETE', f'/v1/hosts/{hosts[1]["id"]}', None,
         X_Project_Id='elsewhere')
    send('PATCH', '/v1/quotas/demo', {'quota': {'hosts': 900}})


def run(directory: Path, *words: str) -> int:
    return manage.main(['--config-dir', str(directory), *words])


def rows(directory: Path) -> dict[str, list[Any]]:
    """Return the rows of every exported table, sorted by key."""
    connected = engine.connect(load_config(directory))
    try:
        with connected.connect() as connection:
            _, tables = export.exported_tables(
                export.require_types(connection).catalogue)
            return {str(table.name): sorted(
                (tuple(row) for row in connection.execute(
                    sa.select(table))), key=lambda row: repr(row[:3]))
                for table in tables}
    finally:
        connected.dispose()


@pytest.fixture(scope='module')
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = create_target(tmp_path_factory.mktemp('source'), 'sqlite',
                              'source')
    fill(directory)
    return directory


@pytest.fixture(scope='module')
def export_file(source: Path) -> Path:
    file = source.parent / 'all.dump'
    assert run(source, 'export', str(file)) == 0
    return file


@pytest.fixture(params=BACKENDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    yield create_target(tmp_path, request.param, 'target')


def test_an_export_file_is_the_same_after_each_database(
        source, export_file, tmp_path):
    """The rows go from SQLite through all backends back to SQLite."""
    lines = export_file.read_bytes().splitlines()
    before = rows(source)
    assert all(before.values())
    file = export_file
    for number, backend in enumerate(('postgresql', 'mysql', 'sqlite')):
        target = create_target(tmp_path, backend, f'{number}')
        assert run(target, 'import', str(file)) == 0
        assert rows(target) == before
        file = tmp_path / f'{number}.dump'
        assert run(target, 'export', str(file)) == 0
        assert file.read_bytes().splitlines()[1:-1] == lines[1:-1]


def test_an_imported_database_gives_the_same_answers(source, export_file,
                                                     empty):
    """The ETags, the counts and the next revision are equal too."""
    assert run(empty, 'import', str(export_file)) == 0
    (node,) = {row[0] for row in rows(source)['r_nodes']
               if row[-2] is not None}
    old, new = Application(source), Application(empty)
    for path in (f'/v1/nodes/{node}', f'/v1/nodes/{node}/revisions',
                 '/v1/hosts?tags=a&limit=3', '/v1/quotas/demo'):
        before, after = old.request('GET', path), new.request('GET', path)
        assert (before.status, before.json) == (200, after.json)
        assert before.headers['ETag'] == after.headers['ETag']
    patched = new.request('PATCH', f'/v1/nodes/{node}',
                          {'node': {'label': 'moved'}})
    assert patched.status == 200, patched.body
    assert new.request('DELETE', f'/v1/nodes/{node}').status == 204


def test_references_are_enforced_after_an_import(export_file, empty):
    assert run(empty, 'import', str(export_file)) == 0
    connected = engine.connect(load_config(empty))
    with connected.connect() as connection:
        built, _ = export.exported_tables(
                export.require_types(connection).catalogue)
    racks = built.types['rack']
    with (pytest.raises(db_exception.DBReferenceError),
          engine.writer(connected).begin() as connection):
        connection.execute(sa.delete(racks))
    connected.dispose()
    assert run(empty, 'schema', 'plan') == 0


def import_until_killed(directory: Path, file: Path) -> int:
    """Run an import that is killed after the first chunk."""
    return manage_until_killed(directory, 'import_chunk', 'import', str(file))


def manage_until_killed(directory: Path, where: str, *words: str) -> int:
    return subprocess.run(
        [Path(sys.executable).with_name('pileus-manage'), '--config-dir',
         directory, *words], check=False, capture_output=True,
        env={**os.environ, 'PILEUS_FAILPOINTS': f'{where}=kill'}
        ).returncode


def test_an_import_continues_after_it_was_killed(source, export_file,
                                                 empty, capsys):
    for _ in range(2):
        assert import_until_killed(empty, export_file) == -9
    assert run(empty, 'import', str(export_file)) == 0
    assert rows(empty) == rows(source)


def test_another_file_cannot_complete_an_import(source, export_file, empty,
                                                tmp_path, capsys):
    other = tmp_path / 'other.dump'
    assert run(source, 'export', str(other)) == 0
    assert import_until_killed(empty, export_file) == -9
    assert run(empty, 'import', str(other)) == 2
    assert 'has a part of another export file' in capsys.readouterr().err
    assert run(empty, 'export', str(other)) == 2
    assert 'an apply or an import is running or was' in capsys.readouterr().err
    assert run(empty, 'import', str(export_file)) == 0


def test_a_partly_imported_database_is_not_used(source, export_file, empty,
                                                capsys):
    """An apply, a purge and a start fail until the import is complete."""
    assert import_until_killed(empty, export_file) == -9
    assert run(empty, 'schema', 'plan') == 1
    assert run(empty, 'schema', 'apply') == 1
    message = 'an import was started and has not finished'
    assert f'refused: database: {message}' in capsys.readouterr().err
    assert run(empty, 'purge') == 2
    assert f'{message}: nothing is removed' in capsys.readouterr().err
    with pytest.raises(StartError, match=message):
        service.open(load_config(empty))
    assert run(empty, 'import', str(export_file)) == 0
    assert rows(empty) == rows(source)
    service.open(load_config(empty)).close()


def test_an_import_needs_a_completed_apply(export_file, tmp_path, capsys):
    """After an interrupted apply, the tables match no type files."""
    target = create_target(tmp_path, 'postgresql', 'target')
    file = target / 'resources.d' / 'leaf.yaml'
    before = file.read_text()
    file.write_text(before.replace('{node_id', '{size: {type: integer}, '
                                   'node_id'))
    assert manage_until_killed(target, 'schema_step', 'schema', 'apply') == -9
    file.write_text(before)
    assert run(target, 'import', str(export_file)) == 2
    assert 'run pileus-manage schema apply first' in capsys.readouterr().err
    file.write_text(before.replace('{node_id', '{size: {dropped: true}, '
                                   'node_id'))
    assert run(target, 'schema', 'apply') == 0


# Damaged files

def replace_text(number: int, old: bytes, new: bytes) -> Any:
    def change(lines: list[bytes]) -> list[bytes]:
        assert old in lines[number]
        return [*lines[:number], lines[number].replace(old, new, 1),
                *lines[number + 1:]]
    return change


DAMAGE = {
    'another letter': (
        replace_text(1, b'"CZ-', b'"CX-'),
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
        replace_text(0, b'"number":', b'"number":1'),
        'the checksum of the file is wrong'),
    'two export files in one': (
        lambda lines: [*lines, *lines], 'the file continues after its end'),
    'no JSON': (lambda lines: [lines[0], b'{\n'],
                'line 2: the line is not JSON'),
    'no export file': (lambda lines: [b'{}\n'],
                'line 1: this is not an export file of Pileus'),
    'an empty file': (lambda lines: [], 'line 1: the file is incomplete'),
    'a later format': (replace_text(0, b'{"pileus_dump":1',
                                    b'{"pileus_dump":2'),
                       'line 1: the file has format 2'),
}


@pytest.mark.parametrize('damage', DAMAGE)
def test_a_damaged_file_is_rejected_before_the_import_begins(
        export_file, tmp_path, capsys, damage):
    change, message = DAMAGE[damage]
    damaged = tmp_path / 'damaged.dump'
    damaged.write_bytes(b''.join(change(
        export_file.read_bytes().splitlines(keepends=True))))
    target = create_target(tmp_path, 'sqlite', 'target')
    assert run(target, 'import', str(damaged)) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines()
               if 'damaged.dump' in line]
    assert message in line
    assert not any(rows(target).values())
    assert run(target, 'import', str(export_file)) == 0


def test_an_import_into_a_database_with_records_is_rejected(source,
                                                            export_file,
                                                            capsys):
    assert run(source, 'import', str(export_file)) == 2
    assert 'the database is not empty' in capsys.readouterr().err
    assert Application(source).request(
        'DELETE', '/v1/hosts/7bd6bd13-2c4b-4d6a-9b27-0123456789ab'
        ).status == 404


def test_an_import_into_a_database_of_other_types_names_their_files(
        export_file, tmp_path, capsys):
    target = create_target(tmp_path, 'sqlite', 'target')
    file = target / 'resources.d' / 'rack.yaml'
    file.write_text(file.read_text().replace('maxLength: ', 'maxLength: 1'))
    assert run(target, 'schema', 'apply') == 0
    assert run(target, 'import', str(export_file)) == 2
    assert '(rack.yaml)' in capsys.readouterr().err


def test_a_database_without_types_is_rejected_with_the_remedy(export_file,
                                                              tmp_path,
                                                              capsys):
    target = config_dir(tmp_path, types(), {'database': {
        'connection': f'sqlite:///{tmp_path}/none.sqlite'}})
    assert run(target, 'export', '-') == 2
    assert 'nothing to export' in capsys.readouterr().err
    assert run(target, 'import', str(export_file)) == 2
    assert 'run pileus-manage schema apply' in capsys.readouterr().err


def test_an_export_can_be_imported_through_a_pipe(source, tmp_path):
    target = create_target(tmp_path, 'sqlite', 'target')
    script = Path(sys.executable).with_name('pileus-manage')
    with subprocess.Popen([script, '--config-dir', source, 'export', '-'],
                          stdout=subprocess.PIPE) as out:
        subprocess.run([script, '--config-dir', target, 'import', '-'],
                       stdin=out.stdout, check=True)
    assert out.returncode == 0
    assert rows(target) == rows(source)


@pytest.mark.parametrize('backend', BACKENDS)
def test_an_export_is_a_consistent_snapshot(backend, tmp_path):
    """Records that are written during the export are not in it."""
    directory = create_target(tmp_path, backend, 'busy')
    fill(directory)
    application = Application(directory)
    connected = engine.connect(load_config(directory))
    exported = export.lines(connected, lambda *progress: None)
    header = orjson.loads(next(exported))
    for number in range(3):
        assert application.request('POST', '/v1/hosts', {'host': {
            'name': f'later{number}', 'serial': f'ZZ-{number}000',
            'tags': ['later']}}).status == 201
    lines = list(exported)
    assert not any(b'later' in line for line in lines)
    assert sum(line.startswith(b'{"in":') for line in lines) == sum(
        header['rows'].values())
    connected.dispose()


def test_only_the_owner_may_read_the_export_file(export_file):
    """SECURITY: the file contains the data of all projects."""
    assert export_file.stat().st_mode & 0o777 == 0o600
    assert not list(export_file.parent.glob('*.part'))
