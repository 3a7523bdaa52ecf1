# SPDX-License-Identifier: Apache-2.0
"""The account files of http_basic: reading and writing."""

from __future__ import annotations

import os
import resource
import threading

import bcrypt
import pytest

from service.accounts import account_edits, account_files
from service.errors import StartError

HASH = '$2y$05$' + 'a' * 21 + 'e' + 'b' * 31


@pytest.fixture
def files(tmp_path):
    return str(tmp_path / 'htpasswd'), str(tmp_path / 'users.yaml')


def read(files, passwords='', users=''):
    for path, text in zip(files, (passwords, users), strict=True):
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
    return account_files.read(*files)


def test_a_user_combines_both_files(files):
    accounts = read(files, f'# who\n\nada:{HASH}\nbob:{HASH}\n',
                    'ada: {project_id: p1, roles: [Admin, " reader "]}\n'
                    '"007": {user_id: james}\n')
    assert list(accounts) == ['007', 'ada', 'bob']
    assert accounts['ada'] == account_files.Account(
        'ada', HASH.encode(), 'p1', None, frozenset({'admin', 'reader'}))
    assert accounts['007'].hash is None and accounts['007'].user_id == 'james'
    assert accounts['bob'].roles == frozenset()


@pytest.mark.parametrize(('line', 'problem'), [
    ('ada', 'the line is not of the form name:hash'),
    ('ada:', 'the hash is not a bcrypt hash'),
    ('ada:$apr1$x$y', 'the hash is not a bcrypt hash'),
    ('ada:plain', 'the hash is not a bcrypt hash'),
    (f'ada:{HASH[:-1]}', 'the hash is not a bcrypt hash'),
    (f'ada:{HASH}x', 'the hash is not a bcrypt hash'),
    (f'ada:{HASH.replace("$05$", "$31$")}', 'the hash is not a bcrypt hash'),
    (f':{HASH}', 'a name must not be empty'),
    (f' ada:{HASH}', 'begin or end with a blank'),
    (f'a\x07da:{HASH}', 'a control character'),
    (f'{"a" * 256}:{HASH}', 'not have more than 255'),
])
def test_an_invalid_line_is_reported_by_number_and_not_shown(
        files, line, problem):
    """A line without a colon may be a password."""
    with pytest.raises(StartError) as caught:
        read(files, f'bob:{HASH}\n{line}\n')
    assert str(caught.value).startswith(f'{files[0]}: line 2: ')
    assert problem in str(caught.value)
    assert line[:20] not in str(caught.value).removeprefix(files[0])


@pytest.mark.parametrize(('text', 'problem'), [
    ('[ada]', 'is not a mapping of user names'),
    ('ada: {', 'is not valid YAML at line'),
    ('ada: [admin]', 'ada: is not a mapping of project_id, roles, user_id'),
    ('ada: {role: [admin]}', 'ada: role: is unknown'),
    ('ada: {roles: admin}', 'ada: roles: is not a list of names'),
    ('ada: {roles: [1]}', 'ada: roles: is not a list of names'),
    ('ada: {roles: [""]}', 'ada: roles: is not a list of names'),
    ('ada: {project_id: 7}', 'ada: project_id: is not text'),
    (f'ada: {{project_id: {"p" * 65}}}',
     'ada: project_id: is not text of 1 to 64 characters'),
    ('ada: {user_id: ""}', 'ada: user_id: is not text'),
    ('7: {}', '7: the name is not text'),
    ('"a:b": {}', 'a:b: a name must not have a colon'),
    ('!!python/object/apply:os.system ["x"]', 'is not valid YAML'),
])
def test_an_invalid_entry_is_reported_by_name(files, text, problem):
    with pytest.raises(StartError) as caught:
        read(files, '', text)
    assert str(caught.value).startswith(f'{files[1]}: ')
    assert problem in str(caught.value)


def test_all_mistakes_are_reported_at_once(files):
    with pytest.raises(StartError) as caught:
        read(files, f'ada:x\nbob:{HASH}\nbob:{HASH}\n',
             'ada: {roles: 1, user_id: 2}\n')
    assert len(str(caught.value).splitlines()) == 4


def test_an_unreadable_file_is_named(files):
    with pytest.raises(StartError) as caught:
        account_files.read(*files)
    assert files[0] in str(caught.value)
    with open(files[0], 'wb') as file:
        file.write(b'\xff')
    with pytest.raises(StartError) as caught:
        account_files.read(*files)
    assert str(caught.value) == f'{files[0]}: is not UTF-8'


def test_a_user_is_added_changed_and_removed(files):
    account_edits.put(*files, 'ada', 'one', {'roles': ['member']})
    account_edits.put(*files, 'jürgen', 'two', {'user_id': 'ü'})
    account_edits.put(*files, 'ada', 'three', {'roles': ['reader']})
    accounts = account_files.read(*files)
    assert accounts['ada'].roles == {'reader'}
    assert accounts['jürgen'].user_id == 'ü'
    assert bcrypt.checkpw(b'three', accounts['ada'].hash)
    assert account_files.cost(accounts['ada'].hash) == 12
    account_edits.remove(*files, 'ada')
    assert list(account_files.read(*files)) == ['jürgen']


def test_lines_of_other_users_are_unchanged(files):
    read(files, f'# first\nada:{HASH}\n\nbob:{HASH}\n', '')
    account_edits.remove(*files, 'bob')
    with open(files[0]) as file:
        assert file.read() == f'# first\nada:{HASH}\n\n'


def test_only_the_owner_can_read_the_files(files):
    before = os.umask(0)
    try:
        account_edits.put(*files, 'ada', 'one', {})
    finally:
        os.umask(before)
    assert [os.stat(path).st_mode & 0o777 for path in files] == [0o600] * 2


@pytest.mark.skipif(os.geteuid() != 0, reason='only root gives files away')
def test_a_file_keeps_its_owner(files):
    """Root edits the file, and the service must still read it."""
    read(files)
    for path in files:
        os.chown(path, 65534, 65534)
    account_edits.put(*files, 'ada', 'one', {})
    assert {os.stat(path).st_uid for path in files} == {65534}


def test_a_failed_write_leaves_no_temporary_file(files, tmp_path):
    os.mkdir(files[1])
    with pytest.raises(StartError) as caught:
        account_edits.put(*files, 'ada', 'one', {})
    assert files[1] in str(caught.value)
    assert os.listdir(tmp_path) == ['users.yaml']


def test_a_full_disk_changes_nothing(files, tmp_path):
    account_edits.put(*files, 'ada', 'one', {'roles': ['reader']})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, hard))
    try:
        with pytest.raises(StartError) as caught:
            account_edits.put(*files, 'bob', 'two', {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(caught.value).startswith(f'{files[1]}: cannot be written: ')
    assert sorted(os.listdir(tmp_path)) == ['htpasswd', 'users.yaml']
    assert list(account_files.read(*files)) == ['ada']


def test_concurrent_writers_lose_no_user(files):
    names = [f'user{number}' for number in range(6)]
    writers = [threading.Thread(target=account_edits.put, args=(
        *files, name, 'x', {'roles': ['reader']})) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    accounts = account_files.read(*files)
    assert list(accounts) == names
    assert all(account.hash and account.roles for account in accounts.values())
