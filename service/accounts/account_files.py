# SPDX-License-Identifier: Apache-2.0
"""The users of ``auth_strategy = http_basic``, as two files have them.

One is an htpasswd file, ``name:hash`` a line, hashed by bcrypt alone. The
other, in YAML, says what each name stands for:

    ada: {project_id: demo, roles: [member], user_id: 4f2c...}

Reading is here, and so is the one place that knows what a name, a password
and a hash may be; ``accountfiles`` writes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import yaml

from service.domain.caller import MAX_PROJECT_ID_CHARS
from service.errors import StartError

#: bcrypt looks at no more of a password than this; more is refused, or two
#: long passwords with the same beginning would be one.
MAX_PASSWORD_BYTES = 72

#: No name and no id is longer: history has so much room for a user.
MAX_NAME_LENGTH = 255

#: What makes a hash cost, for a hash made here.
BCRYPT_COST = 12

# The last letter of the salt holds two bits; a cost above 17 takes minutes.
_HASH = re.compile(r'\$2[aby]\$(0[4-9]|1[0-7])'
                   r'\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{31}')
_INVALID_NAME = re.compile(r'[:\x00-\x1f\x7f-\x9f\ud800-\udfff]')

#: What the second file may say of a name.
_FIELDS = ('project_id', 'roles', 'user_id')


@dataclass(frozen=True, slots=True)
class Account:
    """A user: what proves it is them, and what they are then.

    ``hash`` is None for a name that the htpasswd file does not have, which
    therefore nobody can log in by.
    """

    name: str
    hash: bytes | None
    project_id: str | None = None
    user_id: str | None = None
    roles: frozenset[str] = frozenset()


def read(passwords: str, users: str) -> Mapping[str, Account]:
    """Everybody named in the two files; StartError with every mistake.

    SECURITY: no message quotes a line of the htpasswd file: where a colon is
    missing, the line may be a password.
    """
    mistakes: list[str] = []
    hashes = dict(_read_hashes(passwords, mistakes))
    told = dict(_read_users(users, mistakes))
    if mistakes:
        raise StartError('\n'.join(mistakes))
    return {name: Account(name, hashes.get(name), **told.get(name, {}))
            for name in sorted({*hashes, *told})}


def to_json(found: Mapping[str, Account]) -> dict[str, Any]:
    """The same as JSON has it."""
    return {name: {**asdict(one), 'roles': sorted(one.roles),
                   'hash': one.hash and one.hash.decode()}
            for name, one in found.items()}


def from_json(told: Mapping[str, Mapping[str, Any]]) -> dict[str, Account]:
    """Back from what ``written`` made."""
    return {name: Account(**{**one, 'roles': frozenset(one['roles']),
                             'hash': one['hash'] and one['hash'].encode()})
            for name, one in told.items()}


def name_problem(name: str) -> str | None:
    """Why a name cannot be a user's; None where it can."""
    if not name or name != name.strip() or name.startswith('#'):
        return 'a name is not empty, not within blanks and not a comment'
    if _INVALID_NAME.search(name):
        return 'a name has no colon and no control character'
    if len(name) > MAX_NAME_LENGTH:
        return f'a name has at most {MAX_NAME_LENGTH} characters'
    return None


def cost(hash: bytes) -> int:
    return int(hash[4:6])


def read_text(path: str) -> str:
    """A file's text; StartError naming it where it cannot be read."""
    try:
        with open(path, encoding='utf-8') as file:
            return file.read()
    except OSError as exc:
        raise StartError(f'{path}: cannot be read: {exc.strerror}') from exc
    except UnicodeDecodeError as exc:
        raise StartError(f'{path}: is not UTF-8') from exc


def _read_hashes(path: str, mistakes: list[str]
            ) -> Iterator[tuple[str, bytes]]:
    seen = set()
    for number, line in enumerate(read_text(path).splitlines(), 1):
        name, colon, hash = line.rstrip().partition(':')
        if not line.strip() or name.startswith('#'):
            continue
        why = (name_problem(name) if colon else 'is not name:hash')
        if why is None and not _HASH.fullmatch(hash):
            why = 'the hash is not bcrypt\'s with a cost of 4 to 17 ' \
                  '(htpasswd -B makes such)'
        if why is None and name in seen:
            why = 'the name is there already'
        if why is not None:
            mistakes.append(f'{path}: line {number}: {why}')
            continue
        seen.add(name)
        yield name, hash.encode()


def _read_users(path: str, mistakes: list[str]
          ) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, entry in read_mapping(path).items():
        before = len(mistakes)
        mistakes += [f'{path}: {name}: {problem}'
                     for problem in _problems(name, entry)]
        if len(mistakes) == before:
            yield name, {**entry, 'roles': frozenset(
                role.strip().lower() for role in entry.get('roles', ()))}


def read_mapping(path: str) -> dict[Any, Any]:
    """What a YAML file maps; an empty file maps nothing. StartError."""
    try:
        found = yaml.safe_load(read_text(path))
    except yaml.YAMLError as exc:
        mark = getattr(exc, 'problem_mark', None)
        at = f' at line {mark.line + 1}' if mark else ''
        raise StartError(f'{path}: is not YAML{at}') from exc
    if not isinstance(found, (dict, type(None))):
        raise StartError(f'{path}: does not map names to what they stand '
                         f'for, such as ada: {{roles: [member]}}')
    return found or {}


def _problems(name: Any, entry: Any) -> Iterator[str]:
    if not isinstance(name, str):
        yield 'the name is not text; put it into quotes'
    elif name_problem(name):
        yield str(name_problem(name))
    if not isinstance(entry, dict):
        yield f'is not a mapping of {", ".join(_FIELDS)}'
        return
    for word in entry.keys() - set(_FIELDS):
        yield f'{word}: is not known; there is {", ".join(_FIELDS)}'
    for word, most in (('project_id', MAX_PROJECT_ID_CHARS),
                       ('user_id', MAX_NAME_LENGTH)):
        if word in entry and not is_name(entry[word], most):
            yield f'{word}: is not a text of 1 to {most} characters'
    roles = entry.get('roles', [])
    if not (isinstance(roles, list) and all(map(is_name, roles))):
        yield 'roles: is not a list of names'


def is_name(value: Any, most: int = MAX_NAME_LENGTH) -> bool:
    return (isinstance(value, str) and len(value.strip()) > 0
            and len(value) <= most)
