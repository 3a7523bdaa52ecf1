# SPDX-License-Identifier: Apache-2.0
"""Upgrades of the core tables from each released version (DB09): their rows
stay, also after kills and with concurrent upgrades."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import service
from service.commands import manage, schema
from service.config import files as config_files
from service.errors import StartError
from service.storage import migrations
from service.storage.tables import core, layouts
from tests.functional.harness import databases
from tests.functional.harness.daemon import Daemon, config_dir
from tests.functional.harness.in_process import Application

HERE = Path(__file__).parent
DESK = '''
name: desk
plural: desks
properties:
  name: {type: string, maxLength: 64}
  bought_at: {type: string, format: date-time}
required: [name]
unique: [[name]]
indexes: [[bought_at]]
'''
ID = '6b1f1e64-9f0c-4a3e-8b1c-0d7f9a5c2e11'
GONE = '0f0f1e64-9f0c-4a3e-8b1c-0d7f9a5c2e22'
AT = '2026-01-01 00:00:00.000001'

#: The record as stored in its revisions.
TOLD = AT.replace(' ', 'T') + 'Z'
DOCUMENT = json.dumps({
    'id': ID, 'project_id': 'demo', 'generation': 1, 'created_at': TOLD,
    'updated_at': TOLD, 'tags': ['oak'], 'metadata': {'a': 'b'},
    'name': 'by the door', 'bought_at': TOLD})

#: The rows that a service of that version wrote: a desk, and a deleted one.
ROWS: dict[str, list[dict[str, Any]]] = {
    'pileus_counter': [{'id': 1, 'n': 3, 'generation': 1}],
    'r_desks': [{
        'id': ID, 'project_id': 'demo', 'generation': 1, 'created_at': AT,
        'updated_at': AT, 'tags': '["oak"]', 'metadata': '{"a": "b"}',
        'name': 'by the door', 'bought_at': AT}],
    'pileus_tags': [{'type': 'desk', 'record_id': ID, 'tag': 'oak'}],
    'pileus_revisions': [
        {'number': number, 'type': 'desk', 'record_id': id,
         'record_generation': 1, 'action': action, 'document': DOCUMENT,
         'project_id': 'demo', 'user_id': 'ada', 'request_id': 'req-1',
         'at': AT} for number, id, action in (
             (1, ID, 'create'), (2, GONE, 'create'), (3, GONE, 'delete'))],
    'pileus_keys': [{
        'scope': 'a' * 64, 'body_hash': 'b' * 64, 'status': 201,
        'headers': '[]', 'body': '{}', 'at': AT}],
}


@pytest.fixture(params=['sqlite', *databases.SERVERS])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> sa.URL:
    if request.param == 'sqlite':
        return sa.make_url(f'sqlite:///{tmp_path}/pileus.sqlite')
    return databases.create(request.param)


@pytest.fixture
def directory(url: sa.URL, tmp_path: Path) -> Path:
    return config_dir(tmp_path, {'desk': DESK}, {
        'database': {'connection': databases.config_url(url)}})


@pytest.fixture
def engine(url: sa.URL) -> Iterator[sa.Engine]:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    yield engine
    engine.dispose()


@pytest.fixture
def released(engine: sa.Engine) -> sa.Engine:
    """A database as the first release left it, with a desk in it."""
    text = (HERE / 'released' / f'{engine.dialect.name}.sql').read_text()
    with engine.begin() as connection:
        for statement in text.split(';\n'):
            if statement.strip():
                connection.exec_driver_sql(statement)
        for name, rows in ROWS.items():
            for row in rows:
                connection.execute(sa.insert(sa.table(
                    name, *map(sa.column, row))).values(**_times(engine, row)))
    return engine


def _times(engine: sa.Engine, row: dict[str, Any]) -> dict[str, Any]:
    """Return the row with times as the service writes them on SQLite."""
    if engine.dialect.name != 'sqlite':
        return row
    return {name: f'{value.replace(" ", "T")}Z' if value == AT else value
            for name, value in row.items()}


def command(directory: Path, *words: str, failpoint: str = ''
            ) -> subprocess.Popen[str]:
    script = Path(sys.executable).with_name('pileus-manage')
    return subprocess.Popen(
        [str(script), '--config-dir', str(directory), *words],
        env={**os.environ, 'PILEUS_FAILPOINTS': failpoint}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def layout(engine: sa.Engine) -> dict[str, Any]:
    """Return the core tables in a form to compare."""
    with engine.connect() as connection:
        inspector = sa.inspect(connection)
        return {name: (
            {column['name']: (
                layouts.type_name(column['type'], engine.dialect),
                column['nullable'])
             for column in inspector.get_columns(name)},
            inspector.get_pk_constraint(name)['constrained_columns'],
            {index['name']: index['column_names']
             for index in inspector.get_indexes(name)})
            for name in inspector.get_table_names()
            if name.startswith('pileus_')}


def version(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        return migrations.version(connection)


def test_every_version_has_its_script_and_the_last_is_the_newest():
    scripts = sorted((Path(migrations.__file__).parent / 'versions').glob(
        'v0*.py'))
    assert [script.name[1:5] for script in scripts] == list(
        migrations.VERSIONS)


@pytest.mark.parametrize('begun', [False, True])
def test_an_upgrade_from_nothing_creates_the_newest_tables(engine, begun):
    """DB09: also if an upgrade that was killed has created a table."""
    migrations.upgrade(engine)
    fresh = layout(engine)
    metadata = sa.MetaData()
    core.build(metadata)
    metadata.drop_all(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(f'DELETE FROM {migrations.TABLE}')
        if begun:
            connection.exec_driver_sql(
                'CREATE TABLE pileus_counter (id INTEGER NOT NULL PRIMARY '
                'KEY, n BIGINT NOT NULL, generation BIGINT NOT NULL)')
    migrations.upgrade(engine)
    assert layout(engine) == fresh


def test_an_upgrade_of_the_first_release_preserves_all_records(
        released, directory):
    """DB09: with their tags and revisions."""
    assert manage.main(['--config-dir', str(directory), 'db',
                        'upgrade']) == 0
    assert version(released) == migrations.HEAD
    schema.apply_configured(
        config_files.load(['--config-dir', str(directory)]))
    served = Application(directory)
    [desk] = served.request('GET', '/v1/desks?tags=oak').json['desks']
    assert (desk['id'], desk['name'], desk['bought_at'], desk['tags'],
            desk['metadata']) == (ID, 'by the door',
                                  '2026-01-01T00:00:00.000001Z', ['oak'],
                                  {'a': 'b'})
    history = served.request('GET', f'/v1/desks/{ID}/revisions')
    assert [revision['number']
            for revision in history.json['revisions']] == [1]
    created = served.request('POST', '/v1/desks',
                             {'desk': {'name': 'another'}})
    assert created.status == 201
    history = served.request(
        'GET', f'/v1/desks/{created.json["desk"]["id"]}/revisions')
    assert [revision['number']
            for revision in history.json['revisions']] == [4]


def test_an_upgraded_database_has_the_tables_of_a_new_one(released):
    """DB09"""
    migrations.upgrade(released)
    upgraded = layout(released)
    metadata = sa.MetaData()
    metadata.reflect(released)
    metadata.drop_all(released)
    migrations.upgrade(released)
    assert upgraded == layout(released)


def test_an_upgrade_that_is_killed_after_each_step_is_completed(
        released, directory):
    """DB09: with kill -9, after each step that the database commits."""
    kills = 0
    for _ in range(30):
        failpoint = 'after_migration_step=kill' if kills < 29 else ''
        run = command(directory, 'db', 'upgrade', failpoint=failpoint)
        output = run.communicate(timeout=60)
        if run.returncode == 0:
            break
        assert run.returncode == -signal.SIGKILL, output
        kills += 1
        if released.dialect.name not in ('mysql', 'mariadb'):
            # All was rolled back; the same step would be next again.
            assert version(released) is None
            migrations.upgrade(released)
    assert kills >= (5 if released.dialect.name == 'mysql' else 1)
    assert version(released) == migrations.HEAD
    with released.connect() as connection:
        for name, rows in ROWS.items():
            assert connection.scalar(sa.select(sa.func.count()).select_from(
                sa.table(name))) == len(rows)


def test_the_second_of_two_upgrades_finds_nothing_to_do(
        released, directory):
    """DB09"""
    runs = [command(directory, 'db', 'upgrade') for _ in range(2)]
    outputs = sorted(run.communicate(timeout=60)[0] for run in runs)
    assert [run.returncode for run in runs] == [0, 0]
    assert outputs == [
        f'The core tables already have version {migrations.HEAD}.\n',
        f'The core tables now have version {migrations.HEAD}; before, they '
        f'had none.\n']


def test_tables_of_a_newer_release_are_refused(engine, directory, capsys):
    """DB09: by the commands and by a start, which change nothing."""
    migrations.upgrade(engine)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"UPDATE {migrations.TABLE} SET version_num = '0999'")
    before = layout(engine)
    for words in (('db', 'upgrade'), ('db', 'version'), ('schema', 'apply')):
        assert manage.main(['--config-dir', str(directory), *words]) == 2
        assert ('version 0999, which is of a newer release'
                in capsys.readouterr().err)
    daemon = Daemon(directory)
    daemon.launch()
    assert daemon.wait_for_exit() == 1
    assert 'version 0999, which is of a newer release' in daemon.output
    assert layout(engine) == before


def test_a_start_on_older_core_tables_is_refused(released, directory):
    """DB09: except on SQLite, where the start upgrades them."""
    conf = config_files.load(['--config-dir', str(directory)])
    if released.dialect.name == 'sqlite':
        service.open(conf).close()
        assert version(released) == migrations.HEAD
        return
    with pytest.raises(StartError) as caught:
        service.open(conf)
    assert str(caught.value).endswith(
        f'the core tables have version none, and this release needs version '
        f'{migrations.HEAD}: run pileus-manage schema apply')
    assert version(released) is None
