# SPDX-License-Identifier: Apache-2.0
"""``pileus-api --check`` reports what a start would do, and changes nothing.

This is reliability row S05.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.functional.harness.daemon import Daemon, config_dir, configure

LAMP = '''
name: lamp
plural: lamps
properties:
  name: {type: string, maxLength: 40}
  colour: {type: string, maxLength: 20}
'''
SHADE = '''
name: shade
plural: shades
properties:
  name: {type: string, maxLength: 40}
'''


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The config directory of a service that has never started."""
    return config_dir(tmp_path, {'lamp': LAMP})


@pytest.fixture
def used_directory(directory: Path) -> Path:
    """The config directory of a stopped service with a record."""
    with Daemon(directory) as daemon:
        created = daemon.request('POST', '/v1/lamps', {'lamp': {'name': 'a'}})
        assert created.status == 201
    return directory


def declare(directory: Path, name: str, text: str) -> None:
    (directory / 'resources.d' / f'{name}.yaml').write_text(text)


def run_check(directory: Path) -> Daemon:
    """Start the command, with debug off as an operator has it."""
    configure(directory, {'DEFAULT': {'debug': False}})
    daemon = Daemon(directory, '--check')
    daemon.launch()
    return daemon


def errors(daemon: Daemon) -> list[str]:
    return [line for line in daemon.output.splitlines()
            if line.startswith('pileus-api: ')]


def state(directory: Path) -> dict[str, tuple[bytes, int]]:
    """Return the content and mtime of the database and its journal.

    The file -shm is left out: it is an index that readers share.
    """
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns)
            for path in (directory.parent / 'state').iterdir()
            if path.suffix != '.sqlite-shm'}


def catalogue_number(directory: Path) -> int:
    with closing(sqlite3.connect(
            directory.parent / 'state' / 'pileus.sqlite')) as connection:
        (number,) = connection.execute(
            'SELECT generation FROM pileus_counter').fetchone()
    return int(number)


def test_the_check_creates_no_database(directory: Path) -> None:
    """S05: the check does not create the state directory either."""
    daemon = run_check(directory)
    assert daemon.wait_for_exit() == 0, daemon.output
    assert errors(daemon) == [
        f'pileus-api: configuration is valid: {directory}']
    assert 'The database does not exist: a start creates it' in daemon.output
    assert not (directory.parent / 'state').exists()


@pytest.mark.parametrize('content', [None, b''])
def test_the_check_leaves_an_empty_state_directory_unchanged(
        directory: Path, content: bytes | None) -> None:
    """S05: an empty database file stays unchanged too."""
    folder = directory.parent / 'state'
    folder.mkdir()
    if content is not None:
        (folder / 'pileus.sqlite').write_bytes(content)
    before = state(directory)
    daemon = run_check(directory)
    assert daemon.wait_for_exit() == 0, daemon.output
    assert state(directory) == before


def test_the_check_reports_changes_of_a_start_without_making_them(
        used_directory: Path) -> None:
    """S05: the database does not change; the start makes the changes."""
    declare(used_directory, 'shade', SHADE)
    number = catalogue_number(used_directory)
    before = state(used_directory)
    daemon = run_check(used_directory)
    assert daemon.wait_for_exit() == 0, daemon.output
    assert state(used_directory) == before
    assert 'A start changes the database: shade: ' in daemon.output
    assert catalogue_number(used_directory) == number
    with Daemon(used_directory) as started:
        assert started.request('GET', '/v1/shades').status == 200
    assert catalogue_number(used_directory) == number + 1


def test_the_check_reports_nothing_if_a_start_changes_nothing(
        used_directory: Path) -> None:
    """S05"""
    before = state(used_directory)
    daemon = run_check(used_directory)
    assert daemon.wait_for_exit() == 0, daemon.output
    assert state(used_directory) == before
    assert 'A start' not in daemon.output


def test_the_check_fails_with_the_error_of_a_start(used_directory: Path
                                                   ) -> None:
    """S05: a property that records have is missing in the type file."""
    declare(used_directory, 'lamp', LAMP.replace('colour', 'color'))
    before = state(used_directory)
    daemon = run_check(used_directory)
    assert daemon.wait_for_exit() == 1
    assert state(used_directory) == before
    start = Daemon(used_directory)
    start.launch()
    assert start.wait_for_exit() == 1
    assert 'run pileus-manage schema apply' in errors(daemon)[0]
    assert errors(daemon) == errors(start)


def test_the_check_reads_the_journal_of_a_running_service(directory: Path
                                                          ) -> None:
    """S05: only the journal contains the applied types."""
    with Daemon(directory) as started:
        assert started.request('POST', '/v1/lamps', {
            'lamp': {'name': 'a'}}).status == 201
        declare(directory, 'lamp', LAMP.replace('colour', 'color'))
        before = state(directory)
        daemon = run_check(directory)
        assert daemon.wait_for_exit() == 1
        assert any('lamp' in line for line in errors(daemon))
        after = state(directory)
    assert after == before and 'pileus.sqlite-wal' in before


@pytest.mark.parametrize(('path', 'message'), [
    ('nosuch/x.sqlite', 'unable to open database file'),
    ('etc/pileus.conf', 'file is not a database')])
def test_an_unusable_database_fails_the_check(
        directory: Path, path: str, message: str) -> None:
    """S05"""
    configure(directory, {'database': {
        'connection': f'sqlite:///{directory.parent / path}',
        'max_retries': 0}})
    daemon = run_check(directory)
    assert daemon.wait_for_exit() == 1, daemon.output
    assert message in errors(daemon)[0]


@pytest.mark.parametrize('below', ['', 'below'])
def test_a_file_in_place_of_the_state_directory_fails_the_check(
        directory: Path, below: str) -> None:
    """S05: the error is that of a start, and nothing is created."""
    file = directory.parent / 'state'
    file.write_text('')
    configure(directory, {'DEFAULT': {'state_path': file / below}})
    daemon = run_check(directory)
    assert daemon.wait_for_exit() == 1, daemon.output
    assert 'cannot make' in errors(daemon)[0]
    start = Daemon(directory)
    start.launch()
    assert start.wait_for_exit() == 1
    assert errors(daemon) == errors(start)
    assert file.read_text() == ''
