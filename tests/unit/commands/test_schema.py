# SPDX-License-Identifier: Apache-2.0
"""pileus-manage schema: steps, output and exit status."""

import json
import sqlite3

import pytest

from service.commands import manage

BOOK = '''
name: book
plural: books
scope: cloud
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


def run(directory, capsys, *words):
    status = manage.main(['--config-dir', str(directory), 'schema', *words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def steps(directory, capsys):
    status, out, _ = run(directory, capsys, 'plan', '--format', 'json')
    return status, json.loads(out)['steps']


def fill(directory, *titles):
    with sqlite3.connect(directory / 'state' / 'pileus.sqlite') as books:
        for number, title in enumerate(titles):
            books.execute(
                "INSERT INTO r_books VALUES (?, 1, '2026', '2026', '[]', "
                "'{}', ?)", (f'id-{number}', title))


def test_a_plan_names_the_core_tables_and_the_types(directory, capsys):
    status, planned = steps(directory, capsys)
    assert status == 1
    assert [step['name'] for step in planned] == ['database', 'book']
    assert planned[1]['what'] == 'create the table'
    assert planned[1]['class'] == 'online'
    assert planned[1]['ddl'][0].startswith('CREATE TABLE r_books (')
    assert (planned[1]['broken_rows'], planned[1]['sample_ids'],
            planned[1]['refused']) == (0, [], None)


def test_a_plan_changes_nothing(directory, capsys):
    assert steps(directory, capsys) == steps(directory, capsys)


def test_apply_prints_its_steps_and_leaves_an_empty_plan(directory, capsys):
    status, out, err = run(directory, capsys, 'apply')
    assert (status, out.splitlines()) == (0, [
        'STEP  CHANGE            CLASS   VIOLATIONS',
        'book  create the table  online',
        'Catalogue 1 is in force.'])
    assert err.splitlines() == ['1 of 1: book: create the table (online)']
    assert run(directory, capsys, 'plan') == (
        0, 'The tables match the type files.\n', '')
    assert steps(directory, capsys) == (0, [])
    assert run(directory, capsys, 'apply') == (
        0, 'The tables match the type files.\n'
           'Catalogue 1 is in force.\n', '')


def test_the_table_is_followed_by_the_statements(directory, capsys):
    run(directory, capsys, 'apply')
    declare(directory, ', pages: {type: integer}')
    assert run(directory, capsys, 'plan') == (1, (
        'STEP        CHANGE          CLASS   VIOLATIONS\n'
        'book.pages  add the column  online\n'
        'ALTER TABLE r_books ADD COLUMN pages BIGINT;\n'), '')


def test_refused_steps_are_printed_and_nothing_changes(directory, capsys):
    declare(directory, ', pages: {type: integer}')
    run(directory, capsys, 'apply')
    declare(directory, ', sheets: {type: integer}')
    status, out, err = run(directory, capsys, 'apply')
    assert (status, out) == (1, '')
    assert err.splitlines() == [
        'refused: book.pages: drop the column and its values: declare the '
        'property, or declare "pages: {dropped: true}" to delete its values',
        'nothing was changed']
    declare(directory, ', pages: {type: integer}')
    assert steps(directory, capsys) == (0, [])


def test_records_that_break_a_rule_are_counted_and_named(directory, capsys):
    run(directory, capsys, 'apply')
    fill(directory, *'aabbccdd', 'e')
    declare(directory)
    file = directory / 'resources.d' / 'book.yaml'
    file.write_text(file.read_text() + 'unique: [[title]]\n')
    status, planned = steps(directory, capsys)
    unique = next(step for step in planned if step['name'] == 'book.unique')
    assert (status, unique['broken_rows'], unique['sample_ids']) == (
        1, 8, [f'id-{number}' for number in range(5)])
    assert unique['refused'] == (
        '8 violating records (id-0, id-1, id-2, id-3, id-4, ...); correct '
        'them first')


def test_keep_broken_keeps_records_that_break_a_rule(directory, capsys):
    run(directory, capsys, 'apply')
    fill(directory, 'long')
    file = directory / 'resources.d' / 'book.yaml'
    file.write_text(file.read_text().replace('string}', 'string, enum: [a]}'))
    status, _, err = run(directory, capsys, 'apply')
    assert status == 1
    assert ('refused: book.title: enum changes from [] to [{"const": "a", '
            in err)
    assert '1 violating record (id-0)' in err
    assert 'to keep these records unchanged, use --keep-broken' in err
    status, out, _ = run(directory, capsys, 'apply', '--keep-broken')
    assert (status, out.splitlines()[-1]) == (0, 'Catalogue 2 is in force.')


def test_a_mistake_in_a_type_file_ends_with_2(directory, capsys):
    declare(directory, ', pages: {type: integre}')
    status, out, err = run(directory, capsys, 'plan')
    assert (status, out) == (2, '')
    assert err.startswith('pileus-manage: book.yaml: properties.pages')


def test_an_unusable_database_ends_with_2(directory, capsys):
    (directory / 'state').mkdir()
    (directory / 'state' / 'pileus.sqlite').write_bytes(b'no database' * 99)
    for verb in ('plan', 'apply'):
        status, out, err = run(directory, capsys, verb)
        assert (status, out) == (2, '')
        assert 'file is not a database' in err


def test_dropping_a_type_removes_its_tags_and_counts(directory, capsys):
    run(directory, capsys, 'apply')
    with sqlite3.connect(directory / 'state' / 'pileus.sqlite') as core:
        core.execute("INSERT INTO pileus_tags VALUES ('book', 'id', 'red')")
        core.execute("INSERT INTO pileus_usage VALUES ('p', 'book', 3)")
    file = directory / 'resources.d' / 'book.yaml'
    file.write_text('{name: book, dropped: true}')
    assert run(directory, capsys, 'apply')[0] == 0
    with sqlite3.connect(directory / 'state' / 'pileus.sqlite') as core:
        for table in ('pileus_tags', 'pileus_usage'):
            assert core.execute(f'SELECT * FROM {table}').fetchall() == []
    file.unlink()
    assert steps(directory, capsys) == (0, [])
