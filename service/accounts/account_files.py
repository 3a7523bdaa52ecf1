# SPDX-License-Identifier: Apache-2.0
"""Read the users of ``auth_strategy = http_basic`` from their two files.

The htpasswd file has lines ``name:hash`` with bcrypt hashes. The users file is
YAML and tells the project, roles and user id of each name:

    ada: {project_id: demo, roles: [member], user_id: 4f2c...}

This module also defines which names, passwords and hashes are valid.
``account_edits`` writes the files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from service.domain.caller import MAX_PROJECT_ID_CHARS
from service.errors import StartError

#: bcrypt ignores further bytes. A longer password is refused, since all
#: passwords with the same beginning would match it.
MAX_PASSWORD_BYTES = 72

#: Longest name and id: the columns that store a user id have this size.
MAX_NAME_CHARS = 255

#: Cost of the hashes that this service makes.
BCRYPT_COST = 12

# The last character of the salt holds two bits. A cost above 17 takes minutes.
_HASH = re.compile(r'\$2[aby]\$(0[4-9]|1[0-7])'
                   r'\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}')
_INVALID_NAME = re.compile(r'[:\x00-\x1f\x7f-\x9f\ud800-\udfff]')

#: Fields of a user in the users file.
_FIELDS = ('project_id', 'roles', 'user_id')


@dataclass(frozen=True, slots=True)
class Account:
    """A user with hash, project and roles.

    ``hash`` is None for a name without a line in the htpasswd file. Such a
    user cannot log in.
    """

    name: str
    hash: bytes | None
    project_id: str | None = None
    user_id: str | None = None
    roles: frozenset[str] = frozenset()


def read(passwords: str, users: str) -> Mapping[str, Account]:
    """Return the users of both files; raise StartError with all mistakes.

    SECURITY: no message quotes a line of the htpasswd file. A line without a
    colon may be a password.
    """
    mistakes: list[str] = []
    hashes = dict(_read_hashes(passwords, mistakes))
    fields = dict(_read_users(users, mistakes))
    if mistakes:
        raise StartError('\n'.join(mistakes))
    return {name: Account(name, hashes.get(name), **fields.get(name, {}))
            for name in sorted({*hashes, *fields})}


def to_json(accounts: Mapping[str, Account]) -> dict[str, Any]:
    """Return accounts as JSON values."""
    return {name: {**asdict(account), 'roles': sorted(account.roles),
                   'hash': account.hash and account.hash.decode()}
            for name, account in accounts.items()}


def from_json(entries: Mapping[str, Mapping[str, Any]]) -> dict[str, Account]:
    """Return the accounts that ``to_json`` converted."""
    return {name: Account(**{
        **entry, 'roles': frozenset(entry['roles']),
        'hash': entry['hash'] and entry['hash'].encode()})
            for name, entry in entries.items()}


def name_problem(name: str) -> str | None:
    """Return why a user name is invalid, or None."""
    if not name or name != name.strip() or name.startswith('#'):
        return 'a name must not be empty, begin or end with a blank, or ' \
               'begin with #'
    if _INVALID_NAME.search(name):
        return 'a name must not have a colon or a control character'
    if len(name) > MAX_NAME_CHARS:
        return f'a name must not have more than {MAX_NAME_CHARS} characters'
    return None


def cost(hash: bytes) -> int:
    return int(hash[4:6])


def read_text(path: str) -> str:
    """Return the text of a file; raise StartError if it cannot be read."""
    try:
        with open(path, encoding='utf-8') as file:
            return file.read()
    except OSError as exc:
        raise StartError(f'{path}: cannot be read: {exc.strerror}') from exc
    except UnicodeDecodeError as exc:
        raise StartError(f'{path}: is not UTF-8') from exc


def _read_hashes(path: str, mistakes: list[str]
                 ) -> Iterator[tuple[str, bytes]]:
    names = set()
    for number, line in enumerate(read_text(path).splitlines(), 1):
        name, colon, hash = line.rstrip().partition(':')
        if not line.strip() or name.startswith('#'):
            continue
        problem = (name_problem(name) if colon
                   else 'the line is not of the form name:hash')
        if problem is None and not _HASH.fullmatch(hash):
            problem = 'the hash is not a bcrypt hash of cost 4 to 17, as ' \
                      'htpasswd -B writes it'
        if problem is None and name in names:
            problem = 'an earlier line has the same name'
        if problem is not None:
            mistakes.append(f'{path}: line {number}: {problem}')
            continue
        names.add(name)
        yield name, hash.encode()


def _read_users(path: str, mistakes: list[str]
                ) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, entry in read_mapping(path).items():
        count = len(mistakes)
        mistakes += [f'{path}: {name}: {problem}'
                     for problem in _problems(name, entry)]
        if len(mistakes) == count:
            yield name, {**entry, 'roles': frozenset(
                role.strip().lower() for role in entry.get('roles', ()))}


def read_mapping(path: str) -> dict[Any, Any]:
    """Return the mapping in a YAML file; raise StartError if it has none.

    An empty file counts as an empty mapping.
    """
    try:
        entries = yaml.safe_load(read_text(path))
    except yaml.YAMLError as exc:
        mark = getattr(exc, 'problem_mark', None)
        at = f' at line {mark.line + 1}' if mark else ''
        raise StartError(f'{path}: is not valid YAML{at}') from exc
    if not isinstance(entries, (dict, type(None))):
        raise StartError(f'{path}: is not a mapping of user names, such as '
                         f'ada: {{roles: [member]}}')
    return entries or {}


def _problems(name: Any, entry: Any) -> Iterator[str]:
    if not isinstance(name, str):
        yield 'the name is not text; put it in quotes'
    elif name_problem(name):
        yield str(name_problem(name))
    if not isinstance(entry, dict):
        yield f'is not a mapping of {", ".join(_FIELDS)}'
        return
    for field in entry.keys() - set(_FIELDS):
        yield f'{field}: is unknown; valid are {", ".join(_FIELDS)}'
    for field, max_chars in (('project_id', MAX_PROJECT_ID_CHARS),
                             ('user_id', MAX_NAME_CHARS)):
        if field in entry and not is_name(entry[field], max_chars):
            yield f'{field}: is not text of 1 to {max_chars} characters'
    roles = entry.get('roles', [])
    if not (isinstance(roles, list) and all(map(is_name, roles))):
        yield 'roles: is not a list of names'


def is_name(value: Any, max_chars: int = MAX_NAME_CHARS) -> bool:
    return (isinstance(value, str) and len(value.strip()) > 0
            and len(value) <= max_chars)
