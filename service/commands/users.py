# SPDX-License-Identifier: Apache-2.0
"""pileus-manage user: manage the users of ``auth_strategy = http_basic``."""

from __future__ import annotations

import argparse
import getpass
import os
import sys

from oslo_config import cfg

from service.accounts import account_edits, account_files
from service.commands.cli.output import FORMATS, add_format
from service.commands.cli.parser import Arguments, Command, configuration
from service.config import files as config_files
from service.domain.caller import MAX_PROJECT_ID_CHARS
from service.errors import StartError


def add(arguments: Arguments) -> int:
    """Add a user, or change one with --replace."""
    passwords, users = _files(configuration(arguments))
    name = arguments.name
    problem = account_files.name_problem(name)
    if problem:
        raise StartError(f'user {ascii(name)}: {problem}')
    if name in _known_users(passwords, users) and not arguments.replace:
        raise StartError(f'user {name}: already exists; use --replace to set '
                         f'a new password, project and roles')
    account_edits.put(passwords, users, name, _password(), _entry(arguments))
    print(f'user {name}: {_description(arguments)}')
    return 0


def remove(arguments: Arguments) -> int:
    passwords, users = _files(configuration(arguments))
    if arguments.name not in _known_users(passwords, users):
        raise StartError(f'user {arguments.name}: does not exist in '
                         f'{passwords}')
    account_edits.remove(passwords, users, arguments.name)
    print(f'user {arguments.name}: removed')
    return 0


def list_users(arguments: Arguments) -> int:
    """List the users without their password hashes."""
    users = _known_users(*_files(configuration(arguments)))
    FORMATS[arguments.format](
        ('name', 'project_id', 'roles', 'user_id', 'password'),
        [(user.name, user.project_id or '', ','.join(sorted(user.roles)),
          user.user_id or user.name, 'yes' if user.hash else 'no')
         for user in users.values()], 'There are no users.')
    return 0


def _files(conf: cfg.ConfigOpts) -> tuple[str, str]:
    """Return the paths of the htpasswd file and the users file."""
    return _path(conf, 'htpasswd_file'), _path(conf, 'users_file')


def _path(conf: cfg.ConfigOpts, option: str) -> str:
    """Return where the service finds a file, or would search for it first."""
    candidates = [os.path.join(directory, conf.http_basic[option])
                  for directory in config_files.directories(conf)]
    return next(filter(os.path.exists, candidates), candidates[0])


def _known_users(passwords: str, users: str
                 ) -> dict[str, account_files.Account]:
    """Return all users; a missing file has none."""
    existing = [path if os.path.exists(path) else os.devnull
                for path in (passwords, users)]
    return dict(account_files.read(existing[0], existing[1]))


def _password() -> str:
    """Read a password twice from a terminal, else the first line of stdin.

    SECURITY: never an argument, which every user of the machine can see.
    """
    if sys.stdin.isatty():
        password = getpass.getpass('Password: ')
        if getpass.getpass('Again: ') != password:
            raise StartError('the two passwords differ')
    else:
        password = sys.stdin.readline().rstrip('\r\n')
    if not password or '\0' in password:
        raise StartError('the password is empty or has a NUL; enter one on '
                         'the terminal or as the first line of stdin')
    if len(password.encode()) > account_files.MAX_PASSWORD_BYTES:
        raise StartError(f'the password is longer than '
                         f'{account_files.MAX_PASSWORD_BYTES} bytes; bcrypt '
                         f'ignores further ones')
    return password


def _entry(arguments: Arguments) -> dict[str, object]:
    entry: dict[str, object] = {'roles': arguments.role}
    if arguments.project:
        entry['project_id'] = arguments.project
    if arguments.user_id:
        entry['user_id'] = arguments.user_id
    return entry


def _description(arguments: Arguments) -> str:
    project = (f'in project {arguments.project}' if arguments.project
               else 'without a project')
    roles = ', '.join(arguments.role)
    return f'{project}, ' + (f'roles {roles}' if roles else
                             'without a role: no access')


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('name', metavar='NAME', help='the user name')


def _add_user(parser: argparse.ArgumentParser) -> None:
    _add_name(parser)
    parser.add_argument('--project', type=_project_id, metavar='ID',
                        help='the user\'s project (default: none)')
    parser.add_argument('--role', type=_name, action='append', default=[],
                        metavar='ROLE',
                        help='a role such as reader, member or admin; '
                        'repeat the option for several')
    parser.add_argument('--user-id', type=_name, metavar='ID',
                        help='the user id in revisions and the audit log '
                        '(default: the name)')
    parser.add_argument('--replace', action='store_true',
                        help='change an existing user')


def _name(text: str, max_chars: int = account_files.MAX_NAME_CHARS) -> str:
    if not account_files.is_name(text, max_chars):
        raise argparse.ArgumentTypeError(
            f'must be text of 1 to {max_chars} characters')
    return text


def _project_id(text: str) -> str:
    return _name(text, MAX_PROJECT_ID_CHARS)


COMMANDS = (
    Command(('user', 'add'),
            'Add a user of auth_strategy http_basic. The password is read '
            'from the terminal, or else from stdin.', add, _add_user),
    Command(('user', 'list'), 'List the users of auth_strategy http_basic.',
            list_users, add_format),
    Command(('user', 'remove'),
            'Remove a user of auth_strategy http_basic.', remove, _add_name),
)
