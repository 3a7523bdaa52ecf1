# SPDX-License-Identifier: Apache-2.0
"""Where a configured value stands, so that a complaint can point at it.

oslo.config says which option is wrong and often leaves out the file or the
value. This room finds both again, by reading the files the command line
leads to; it is met only when something is wrong already.
"""

from __future__ import annotations

import argparse
import glob
import os
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from oslo_config import cfg, types


class Origin(NamedTuple):
    """A value as written, and the file it is written in."""

    path: str
    value: str


#: What would do, where oslo.config's own reason does not say.
VALID_VALUES: dict[type, str] = {
    types.Boolean: 'give true or false',
    types.Integer: 'give a whole number',
    types.Float: 'give a number',
}


def files(argv: Sequence[str], default_dirs: Iterable[str]) -> list[str]:
    """The config files a command line leads to, the last one winning."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--config-file', action='append', default=[])
    parser.add_argument('--config-dir', action='append', default=[])
    named, _ = parser.parse_known_args(list(argv))
    dirs = named.config_dir or (() if named.config_file else default_dirs)
    return [*named.config_file,
            *(path for one in dirs
              for path in sorted(glob.glob(os.path.join(one, '*.conf'))))]


def complaint(paths: Sequence[str], group: str, name: str,
              exc: Exception) -> str:
    """One line: the place, the option, its value, what is wrong with it."""
    text = one_line(exc)
    reason = text.partition(' is not valid: ')[2] or text
    wanted = VALID_VALUES.get(_option_type(reason), '')
    origin = (_from_environment(group, name)
              or _from_files(paths, group, name))
    return _message(origin, group, name,
                    f'{reason}; {wanted}' if wanted else reason)


def argument(paths: Sequence[str], said: str) -> str:
    """The complaint behind a line that oslo.config's parser printed.

    It calls a logging option in a file an argument of the command line; both
    are of the group DEFAULT.
    """
    text = ' '.join(said.split())
    found = re.search(r'argument --([\w-]+).*?: (.*)', text)
    if found is None:
        return text
    name = found[1].replace('-', '_')
    reason = found[2]
    if 'Boolean' in reason:
        reason = f'{reason}; {VALID_VALUES[types.Boolean]}'
    return _message(_from_files(paths, 'DEFAULT', name), 'DEFAULT', name,
                    reason)


def unreadable(paths: Sequence[str], exc: OSError | UnicodeDecodeError) -> str:
    """Which of the files could not be read, and why."""
    if isinstance(exc, OSError):
        return f'{exc.filename}: cannot be read: {exc.strerror}'
    return (f'{_undecodable_file(paths)}: cannot be read: not UTF-8 text '
            f'(byte {exc.start})')


#: oslo.config names the place of a bad value as the repr of its LocationInfo.
_LOCATION = re.compile(r"\(?LocationInfo\(.*?detail='([^']*)'\)\)?")


def one_line(exc: Exception) -> str:
    """One line of what oslo.config said, with the file named plainly."""
    return ' '.join(_LOCATION.sub(r'\1', str(exc)).split())


def _message(place: Origin | None, group: str, name: str, reason: str) -> str:
    if place is None:
        return f'[{group}] {name}: {reason}'
    return f'{place.path}: [{group}] {name} = {place.value}: {reason}'


def _option_type(reason: str) -> type:
    """The type whose parser gave up, told by the words Python gives up in."""
    if 'invalid literal for int()' in reason:
        return types.Integer
    if 'could not convert string to float' in reason:
        return types.Float
    return types.Boolean if 'Boolean' in reason else types.ConfigType


def _from_environment(group: str, name: str) -> Origin | None:
    """The environment variable that sets an option, which beats the files."""
    variable = f'OS_{group}__{name}'.upper()
    value = os.environ.get(variable)
    return None if value is None else Origin(variable, value)


def _from_files(paths: Sequence[str], group: str, name: str) -> Origin | None:
    for path in reversed(paths):
        sections: dict[str, dict[str, list[str]]] = {}
        cfg.ConfigParser(path, sections).parse()
        values = sections.get(group, {}).get(name)
        if values:
            return Origin(path, values[-1])
    return None


def _undecodable_file(paths: Sequence[str]) -> str:
    for path in paths:
        try:
            with open(path, encoding='utf-8') as source:
                source.read()
        except UnicodeDecodeError:
            return path
    return 'a config file'
