# SPDX-License-Identifier: Apache-2.0
"""Names and passwords: who is let in, and what is remembered of it."""

from __future__ import annotations

import base64
import os

import bcrypt
import pytest

from api import identity
from api.middleware import basic
from api.middleware.basic import Accounts, BasicAuth, VerifiedPasswords
from api.middleware.circuit_breaker import CircuitBreaker
from service.accounts import account_files
from service.errors import StartError
from service.hosting import offload
from tests.unit.api.calling import App, answer, environ

#: As cheap as bcrypt can be; the cost is of no matter here.
HASH = bcrypt.hashpw(b's3cret', bcrypt.gensalt(4)).decode()
OTHER = bcrypt.hashpw(b'another', bcrypt.gensalt(4)).decode()


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Native:
    """Counts what is computed, as a server's runner would do it."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    def __call__(self, work, password, hash):
        self.asked.append(hash)
        return work(password, hash)


class Door:
    """The filter on two files of its own, with a clock in the hand."""

    def __init__(self, directory, passwords=f'ada:{HASH}\n',
                 users='ada: {project_id: ours, roles: [Member], '
                       'user_id: u1}\n'):
        self.passwords = directory / 'htpasswd'
        self.users = directory / 'users.yaml'
        self.passwords.write_text(passwords)
        self.users.write_text(users)
        self.clock = Clock()
        self.native = Native()
        self.app = App()
        self.filter = BasicAuth(
            self.app,
            Accounts(str(self.passwords), str(self.users), self.clock),
            'pileus', CircuitBreaker(1, 0), VerifiedPasswords(self.clock))

    def knock(self, name='ada', password='s3cret'):
        return self.shows(header(f'{name}:{password}'))

    def shows(self, value):
        """Who the application is told calls."""
        more = {} if value is None else {'HTTP_AUTHORIZATION': value}
        answer(self.filter, environ(**{offload.RUNNER: self.native, **more}))
        return identity.identity(self.app.environ)


def header(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    return 'Basic ' + base64.b64encode(data).decode()


@pytest.fixture
def door(tmp_path):
    return Door(tmp_path)


def test_who_knows_the_password_is_who_the_files_say(door):
    found = door.knock()
    assert (found.project_id, found.user_id, found.roles) == (
        'ours', 'u1', {'member'})


def test_a_name_that_stands_in_one_file_alone(tmp_path):
    """A password without roles lets in, for nothing; roles without a
    password let nobody in."""
    door = Door(tmp_path, users='bob: {roles: [admin]}\n')
    found = door.knock()
    assert (found.project_id, found.user_id, found.roles) == (
        None, 'ada', frozenset())
    assert door.knock('bob', '') is None


@pytest.mark.parametrize(('name', 'password'), [
    ('ada', 'S3cret'), ('ada', ''), ('ada', 's3cret '), ('', 's3cret'),
    ('Ada', 's3cret'), ('bob', 's3cret'), ('ada', 's3cret\0'),
    ('ada\0', 's3cret'), ('ada', HASH), ('#ada', 's3cret')])
def test_who_does_not_is_nobody(door, name, password):
    assert door.knock(name, password) is None
    refused = identity.refusal(door.app.environ)
    assert refused.code == 'unauthenticated'
    assert refused.facts['challenge'] == (
        'Basic realm="pileus", charset="UTF-8"')


@pytest.mark.parametrize('value', [
    None, '', 'Basic', 'Basic ', 'Basic ???', 'Basic YWRh', 'Basic YWRhOnMz=',
    'Bearer ' + base64.b64encode(b'ada:s3cret').decode(), 'Basic \xe9',
    header(b'\xff\xfe:s3cret'), header('ada:s3cret') + '!',
    'Basic ' + 'A' * 9, 'Basic YWRhOnMzY3JldB=='])
def test_what_cannot_be_read_proves_nobody(door, value):
    assert door.shows(value) is None


@pytest.mark.parametrize('scheme', ['basic', 'BASIC', 'Basic '])
def test_the_scheme_is_read_as_http_has_it(door, scheme):
    sent = header('ada:s3cret').removeprefix('Basic')
    assert door.shows(scheme + sent) is not None


def test_a_password_of_any_script_with_colons(tmp_path):
    hash = bcrypt.hashpw('pä:ß'.encode(), bcrypt.gensalt(4)).decode()
    door = Door(tmp_path, f'jürgen:{hash}\n')
    assert door.knock('jürgen', 'pä:ß').user_id == 'jürgen'


def test_more_than_bcrypt_looks_at_is_not_cut(tmp_path):
    """Else two long passwords with one beginning were the same."""
    long = 'x' * account_files.MAX_PASSWORD_BYTES
    hash = bcrypt.hashpw(long.encode(), bcrypt.gensalt(4)).decode()
    door = Door(tmp_path, f'ada:{hash}\n')
    assert door.knock(password=long) is not None
    assert door.knock(password=long + 'x') is None


def test_what_was_right_is_right_for_a_minute_without_a_look(door):
    for _ in range(5):
        assert door.knock() is not None
    assert len(door.native.asked) == 1
    door.clock.now += basic.VERIFIED_SECONDS - 0.5
    assert door.knock() is not None
    assert len(door.native.asked) == 1
    door.clock.now += 1
    assert door.knock() is not None
    assert len(door.native.asked) == 2


def test_what_was_wrong_is_looked_at_each_time(door):
    assert door.knock() is not None
    for _ in range(3):
        assert door.knock(password='wrong') is None
    assert len(door.native.asked) == 4


def test_an_unknown_name_takes_as_long_as_a_known_one(door):
    """A hash of the same cost is computed, or time would tell the names."""
    door.knock('nobody')
    door.knock('ada', 'wrong')
    unknown, known = door.native.asked
    assert account_files.cost(unknown) == account_files.cost(known) == 4


def test_so_does_one_with_too_long_a_password(door):
    door.knock('nobody', 'x' * 500)
    door.knock('ada', 'x' * 500)
    assert len(door.native.asked) == 2


def test_a_new_password_holds_within_a_second_and_the_old_no_more(door):
    assert door.knock() is not None
    door.passwords.write_text(f'ada:{OTHER}\n')
    door.clock.now += basic.CHECK_SECONDS
    assert door.knock() is None
    assert door.knock(password='another') is not None


def test_a_user_who_was_removed_is_out_within_a_second(door):
    assert door.knock() is not None
    door.passwords.write_text('')
    assert door.knock() is not None
    door.clock.now += basic.CHECK_SECONDS
    assert door.knock() is None


def test_other_roles_hold_within_a_second(door):
    assert door.knock().roles == {'member'}
    door.users.write_text('ada: {roles: [reader], project_id: theirs}\n')
    door.clock.now += basic.CHECK_SECONDS
    assert door.knock().roles == {'reader'}
    assert door.knock().project_id == 'theirs'


@pytest.mark.parametrize('broken', ['ada', 'ada:{SHA}x', f'ada:{HASH}\n' * 2,
                                    None])
def test_a_broken_file_keeps_everybody_and_is_told_once(door, caplog,
                                                        broken):
    assert door.knock() is not None
    if broken is None:
        os.unlink(door.passwords)
    else:
        door.passwords.write_text(broken)
    for _ in range(3):
        door.clock.now += basic.CHECK_SECONDS
        assert door.knock() is not None
    told = [one for one in caplog.records if one.levelname == 'ERROR']
    assert len(told) == 1
    assert str(door.passwords) in told[0].getMessage()
    assert HASH not in caplog.text
    door.passwords.write_text(f'ada:{OTHER}\n')
    door.clock.now += basic.CHECK_SECONDS
    assert door.knock(password='another') is not None


def test_no_password_goes_any_further(door, caplog):
    """L03: not to the application, and not to a log at any level."""
    caplog.set_level('DEBUG')
    door.knock(password='hunter2')
    door.knock()
    assert 'HTTP_AUTHORIZATION' not in door.app.environ
    assert 'hunter2' not in caplog.text and 's3cret' not in caplog.text


def test_who_finds_too_many_passwords_before_theirs_comes_back(door):
    """It is neither looked at nor said to be wrong; whoever's was right a
    moment ago goes past the line."""
    door.knock()
    told = []

    def during(work, password, hash):
        for other in ('one', 'another', 's3cret'):
            who = door.knock(password=other)
            told.append(who.user_id if who else door.app.environ[
                identity.REFUSAL].code)
        return work(password, hash)
    door.native, looked = during, door.native
    door.knock(password='wrong')
    assert told == ['identity-unavailable', 'identity-unavailable', 'u1']
    door.native = looked
    assert door.knock(password='one') is None
    assert identity.refusal(door.app.environ).code == 'unauthenticated'


def test_no_more_is_remembered_than_has_room():
    remembered = VerifiedPasswords(Clock())
    for number in range(basic.MAX_VERIFIED + 5):
        remembered.add(HASH.encode(), b'%d' % number)
    assert not remembered.has(HASH.encode(), b'4')
    assert remembered.has(HASH.encode(), b'5')


def test_where_no_server_computes_for_it_it_does_itself(door):
    answer(door.filter, environ(HTTP_AUTHORIZATION=header('ada:s3cret')))
    assert identity.identity(door.app.environ).user_id == 'u1'


def test_files_that_are_wrong_at_the_start_stop_it(tmp_path):
    with pytest.raises(StartError):
        Door(tmp_path, 'ada:plain\n')
