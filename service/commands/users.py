# SPDX-License-Identifier: Apache-2.0
"""pileus-manage user: who may log in with ``auth_strategy = http_basic``."""

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
    """Make a user, or with --replace change one."""
    passwords, users = _files(configuration(arguments))
    name = arguments.name
    why = account_files.name_problem(name)
    if why:
        raise StartError(f'user {ascii(name)}: {why}')
    if name in _known_users(passwords, users) and not arguments.replace:
        raise StartError(f'user {name}: is there already; --replace gives '
                         f'another password, project and roles')
    account_edits.put(passwords, users, name, _password(), _entry(arguments))
    print(f'user {name}: {_description(arguments)}')
    return 0


def remove(arguments: Arguments) -> int:
    passwords, users = _files(configuration(arguments))
    if arguments.name not in _known_users(passwords, users):
        raise StartError(f'user {arguments.name}: there is none in '
                         f'{passwords}')
    account_edits.remove(passwords, users, arguments.name)
    print(f'user {arguments.name}: removed')
    return 0


def list_users(arguments: Arguments) -> int:
    """Name the users; what proves who they are is not shown."""
    known = _known_users(*_files(configuration(arguments)))
    FORMATS[arguments.format](
        ('name', 'project_id', 'roles', 'user_id', 'password'),
        [(one.name, one.project_id or '', ','.join(sorted(one.roles)),
          one.user_id or one.name, 'yes' if one.hash else 'no')
         for one in known.values()], 'There is no user.')
    return 0


def _files(conf: cfg.ConfigOpts) -> tuple[str, str]:
    """The htpasswd file and the file of users, there or not."""
    return _path(conf, 'htpasswd_file'), _path(conf, 'users_file')


def _path(conf: cfg.ConfigOpts, option: str) -> str:
    """Where the service would find it, else where it would look first."""
    places = [os.path.join(one, conf.http_basic[option])
              for one in config_files.directories(conf)]
    return next(filter(os.path.exists, places), places[0])


def _known_users(passwords: str, users: str
                 ) -> dict[str, account_files.Account]:
    """Everybody there is; files that are not there yet name nobody."""
    present = [path if os.path.exists(path) else os.devnull
               for path in (passwords, users)]
    return dict(account_files.read(present[0], present[1]))


def _password() -> str:
    """Asked for twice on a terminal, else the first line of stdin.

    SECURITY: never an argument, which every user of the machine can see.
    """
    if sys.stdin.isatty():
        password = getpass.getpass('Password: ')
        if getpass.getpass('Again: ') != password:
            raise StartError('the two passwords are not the same')
    else:
        password = sys.stdin.readline().rstrip('\r\n')
    if not password or '\0' in password:
        raise StartError('the password is empty or has a NUL; give one on '
                         'the terminal or as the first line of stdin')
    if len(password.encode()) > account_files.MAX_PASSWORD_BYTES:
        raise StartError(f'the password is longer than '
                         f'{account_files.MAX_PASSWORD_BYTES} bytes, which is '
                         f'all that bcrypt looks at')
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
    return f'{project}, ' + (f'as {roles}' if roles else
                             'without a role: may do nothing')


def _add_name(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('name', metavar='NAME', help='whom to log in as')


def _add_user(parser: argparse.ArgumentParser) -> None:
    _add_name(parser)
    parser.add_argument('--project', type=_project_id, metavar='ID',
                        help='the project they work in (default: none)')
    parser.add_argument('--role', type=_name, action='append', default=[],
                        metavar='ROLE',
                        help='such as reader, member or admin; may be given '
                        'more than once')
    parser.add_argument('--user-id', type=_name, metavar='ID',
                        help='how history names them (default: the name)')
    parser.add_argument('--replace', action='store_true',
                        help='change a user that is there')


def _name(given: str, most: int = account_files.MAX_NAME_LENGTH) -> str:
    if not account_files.is_name(given, most):
        raise argparse.ArgumentTypeError(
            f'a text of 1 to {most} characters is wanted')
    return given


def _project_id(given: str) -> str:
    return _name(given, MAX_PROJECT_ID_CHARS)


COMMANDS = (
    Command(('user', 'add'),
            'Let a user log in by auth_strategy http_basic. The password is '
            'asked for, or read from stdin.', add, _add_user),
    Command(('user', 'list'), 'List the users of auth_strategy http_basic.',
            list_users, add_format),
    Command(('user', 'remove'),
            'Take a user of auth_strategy http_basic away.', remove,
            _add_name),
)
