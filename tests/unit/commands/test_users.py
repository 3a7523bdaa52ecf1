# SPDX-License-Identifier: Apache-2.0
"""pileus-manage user: add, list and remove users."""

from __future__ import annotations

import io
import json

import bcrypt
import pytest

from service.accounts import account_files
from service.commands import manage


class Terminal(io.StringIO):

    def isatty(self):
        return True


@pytest.fixture
def config(tmp_path):
    (tmp_path / 'pileus.conf').write_text('')
    return tmp_path


@pytest.fixture
def run(config, capsys, monkeypatch):
    """The exit status, stdout and stderr of ``pileus-manage user ...``."""
    def run(*words, stdin='s3cret\n'):
        monkeypatch.setattr('sys.stdin', io.StringIO(stdin))
        status = manage.main(['user', *words, '--config-dir', str(config)])
        return status, *capsys.readouterr()
    return run


def users(config):
    return account_files.read(str(config / 'htpasswd'),
                              str(config / 'users.yaml'))


def test_a_user_is_added_with_a_password_from_stdin(run, config):
    assert run('add', 'ada', '--project', 'demo', '--role', 'member',
               '--role', 'payroll', '--user-id', 'u1') == (
        0, 'user ada: in project demo, roles member, payroll\n', '')
    ada = users(config)['ada']
    assert (ada.project_id, ada.user_id) == ('demo', 'u1')
    assert ada.roles == {'member', 'payroll'}
    assert bcrypt.checkpw(b's3cret', ada.hash)


def test_a_user_without_project_and_roles_is_reported(run):
    assert run('add', 'ada')[1] == (
        'user ada: without a project, without a role: no access\n')


def test_an_existing_user_is_changed_only_with_replace(run, config):
    run('add', 'ada', '--role', 'reader')
    status, _, err = run('add', 'ada', '--role', 'admin', stdin='other\n')
    assert status == 2 and '--replace' in err
    assert users(config)['ada'].roles == {'reader'}
    assert run('add', 'ada', '--replace', '--role', 'admin',
               stdin='other\n')[0] == 0
    assert users(config)['ada'].roles == {'admin'}
    assert bcrypt.checkpw(b'other', users(config)['ada'].hash)


@pytest.mark.parametrize(('stdin', 'problem'), [
    ('', 'is empty'), ('\n', 'is empty'), ('a\0b\n', 'has a NUL'),
    ('x' * 73, 'longer than 72 bytes'), ('ä' * 37, 'longer than 72 bytes')])
def test_an_invalid_password_is_refused(run, config, stdin, problem):
    status, out, err = run('add', 'ada', stdin=stdin)
    assert (status, out) == (2, '')
    assert problem in err and err.count('\n') == 1
    assert not (config / 'htpasswd').exists()


@pytest.mark.parametrize('name', ['', ' ada', 'a:b', 'a\nb', '#ada',
                                  'a' * 256])
def test_an_invalid_name_is_refused(run, name):
    status, _, err = run('add', name)
    assert status == 2 and 'a name' in err and err.count('\n') == 1


def test_a_too_long_project_id_is_refused(run, config,
                                          capsys):
    with pytest.raises(SystemExit):
        run('add', 'ada', '--project', 'p' * 65)
    assert '1 to 64 characters' in capsys.readouterr().err
    assert run('add', 'ada', '--project', 'p' * 64)[0] == 0
    assert users(config)['ada'].project_id == 'p' * 64


@pytest.mark.parametrize('typed', [['one', 'one'], ['one', 'two']])
def test_a_terminal_asks_for_the_password_twice(
        config, monkeypatch, capsys, typed):
    monkeypatch.setattr('sys.stdin', Terminal())
    answers = iter(typed)
    monkeypatch.setattr('getpass.getpass', lambda prompt: next(answers))
    status = manage.main(['user', 'add', 'ada', '--config-dir', str(config)])
    same = typed[0] == typed[1]
    assert status == (0 if same else 2)
    assert (config / 'htpasswd').exists() == same


def test_a_password_is_never_an_argument(run, capsys):
    with pytest.raises(SystemExit):
        run('add', 'ada', 's3cret')
    with pytest.raises(SystemExit):
        run('add', 'ada', '--password', 's3cret')


def test_users_are_listed_without_their_hashes(run, config):
    run('add', 'ada', '--project', 'demo', '--role', 'member')
    with (config / 'users.yaml').open('a') as file:
        file.write('bob: {roles: [reader], user_id: u2}\n')
    status, out, _ = run('list')
    assert status == 0
    assert [line.split() for line in out.splitlines()] == [
        ['NAME', 'PROJECT_ID', 'ROLES', 'USER_ID', 'PASSWORD'],
        ['ada', 'demo', 'member', 'ada', 'yes'],
        ['bob', 'reader', 'u2', 'no']]
    assert json.loads(run('list', '--format', 'json')[1])[0] == {
        'name': 'ada', 'project_id': 'demo', 'roles': 'member',
        'user_id': 'ada', 'password': 'yes'}


def test_listing_no_users_succeeds(run):
    assert run('list') == (0, 'There are no users.\n', '')


def test_removing_a_user_twice_fails(run, config):
    run('add', 'ada')
    run('add', 'bob')
    assert run('remove', 'ada') == (0, 'user ada: removed\n', '')
    assert list(users(config)) == ['bob']
    status, _, err = run('remove', 'ada')
    assert status == 2 and 'user ada: does not exist' in err


def test_invalid_files_are_not_changed(run, config):
    (config / 'htpasswd').write_text('ada:plain\n')
    status, _, err = run('add', 'bob')
    assert status == 2 and 'line 1' in err and 'plain' not in err
    assert (config / 'htpasswd').read_text() == 'ada:plain\n'
