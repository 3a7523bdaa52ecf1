# SPDX-License-Identifier: Apache-2.0
"""A released version of Keystone, on SQLite and a free port.

``Keystone`` creates it and serves it with gunicorn. After a stop and a start
it has the same data and tokens.
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

#: The owner of the keys.
OURS = ('--keystone-user', getpass.getuser(),
        '--keystone-group', grp.getgrgid(os.getgid())[0])

#: Keystone reads the command line of its process, so the arguments are
#: removed.
GUNICORN = """\
import sys
sys.argv[1:] = []
wsgi_app = 'keystone.wsgi.api:application'
bind = '127.0.0.1:{port}'
threads = 8
control_socket_disable = True
"""

#: Creates a token with the keys of a Keystone, valid for some hours from now.
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
    """A running Keystone at ``url``; ``create`` adds objects as admin."""

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
        """Start Keystone and wait for its first answer."""
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
        """Return a session that logs in by password; ``project`` is a name."""
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

    def create(self, kind: str, path: str, **body: Any) -> dict[str, Any]:
        """POST an object, such as a project, and return it."""
        created: dict[str, Any] = self.admin.post(
            path, json={kind: body}).json()[kind]
        return created

    def user(self, name: str, roles: Mapping[str, str]) -> str:
        """Create a user with a role at each place (``projects/ID``).

        Returns its id.
        """
        created: str = self.create('user', '/users', name=name,
                                   password=PASSWORD)['id']
        for place, role in roles.items():
            self.admin.put(f'/{place}/users/{created}/roles/{self.roles[role]}')
        return created

    @cached_property
    def roles(self) -> dict[str, str]:
        roles = self.admin.get('/roles').json()['roles']
        return {role['name']: role['id'] for role in roles}

    def expired(self, user: str, project: str) -> str:
        """Return a token of this user and project that expired an hour ago."""
        return self._token('keystone.conf', user, project, -1)

    def foreign(self, user: str, project: str) -> str:
        """Return a token of this user and project from another Keystone's
        keys."""
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
