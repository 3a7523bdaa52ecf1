# SPDX-License-Identifier: Apache-2.0
"""A Keystone as it is released, on SQLite and a free port of this machine.

``Keystone`` makes it from nothing and serves it under gunicorn; stopped and
started again it is the same one, with the same tokens.
"""

from __future__ import annotations

import getpass
import grp
import os
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from keystoneauth1 import adapter, session
from keystoneauth1.identity import v3

from tests.functional.harness.daemon import WAIT_SECONDS, Server, free_port

PASSWORD = 'an-8-sacks-long-secret'

CONF = """\
[database]
connection = sqlite:///{directory}/keystone.db
[fernet_tokens]
key_repository = {directory}/tokens
[fernet_receipts]
key_repository = {directory}/tokens
[credential]
key_repository = {directory}/credentials
[cache]
enabled = false
[identity]
password_hash_rounds = 4
"""

#: Whose the keys are.
OURS = ('--keystone-user', getpass.getuser(),
        '--keystone-group', grp.getgrgid(os.getgid())[0])

#: Keystone reads the command line of the process it is in: there is none.
GUNICORN = """\
import sys
sys.argv[1:] = []
wsgi_app = 'keystone.wsgi.api:application'
bind = '127.0.0.1:{port}'
threads = 8
control_socket_disable = True
"""

#: Makes a token with a Keystone's keys, good until so many hours from now.
TOKEN = """\
import datetime, sys
import keystone.conf
from keystone.token import token_formatters
keystone.conf.configure()
file, user, project, hours = sys.argv[1:]
keystone.conf.CONF(['--config-file', file], project='keystone')
over = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(
    hours=int(hours))
print(token_formatters.TokenFormatter().create_token(
    user, over.strftime('%Y-%m-%dT%H:%M:%S.000000Z'),
    ['SLjTBHJmQiqXzX4rbD0uEQ'], token_formatters.ProjectScopedPayload,
    methods=['password'], project_id=project))
"""


class Keystone(Server):
    """``url`` is its API; ``asked`` makes what a cloud has, as its admin."""

    def __init__(self, directory: Path) -> None:
        (directory / 'keystone').mkdir(parents=True)
        super().__init__(directory / 'keystone')
        self._port = free_port()
        self.env = {'OS_KEYSTONE_CONFIG_DIR': str(self.directory),
                    'PYTHONWARNINGS': 'ignore'}
        for name in ('tokens', 'credentials'):
            (self.directory / name).mkdir(mode=0o700)
        (self.directory / 'keystone.conf').write_text(
            CONF.format(directory=self.directory))
        (self.directory / 'gunicorn.conf.py').write_text(
            GUNICORN.format(port=self._port))
        self._manage('db_sync')
        for keys in ('fernet_setup', 'credential_setup'):
            self._manage(keys, *OURS)
        self._manage('bootstrap', '--bootstrap-password', PASSWORD,
                     '--bootstrap-region-id', 'RegionOne', *(
                         word for kind in ('public', 'internal', 'admin')
                         for word in (f'--bootstrap-{kind}-url', self.url)))

    def start(self) -> None:
        """Start it, and return when it has answered once."""
        super().start()
        with urllib.request.urlopen(self.url, timeout=2 * WAIT_SECONDS):
            pass

    def command(self) -> list[str]:
        return [sys.executable, '-m', 'gunicorn', '-c',
                str(self.directory / 'gunicorn.conf.py')]

    @property
    def host(self) -> str:
        return '127.0.0.1'

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f'http://127.0.0.1:{self._port}/v3'

    def ended_already(self) -> bool:
        return self._process.poll() is not None

    def _manage(self, *words: str, conf: str = 'keystone.conf') -> None:
        self._run(str(Path(sys.executable).with_name('keystone-manage')),
                  '--config-file', str(self.directory / conf), *words)

    def _run(self, *argv: str) -> str:
        done = subprocess.run(argv, env={**os.environ, **self.env},
                              capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    @cached_property
    def admin(self) -> adapter.Adapter:
        return adapter.Adapter(self.session('admin', project='admin'),
                               service_type='identity',
                               endpoint_override=self.url)

    def session(self, user: str, project: str | None = None,
                **scope: Any) -> session.Session:
        """A client's session, by password; ``project`` is a name."""
        if project is not None:
            scope = {'project_name': project,
                     'project_domain_id': 'default', **scope}
        return session.Session(v3.Password(
            self.url, username=user, password=PASSWORD,
            user_domain_id='default', **scope))

    def token(self, user: str, project: str | None = None,
              **scope: Any) -> str:
        opened = self.session(user, project, **scope)
        try:
            return opened.get_token()
        finally:
            opened.session.close()

    def asked(self, kind: str, path: str, **body: Any) -> dict[str, Any]:
        """POST one thing, such as a project, to Keystone."""
        made: dict[str, Any] = self.admin.post(
            path, json={kind: body}).json()[kind]
        return made

    def user(self, name: str, roles: Mapping[str, str]) -> str:
        """Make a user with a role at each place (``projects/ID``); its id."""
        made: str = self.asked('user', '/users', name=name,
                               password=PASSWORD)['id']
        for place, role in roles.items():
            self.admin.put(f'/{place}/users/{made}/roles/{self.roles[role]}')
        return made

    @cached_property
    def roles(self) -> dict[str, str]:
        found = self.admin.get('/roles').json()['roles']
        return {one['name']: one['id'] for one in found}

    def expired(self, user: str, project: str) -> str:
        """A token of these two ids that ran out an hour ago."""
        return self._token('keystone.conf', user, project, -1)

    def foreign(self, user: str, project: str) -> str:
        """A token of these two ids by the keys of another Keystone."""
        other = self.directory / 'other'
        other.mkdir(mode=0o700)
        (self.directory / 'other.conf').write_text(
            f'[fernet_tokens]\nkey_repository = {other}\n')
        self._manage('fernet_setup', *OURS, conf='other.conf')
        return self._token('other.conf', user, project, 1)

    def _token(self, conf: str, user: str, project: str, hours: int) -> str:
        return self._run(
            sys.executable, '-c', TOKEN, str(self.directory / conf), user,
            project, str(hours)).splitlines()[-1]
