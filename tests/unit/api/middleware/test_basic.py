# SPDX-License-Identifier: Apache-2.0
"""HTTP Basic authentication: who is let in, and which passwords are cached."""

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

#: Hashes of the lowest cost, because the cost does not matter here.
HASH = bcrypt.hashpw(b's3cret', bcrypt.gensalt(4)).decode()
OTHER = bcrypt.hashpw(b'another', bcrypt.gensalt(4)).decode()


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Runner:
    """A server's runner that records the hashes it is given."""

    def __init__(self) -> None:
        self.hashes: list[bytes] = []

    def __call__(self, work, password, hash):
        self.hashes.append(hash)
        return work(password, hash)


class Client:
    """A client of the filter, with two account files and a clock."""

    def __init__(self, directory, passwords=f'ada:{HASH}\n',
                 users='ada: {project_id: ours, roles: [Member], '
                       'user_id: u1}\n'):
        self.passwords = directory / 'htpasswd'
        self.users = directory / 'users.yaml'
        self.passwords.write_text(passwords)
        self.users.write_text(users)
        self.clock = Clock()
        self.runner = Runner()
        self.app = App()
        self.filter = BasicAuth(
            self.app,
            Accounts(str(self.passwords), str(self.users), self.clock),
            'pileus', CircuitBreaker(1, 0), VerifiedPasswords(self.clock))

    def login(self, name='ada', password='s3cret'):
        return self.send(header(f'{name}:{password}'))

    def send(self, value):
        """Send a header; return the identity that the application receives."""
        headers = {} if value is None else {'HTTP_AUTHORIZATION': value}
        answer(self.filter,
               environ(**{offload.RUNNER: self.runner, **headers}))
        return identity.identity(self.app.environ)


def header(text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    return 'Basic ' + base64.b64encode(data).decode()


@pytest.fixture
def client(tmp_path):
    return Client(tmp_path)


def test_a_correct_password_gives_the_identity_in_the_files(client):
    caller = client.login()
    assert (caller.project_id, caller.user_id, caller.roles) == (
        'ours', 'u1', {'member'})


def test_a_user_needs_a_password_but_no_roles_to_log_in(tmp_path):
    """A user without an entry in the users file logs in without roles."""
    client = Client(tmp_path, users='bob: {roles: [admin]}\n')
    caller = client.login()
    assert (caller.project_id, caller.user_id, caller.roles) == (
        None, 'ada', frozenset())
    assert client.login('bob', '') is None


@pytest.mark.parametrize(('name', 'password'), [
    ('ada', 'S3cret'), ('ada', ''), ('ada', 's3cret '), ('', 's3cret'),
    ('Ada', 's3cret'), ('bob', 's3cret'), ('ada', 's3cret\0'),
    ('ada\0', 's3cret'), ('ada', HASH), ('#ada', 's3cret')])
def test_a_wrong_name_or_password_is_refused(client, name, password):
    assert client.login(name, password) is None
    refusal = identity.refusal(client.app.environ)
    assert refusal.code == 'unauthenticated'
    assert refusal.facts['challenge'] == (
        'Basic realm="pileus", charset="UTF-8"')


@pytest.mark.parametrize('value', [
    None, '', 'Basic', 'Basic ', 'Basic ???', 'Basic YWRh', 'Basic YWRhOnMz=',
    'Bearer ' + base64.b64encode(b'ada:s3cret').decode(), 'Basic \xe9',
    header(b'\xff\xfe:s3cret'), header('ada:s3cret') + '!',
    'Basic ' + 'A' * 9, 'Basic YWRhOnMzY3JldB=='])
def test_a_malformed_header_is_refused(client, value):
    assert client.send(value) is None


@pytest.mark.parametrize('scheme', ['basic', 'BASIC', 'Basic '])
def test_the_scheme_is_case_insensitive(client, scheme):
    credentials = header('ada:s3cret').removeprefix('Basic')
    assert client.send(scheme + credentials) is not None


def test_a_password_may_have_colons_and_any_script(tmp_path):
    hash = bcrypt.hashpw('pä:ß'.encode(), bcrypt.gensalt(4)).decode()
    client = Client(tmp_path, f'jürgen:{hash}\n')
    assert client.login('jürgen', 'pä:ß').user_id == 'jürgen'


def test_a_password_longer_than_bcrypt_reads_is_refused(tmp_path):
    """bcrypt would treat two long passwords with the same beginning alike."""
    long = 'x' * account_files.MAX_PASSWORD_BYTES
    hash = bcrypt.hashpw(long.encode(), bcrypt.gensalt(4)).decode()
    client = Client(tmp_path, f'ada:{hash}\n')
    assert client.login(password=long) is not None
    assert client.login(password=long + 'x') is None


def test_a_correct_password_is_not_hashed_again_for_a_minute(client):
    for _ in range(5):
        assert client.login() is not None
    assert len(client.runner.hashes) == 1
    client.clock.now += basic.VERIFIED_SECONDS - 0.5
    assert client.login() is not None
    assert len(client.runner.hashes) == 1
    client.clock.now += 1
    assert client.login() is not None
    assert len(client.runner.hashes) == 2


def test_a_wrong_password_is_hashed_each_time(client):
    assert client.login() is not None
    for _ in range(3):
        assert client.login(password='wrong') is None
    assert len(client.runner.hashes) == 4


def test_an_unknown_name_takes_as_long_as_a_known_one(client):
    """A hash of the same cost is computed; otherwise time would reveal names.
    """
    client.login('nobody')
    client.login('ada', 'wrong')
    unknown, known = client.runner.hashes
    assert account_files.cost(unknown) == account_files.cost(known) == 4


def test_a_too_long_password_takes_as_long_as_any(client):
    client.login('nobody', 'x' * 500)
    client.login('ada', 'x' * 500)
    assert len(client.runner.hashes) == 2


def test_a_new_password_replaces_the_old_within_a_second(client):
    assert client.login() is not None
    client.passwords.write_text(f'ada:{OTHER}\n')
    client.clock.now += basic.CHECK_SECONDS
    assert client.login() is None
    assert client.login(password='another') is not None


def test_a_removed_user_is_refused_within_a_second(client):
    assert client.login() is not None
    client.passwords.write_text('')
    assert client.login() is not None
    client.clock.now += basic.CHECK_SECONDS
    assert client.login() is None


def test_changed_roles_apply_within_a_second(client):
    assert client.login().roles == {'member'}
    client.users.write_text('ada: {roles: [reader], project_id: theirs}\n')
    client.clock.now += basic.CHECK_SECONDS
    assert client.login().roles == {'reader'}
    assert client.login().project_id == 'theirs'


@pytest.mark.parametrize('broken', ['ada', 'ada:{SHA}x', f'ada:{HASH}\n' * 2,
                                    None])
def test_an_invalid_file_keeps_all_users_and_is_logged_once(
        client, caplog, broken):
    assert client.login() is not None
    if broken is None:
        os.unlink(client.passwords)
    else:
        client.passwords.write_text(broken)
    for _ in range(3):
        client.clock.now += basic.CHECK_SECONDS
        assert client.login() is not None
    [record] = [record for record in caplog.records
                if record.levelname == 'ERROR']
    assert str(client.passwords) in record.getMessage()
    assert HASH not in caplog.text
    client.passwords.write_text(f'ada:{OTHER}\n')
    client.clock.now += basic.CHECK_SECONDS
    assert client.login(password='another') is not None


def test_no_password_reaches_the_application_or_a_log(client, caplog):
    """L03: at any log level."""
    caplog.set_level('DEBUG')
    client.login(password='hunter2')
    client.login()
    assert 'HTTP_AUTHORIZATION' not in client.app.environ
    assert 'hunter2' not in caplog.text and 's3cret' not in caplog.text


def test_a_request_behind_too_many_password_checks_gets_503(client):
    """Its password is not checked; a cached password needs no check."""
    client.login()
    results = []

    def during(work, password, hash):
        for other in ('one', 'another', 's3cret'):
            caller = client.login(password=other)
            results.append(caller.user_id if caller else client.app.environ[
                identity.REFUSAL].code)
        return work(password, hash)
    client.runner, runner = during, client.runner
    client.login(password='wrong')
    assert results == ['identity-unavailable', 'identity-unavailable', 'u1']
    client.runner = runner
    assert client.login(password='one') is None
    assert identity.refusal(client.app.environ).code == 'unauthenticated'


def test_the_cache_of_passwords_is_bounded():
    verified = VerifiedPasswords(Clock())
    for number in range(basic.MAX_VERIFIED + 5):
        verified.add(HASH.encode(), b'%d' % number)
    assert not verified.has(HASH.encode(), b'4')
    assert verified.has(HASH.encode(), b'5')


def test_without_a_runner_the_filter_computes_the_hash_itself(client):
    answer(client.filter, environ(HTTP_AUTHORIZATION=header('ada:s3cret')))
    assert identity.identity(client.app.environ).user_id == 'u1'


def test_invalid_files_stop_the_start(tmp_path):
    with pytest.raises(StartError):
        Client(tmp_path, 'ada:plain\n')
