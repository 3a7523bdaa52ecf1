# SPDX-License-Identifier: Apache-2.0
"""The two files of auth_strategy http_basic, read and written."""

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


def test_a_user_is_what_both_files_say_together(files):
    found = read(files, f'# who\n\nada:{HASH}\nbob:{HASH}\n',
                 'ada: {project_id: p1, roles: [Admin, " reader "]}\n'
                 '"007": {user_id: james}\n')
    assert list(found) == ['007', 'ada', 'bob']
    assert found['ada'] == account_files.Account(
        'ada', HASH.encode(), 'p1', None, frozenset({'admin', 'reader'}))
    assert found['007'].hash is None and found['007'].user_id == 'james'
    assert found['bob'].roles == frozenset()


@pytest.mark.parametrize(('line', 'why'), [
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
def test_a_wrong_line_is_named_by_its_number_and_not_shown(files, line, why):
    """It may be a password in a line without a colon."""
    with pytest.raises(StartError) as caught:
        read(files, f'bob:{HASH}\n{line}\n')
    assert str(caught.value).startswith(f'{files[0]}: line 2: ')
    assert why in str(caught.value)
    assert line[:20] not in str(caught.value).removeprefix(files[0])


@pytest.mark.parametrize(('text', 'why'), [
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
def test_a_wrong_entry_is_named(files, text, why):
    with pytest.raises(StartError) as caught:
        read(files, '', text)
    assert str(caught.value).startswith(f'{files[1]}: ')
    assert why in str(caught.value)


def test_all_mistakes_are_told_at_once(files):
    with pytest.raises(StartError) as caught:
        read(files, f'ada:x\nbob:{HASH}\nbob:{HASH}\n',
             'ada: {roles: 1, user_id: 2}\n')
    assert len(str(caught.value).splitlines()) == 4


def test_a_file_that_cannot_be_read_is_named(files):
    with pytest.raises(StartError) as caught:
        account_files.read(*files)
    assert files[0] in str(caught.value)
    with open(files[0], 'wb') as file:
        file.write(b'\xff')
    with pytest.raises(StartError) as caught:
        account_files.read(*files)
    assert str(caught.value) == f'{files[0]}: is not UTF-8'


def test_a_user_is_put_and_dropped_again(files):
    account_edits.put(*files, 'ada', 'one', {'roles': ['member']})
    account_edits.put(*files, 'jürgen', 'two', {'user_id': 'ü'})
    account_edits.put(*files, 'ada', 'three', {'roles': ['reader']})
    found = account_files.read(*files)
    assert found['ada'].roles == {'reader'}
    assert found['jürgen'].user_id == 'ü'
    assert bcrypt.checkpw(b'three', found['ada'].hash)
    assert account_files.cost(found['ada'].hash) == 12
    account_edits.remove(*files, 'ada')
    assert list(account_files.read(*files)) == ['jürgen']


def test_lines_about_others_stay_as_they_were(files):
    read(files, f'# first\nada:{HASH}\n\nbob:{HASH}\n', '')
    account_edits.remove(*files, 'bob')
    with open(files[0]) as file:
        assert file.read() == f'# first\nada:{HASH}\n\n'


def test_only_the_owner_may_read_what_is_written(files):
    before = os.umask(0)
    try:
        account_edits.put(*files, 'ada', 'one', {})
    finally:
        os.umask(before)
    assert [os.stat(path).st_mode & 0o777 for path in files] == [0o600] * 2


@pytest.mark.skipif(os.geteuid() != 0, reason='only root gives files away')
def test_a_file_stays_whose_it_was(files):
    """Root changes it, and the service still has to read it."""
    read(files)
    for path in files:
        os.chown(path, 65534, 65534)
    account_edits.put(*files, 'ada', 'one', {})
    assert {os.stat(path).st_uid for path in files} == {65534}


def test_nothing_half_done_stays_behind(files, tmp_path):
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


def test_two_at_once_lose_nobody(files):
    names = [f'user{number}' for number in range(6)]
    put = [threading.Thread(target=account_edits.put, args=(
        *files, name, 'x', {'roles': ['reader']})) for name in names]
    for one in put:
        one.start()
    for one in put:
        one.join()
    found = account_files.read(*files)
    assert list(found) == names
    assert all(one.hash and one.roles for one in found.values())
