# SPDX-License-Identifier: Apache-2.0
"""``pileus-api --check``: what a start would do, and nothing done (S05)."""

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
    """Of a service that has never started."""
    return config_dir(tmp_path, {'lamp': LAMP})


@pytest.fixture
def served(directory: Path) -> Path:
    """Of one that has, and holds a record."""
    with Daemon(directory) as running:
        made = running.request('POST', '/v1/lamps', {'lamp': {'name': 'a'}})
        assert made.status == 201
    return directory


def declare(directory: Path, name: str, text: str) -> None:
    (directory / 'resources.d' / f'{name}.yaml').write_text(text)


def checked(directory: Path) -> Daemon:
    """The ended command, whose lines are those of an operator's setting."""
    configure(directory, {'DEFAULT': {'debug': False}})
    daemon = Daemon(directory, '--check')
    daemon.launch()
    return daemon


def said(daemon: Daemon) -> list[str]:
    return [line for line in daemon.output.splitlines()
            if line.startswith('pileus-api: ')]


def state(directory: Path) -> dict[str, tuple[bytes, int]]:
    """The database and its journal, and when each was written.

    Not what its readers share, which is no part of it.
    """
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns)
            for path in (directory.parent / 'state').iterdir()
            if path.suffix != '.sqlite-shm'}


def generation(directory: Path) -> int:
    with closing(sqlite3.connect(
            directory.parent / 'state' / 'pileus.sqlite')) as connection:
        (found,) = connection.execute(
            'SELECT generation FROM pileus_counter').fetchone()
    return int(found)


def test_where_nothing_is_nothing_is_made(directory: Path) -> None:
    """S05: neither the database nor the state directory."""
    daemon = checked(directory)
    assert daemon.wait_for_exit() == 0, daemon.output
    assert said(daemon) == [
        f'pileus-api: configuration is valid: {directory}']
    assert 'There is no database yet: a start creates it' in daemon.output
    assert not (directory.parent / 'state').exists()


@pytest.mark.parametrize('there', [None, b''])
def test_an_empty_state_directory_stays_as_it_is(
        directory: Path, there: bytes | None) -> None:
    """S05: and so does an empty file."""
    kept = directory.parent / 'state'
    kept.mkdir()
    if there is not None:
        (kept / 'pileus.sqlite').write_bytes(there)
    before = state(directory)
    daemon = checked(directory)
    assert daemon.wait_for_exit() == 0, daemon.output
    assert state(directory) == before


def test_what_a_start_would_add_is_told_and_not_added(served: Path) -> None:
    """S05: not a byte of the database is another; the start then does it."""
    declare(served, 'shade', SHADE)
    number = generation(served)
    before = state(served)
    daemon = checked(served)
    assert daemon.wait_for_exit() == 0, daemon.output
    assert state(served) == before
    assert 'A start changes the database: shade: ' in daemon.output
    assert generation(served) == number
    with Daemon(served) as running:
        assert running.request('GET', '/v1/shades').status == 200
    assert generation(served) == number + 1


def test_where_all_is_as_declared_nothing_is_told(served: Path) -> None:
    """S05"""
    before = state(served)
    daemon = checked(served)
    assert daemon.wait_for_exit() == 0, daemon.output
    assert state(served) == before
    assert 'A start' not in daemon.output


def test_what_a_start_refuses_is_refused_in_its_words(served: Path) -> None:
    """S05: a property that records have is gone from the file."""
    declare(served, 'lamp', LAMP.replace('colour', 'color'))
    before = state(served)
    daemon = checked(served)
    assert daemon.wait_for_exit() == 1
    assert state(served) == before
    start = Daemon(served)
    start.launch()
    assert start.wait_for_exit() == 1
    assert 'run pileus-manage schema apply' in said(daemon)[0]
    assert said(daemon) == said(start)


def test_a_service_that_runs_is_looked_at_as_it_is(directory: Path) -> None:
    """S05: also what stands in its journal only."""
    with Daemon(directory) as running:
        assert running.request('POST', '/v1/lamps', {
            'lamp': {'name': 'a'}}).status == 201
        declare(directory, 'lamp', LAMP.replace('colour', 'color'))
        before = state(directory)
        daemon = checked(directory)
        assert daemon.wait_for_exit() == 1
        assert any('lamp' in line for line in said(daemon))
        after = state(directory)
    assert after == before and 'pileus.sqlite-wal' in before


@pytest.mark.parametrize(('path', 'told'), [
    ('nosuch/x.sqlite', 'unable to open database file'),
    ('etc/pileus.conf', 'file is not a database')])
def test_a_database_that_cannot_be_is_named(
        directory: Path, path: str, told: str) -> None:
    """S05"""
    configure(directory, {'database': {
        'connection': f'sqlite:///{directory.parent / path}',
        'max_retries': 0}})
    daemon = checked(directory)
    assert daemon.wait_for_exit() == 1, daemon.output
    assert told in said(daemon)[0]


@pytest.mark.parametrize('below', ['', 'below'])
def test_a_file_in_the_place_of_the_state_directory_is_refused(
        directory: Path, below: str) -> None:
    """S05: in the words of a start, and nothing is made."""
    file = directory.parent / 'state'
    file.write_text('')
    configure(directory, {'DEFAULT': {'state_path': file / below}})
    daemon = checked(directory)
    assert daemon.wait_for_exit() == 1, daemon.output
    assert 'cannot make' in said(daemon)[0]
    start = Daemon(directory)
    start.launch()
    assert start.wait_for_exit() == 1
    assert said(daemon) == said(start)
    assert file.read_text() == ''
