# SPDX-License-Identifier: Apache-2.0
"""Types in the database and types in files (D24, D25).

These tests cover the types with which a service starts, and the loading of
newer types by a running service.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import service
from service.commands import schema
from service.config import files as config_files
from service.domain.typefiles import type_files
from service.errors import StartError
from service.storage import migrations
from service.storage.schema import applied_types
from tests.functional.harness import databases
from tests.functional.harness.daemon import (
    WAIT_SECONDS,
    Daemon,
    Gunicorn,
    config_dir,
    database,
)
from tests.functional.harness.in_process import Application

BOOK = '''
name: book
plural: books
properties:
  title: {type: string}
  shelf: {type: string}
required: [title]
'''
PAGES = BOOK.replace('required', '''\
  pages: {type: integer, default: 100, since: "1.1"}
required''')
DROPPED = BOOK.replace('shelf: {type: string}', 'shelf: {dropped: true}')
LATEST = {'OpenStack-API-Version': 'pileus latest'}
SERVERS = pytest.mark.parametrize('directory', [*databases.SERVERS],
                                  indirect=True)


@pytest.fixture(params=['sqlite', *databases.SERVERS])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A config directory with one type, on each database."""
    chosen = {} if request.param == 'sqlite' else {'database': {
        'connection': databases.config_url(databases.create(request.param))}}
    return config_dir(tmp_path, {'book': BOOK}, chosen)


@pytest.fixture
def served(directory: Path) -> Application:
    return Application(directory)


@pytest.fixture
def engine(directory: Path, served: Application) -> Iterator[sa.Engine]:
    """A separate engine that changes the database of a running service."""
    separate_engine = database(directory)
    yield separate_engine
    separate_engine.dispose()


def write_types(directory: Path, text: str) -> None:
    (directory / 'resources.d' / 'book.yaml').write_text(text)


def load(directory: Path) -> Any:
    return config_files.load(['--config-dir', str(directory)])


def apply(directory: Path, text: str) -> int:
    write_types(directory, text)
    return schema.apply_configured(load(directory)).catalogue_number


def refused(directory: Path) -> list[str]:
    """The lines of the error of a refused start."""
    with pytest.raises(StartError) as caught:
        service.open(load(directory))
    return str(caught.value).splitlines()


def made(served: Application, **values: object) -> Any:
    """Create a book, at the newest version of the answering worker."""
    return served.request('POST', '/v1/books', {
        'book': {'title': 'a', **values}}, LATEST)


def begin_apply(engine: sa.Engine, text: str) -> int:
    """Begin an apply; return its catalogue number."""
    with engine.begin() as connection:
        return applied_types.begin(connection,
                                   type_files.parse({'book.yaml': text}))


def end_apply(engine: sa.Engine, number: int) -> None:
    with engine.begin() as connection:
        applied_types.publish(connection, number)


# A start

@SERVERS
def test_a_start_does_not_change_a_database_server(directory):
    lines = refused(directory)
    assert lines[0].endswith(
        f'needs version {migrations.HEAD}: run pileus-manage schema apply')
    apply(directory, BOOK)
    service.open(load(directory)).close()


@SERVERS
def test_a_start_with_types_that_were_never_applied_lists_the_steps(
        directory):
    apply(directory, BOOK)
    write_types(directory, PAGES)
    assert refused(directory) == [
        '[api] types_dir: the type files are not applied to the database; '
        'run pileus-manage schema apply, which carries out these steps:',
        'book.pages: add the column (online)']


def test_a_start_never_removes_anything(directory):
    """SQLite is included, although a start on SQLite applies additions."""
    apply(directory, BOOK)
    write_types(directory, DROPPED)
    assert ('book.shelf: drop the column and its values (destructive)'
            in refused(directory))
    write_types(directory, BOOK)
    assert Application(directory).request('GET', '/v1/books').status == 200


def test_a_start_names_the_remedy_for_refused_steps(directory):
    """The message does not recommend an apply that would be refused."""
    apply(directory, BOOK)
    book = directory / 'resources.d' / 'book.yaml'
    book.rename(book.with_name('desk.yaml'))
    book.with_name('desk.yaml').write_text(
        BOOK.replace('name: book\nplural: books', 'name: desk\nplural: desks'))
    first, *lines = refused(directory)
    assert first.endswith('; correct what is refused, then run pileus-manage '
                          'schema apply, which carries out these steps:')
    assert lines[-1] == (
        'refused: book: drop the table and its 0 records: declare the type, '
        'or declare "{name: book, plural: books, dropped: true}" to delete '
        'its records')


def test_a_start_names_the_option_that_keeps_violating_records(
        directory, served):
    made(served, shelf='left')
    write_types(directory, BOOK.replace('shelf: {', 'shelf: {enum: [right], '))
    *_, broken, help_ = refused(directory)
    assert broken.startswith('refused: book.shelf: ')
    assert '1 violating record ' in broken
    assert help_ == 'to keep these records unchanged, use --keep-broken'


@pytest.mark.parametrize('directory', ['sqlite'], indirect=True)
def test_a_start_on_sqlite_applies_additions(directory, served):
    write_types(directory, PAGES)
    again = Application(directory)
    assert again.request('GET', '/v1/types').json['generation'] == 2
    assert made(again).json['book']['pages'] == 100


def test_equal_files_make_no_new_catalogue_number(directory, served):
    write_types(directory, f'# The books.\n{BOOK}')
    again = Application(directory)
    assert again.request('GET', '/v1/types').json['generation'] == 1


@SERVERS
def test_a_start_with_older_files_serves_the_applied_types(directory, caplog):
    """A worker may restart in the middle of a roll-out."""
    apply(directory, BOOK)
    apply(directory, PAGES)
    write_types(directory, BOOK)
    served = Application(directory)
    assert made(served).json['book']['pages'] == 100
    assert ('the type files are those of catalogue number 1, but number 2 is '
            'applied' in caplog.text)


@SERVERS
def test_a_start_while_types_are_applied_is_refused(directory, engine):
    begin_apply(engine, PAGES)
    assert 'resource types are being applied' in refused(directory)[0]
    write_types(directory, PAGES)
    assert 'resource types are being applied' in refused(directory)[0]


# A running service

def test_the_first_write_after_an_apply_uses_the_new_types(directory,
                                                           served):
    assert apply(directory, PAGES) == 2
    assert made(served).json['book']['pages'] == 100
    assert served.request('GET', '/v1/types').json['generation'] == 2


def test_a_read_of_a_dropped_column_uses_the_new_types(directory,
                                                       served):
    made(served, shelf='left')
    apply(directory, DROPPED)
    [book] = served.request('GET', '/v1/books').json['books']
    assert 'shelf' not in book


def test_discovery_shows_the_new_version_after_an_apply(directory, served):
    apply(directory, PAGES)
    until = time.monotonic() + WAIT_SECONDS
    version = ''
    while version != '1.1' and time.monotonic() < until:
        version = served.request('GET', '/').json['versions'][0]['max_version']
    assert version == '1.1'


def test_during_an_apply_reads_succeed_and_writes_are_refused(
        served, engine):
    book = made(served).json['book']
    path = f'/v1/books/{book["id"]}'
    number = begin_apply(engine, PAGES)
    reply = made(served)
    assert (reply.status, reply.json['errors'][0]['code'],
            reply.headers['Retry-After']) == (503, 'pileus.types-changing',
                                              '1')
    for method in ('PUT', 'PATCH'):
        body = {'book': {'title': 'another'}}
        assert served.request(method, path, body).status == 503
    assert served.request('DELETE', path).status == 503
    assert served.request('PUT', f'{path}/tags/red').status == 503
    assert served.request('PUT', '/v1/quotas/demo', {
        'quota': {'books': 3}}).status == 503
    assert served.request('GET', path).json['book'] == book
    same = {'book': {'title': 'a'}}
    assert served.request('PATCH', path, same).status == 200
    with engine.begin() as connection:
        connection.exec_driver_sql(
            'ALTER TABLE r_books ADD COLUMN pages BIGINT DEFAULT 100 NOT '
            'NULL')
    end_apply(engine, number)
    assert made(served).json['book']['pages'] == 100


def test_reads_succeed_if_a_newer_release_applied_unknown_types(
        served, engine, caplog):
    made(served)
    with engine.begin() as connection:
        number = applied_types.begin(
            connection, type_files.parse({'book.yaml': BOOK}))
        connection.execute(sa.text(
            'UPDATE pileus_catalogues SET files = :files '
            'WHERE generation = :number'), {
                'files': '{"book.yaml":"name: book\\nplural: books\\n'
                         'flavour: sweet"}', 'number': number})
        applied_types.publish(connection, number)
    for _ in range(3):
        assert made(served).status == 503
        assert served.request('GET', '/v1/books').status == 200
    assert caplog.text.count('Newer resource types cannot be loaded') == 1
    assert 'flavour' in caplog.text


@pytest.mark.parametrize('directory', ['sqlite', 'postgresql'],
                         indirect=True)
def test_a_reload_with_unapplied_types_keeps_the_previous_types(directory):
    """S04: the log has the plan."""
    with Daemon(directory) as daemon:
        write_types(directory, DROPPED)
        daemon.reload()
        reply = daemon.request('POST', '/v1/books', {
            'book': {'title': 'a', 'shelf': 'left'}})
    assert reply.status == 201
    assert ('reload refused, the previous configuration stays in force'
            in daemon.output)
    assert ('book.shelf: drop the column and its values (destructive)'
            in daemon.output)
    assert ('schema apply, which carries out these steps: book'
            in daemon.output)


@pytest.mark.parametrize('directory', ['sqlite'], indirect=True)
def test_another_wsgi_server_loads_new_types_too(directory):
    with Gunicorn(directory) as server:
        assert server.request('GET', '/v1/types').json['generation'] == 1
        apply(directory, PAGES)
        reply = server.request('POST', '/v1/books', {
            'book': {'title': 'a'}}, LATEST)
    assert (reply.status, reply.json['book']['pages']) == (201, 100)
