# SPDX-License-Identifier: Apache-2.0
"""pileus-status reports whether the service can start."""

import json
import sqlite3

import pytest

import service
from service.commands import status
from service.config import files as config_files

BOOK = '''
name: book
plural: books
properties: {title: {type: string}%s}
'''


@pytest.fixture
def directory(tmp_path):
    (tmp_path / 'resources.d').mkdir()
    (tmp_path / 'pileus.conf').write_text('[DEFAULT]\nstate_path = state\n')
    declare(tmp_path)
    return tmp_path


def declare(directory, more=''):
    (directory / 'resources.d' / 'book.yaml').write_text(BOOK % more)


def serve_once(directory):
    conf = config_files.load(['--config-dir', str(directory)])
    service.open(conf).close()


def checked(directory, capsys):
    code = status.main(['--config-dir', str(directory), 'upgrade', 'check',
                        '--json'])
    checks = json.loads(capsys.readouterr().out)['checks']
    return code, {result['check']: result['details'] for result in checks}


def test_a_missing_database_passes_and_is_not_created(directory, capsys):
    assert checked(directory, capsys) == (0, {
        'Resource types': '1 types',
        'Database': 'The next start creates the database.'})
    assert not (directory / 'state' / 'pileus.sqlite').exists()


def test_matching_tables_pass(directory, capsys):
    serve_once(directory)
    assert checked(directory, capsys)[1]['Database'] == (
        'The tables match the types.')


def test_a_new_property_is_named_before_it_is_added(directory, capsys):
    serve_once(directory)
    declare(directory, ', pages: {type: integer}')
    assert checked(directory, capsys) == (0, {
        'Resource types': '1 types',
        'Database': 'The next start changes the tables: book.pages: add the '
                    'column (online)'})


def test_a_property_that_is_no_longer_declared_fails_the_check(
        directory, capsys):
    declare(directory, ', pages: {type: integer}')
    serve_once(directory)
    declare(directory)
    code, details = checked(directory, capsys)
    assert (code, details['Database']) == (2, (
        'book.pages: drop the column and its values: declare the property, '
        'or declare "pages: {dropped: true}" to delete its values'))


def test_a_destructive_step_is_a_warning(directory, capsys):
    """The running service still works."""
    declare(directory, ', pages: {type: integer}')
    serve_once(directory)
    declare(directory, ', pages: {dropped: true}')
    code, details = checked(directory, capsys)
    assert code == 1
    assert details['Database'].startswith(
        'Run pileus-manage schema apply before the next start; the service '
        'does not start without these steps: ')
    assert 'book.pages: drop the column and its values (destructive)' in (
        details['Database'])


def test_an_invalid_type_file_fails_the_check(directory, capsys):
    declare(directory, ', pages: {type: integre}')
    code, details = checked(directory, capsys)
    assert code == 2
    assert 'book.yaml: properties.pages' in details['Resource types']


def test_a_file_that_is_no_database_fails_the_check(directory, capsys):
    (directory / 'state').mkdir()
    (directory / 'state' / 'pileus.sqlite').write_bytes(b'no database' * 99)
    code, details = checked(directory, capsys)
    assert code == 2
    assert 'file is not a database' in details['Database']


def test_without_a_config_directory_the_check_cannot_run(tmp_path, capsys):
    assert status.main(['--config-dir', str(tmp_path / 'no'),
                        'upgrade', 'check']) == 255
    assert str(tmp_path / 'no') in capsys.readouterr().err


def test_the_default_format_is_a_table(directory, capsys):
    assert status.main(['--config-dir', str(directory),
                        'upgrade', 'check']) == 0
    assert '| Result: Success' in capsys.readouterr().out


def test_the_check_changes_no_data(directory, capsys):
    serve_once(directory)
    file = directory / 'state' / 'pileus.sqlite'
    with sqlite3.connect(file) as before:
        counted = before.execute('SELECT n FROM pileus_counter').fetchall()
    checked(directory, capsys)
    with sqlite3.connect(file) as after:
        assert after.execute(
            'SELECT n FROM pileus_counter').fetchall() == counted
