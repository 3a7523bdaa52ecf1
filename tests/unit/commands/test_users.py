# SPDX-License-Identifier: Apache-2.0
"""pileus-manage user as an operator or a script meets it."""

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


def known(config):
    return account_files.read(str(config / 'htpasswd'),
                              str(config / 'users.yaml'))


def test_a_user_is_added_by_a_password_on_stdin(run, config):
    assert run('add', 'ada', '--project', 'demo', '--role', 'member',
               '--role', 'payroll', '--user-id', 'u1') == (
        0, 'user ada: in project demo, roles member, payroll\n', '')
    ada = known(config)['ada']
    assert (ada.project_id, ada.user_id) == ('demo', 'u1')
    assert ada.roles == {'member', 'payroll'}
    assert bcrypt.checkpw(b's3cret', ada.hash)


def test_one_without_anything_is_told_to_be_so(run):
    assert run('add', 'ada')[1] == (
        'user ada: without a project, without a role: no access\n')


def test_a_user_who_is_there_is_changed_only_on_request(run, config):
    run('add', 'ada', '--role', 'reader')
    status, _, said = run('add', 'ada', '--role', 'admin', stdin='other\n')
    assert status == 2 and '--replace' in said
    assert known(config)['ada'].roles == {'reader'}
    assert run('add', 'ada', '--replace', '--role', 'admin',
               stdin='other\n')[0] == 0
    assert known(config)['ada'].roles == {'admin'}
    assert bcrypt.checkpw(b'other', known(config)['ada'].hash)


@pytest.mark.parametrize(('stdin', 'why'), [
    ('', 'is empty'), ('\n', 'is empty'), ('a\0b\n', 'has a NUL'),
    ('x' * 73, 'longer than 72 bytes'), ('ä' * 37, 'longer than 72 bytes')])
def test_a_password_that_would_not_do(run, config, stdin, why):
    status, out, said = run('add', 'ada', stdin=stdin)
    assert (status, out) == (2, '')
    assert why in said and said.count('\n') == 1
    assert not (config / 'htpasswd').exists()


@pytest.mark.parametrize('name', ['', ' ada', 'a:b', 'a\nb', '#ada',
                                  'a' * 256])
def test_a_name_that_would_not_do(run, name):
    status, _, said = run('add', name)
    assert status == 2 and 'a name' in said and said.count('\n') == 1


def test_a_project_is_no_longer_than_records_have_room_for(run, config,
                                                           capsys):
    with pytest.raises(SystemExit):
        run('add', 'ada', '--project', 'p' * 65)
    assert '1 to 64 characters' in capsys.readouterr().err
    assert run('add', 'ada', '--project', 'p' * 64)[0] == 0
    assert known(config)['ada'].project_id == 'p' * 64


@pytest.mark.parametrize('typed', [['one', 'one'], ['one', 'two']])
def test_on_a_terminal_it_is_asked_for_twice(config, monkeypatch, capsys,
                                             typed):
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


def test_users_are_listed_without_what_proves_them(run, config):
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


def test_no_user_is_no_mistake(run):
    assert run('list') == (0, 'There are no users.\n', '')


def test_a_user_is_removed_once(run, config):
    run('add', 'ada')
    run('add', 'bob')
    assert run('remove', 'ada') == (0, 'user ada: removed\n', '')
    assert list(known(config)) == ['bob']
    status, _, said = run('remove', 'ada')
    assert status == 2 and 'user ada: does not exist' in said


def test_files_that_are_broken_are_left_alone(run, config):
    (config / 'htpasswd').write_text('ada:plain\n')
    status, _, said = run('add', 'bob')
    assert status == 2 and 'line 1' in said and 'plain' not in said
    assert (config / 'htpasswd').read_text() == 'ada:plain\n'
