# SPDX-License-Identifier: Apache-2.0
"""Find where an invalid value was configured, for the error message.

oslo.config names the invalid option, but often not the file or the value. This
module searches the files for both. It is used only after an error.
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
    """A configured value, and the file or environment variable that has it."""

    path: str
    value: str


#: Valid values, for errors of oslo.config that do not name them.
VALID_VALUES: dict[type, str] = {
    types.Boolean: 'give true or false',
    types.Integer: 'give a whole number',
    types.Float: 'give a number',
}


def files(argv: Sequence[str], default_dirs: Iterable[str]) -> list[str]:
    """Return the config files of a command line; later files win."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument('--config-file', action='append', default=[])
    parser.add_argument('--config-dir', action='append', default=[])
    arguments, _ = parser.parse_known_args(list(argv))
    dirs = arguments.config_dir or (
        () if arguments.config_file else default_dirs)
    return [*arguments.config_file, *(
        path for directory in dirs
        for path in sorted(glob.glob(os.path.join(directory, '*.conf'))))]


def complaint(paths: Sequence[str], group: str, name: str,
              exc: Exception) -> str:
    """Return one line with file, option, value and what is wrong with it."""
    text = one_line(exc)
    reason = text.partition(' is not valid: ')[2] or text
    valid = VALID_VALUES.get(_option_type(reason), '')
    origin = (_from_environment(group, name)
              or _from_files(paths, group, name))
    return _message(origin, group, name,
                    f'{reason}; {valid}' if valid else reason)


def argument(paths: Sequence[str], output: str) -> str:
    """Return a message for an error that oslo.config's parser printed.

    For a logging option in a file, the parser prints an error about an
    argument of the command line. Such options are in the group DEFAULT.
    """
    text = ' '.join(output.split())
    match = re.search(r'argument --([\w-]+).*?: (.*)', text)
    if match is None:
        return text
    name = match[1].replace('-', '_')
    reason = match[2]
    if 'Boolean' in reason:
        reason = f'{reason}; {VALID_VALUES[types.Boolean]}'
    return _message(_from_files(paths, 'DEFAULT', name), 'DEFAULT', name,
                    reason)


def unreadable(paths: Sequence[str], exc: OSError | UnicodeDecodeError) -> str:
    """Return which file could not be read, and why."""
    if isinstance(exc, OSError):
        return f'{exc.filename}: cannot be read: {exc.strerror}'
    return (f'{_undecodable_file(paths)}: cannot be read: not UTF-8 text '
            f'(byte {exc.start})')


#: The repr of a LocationInfo, which oslo.config prints for the file.
_LOCATION = re.compile(r"\(?LocationInfo\(.*?detail='([^']*)'\)\)?")


def one_line(exc: Exception) -> str:
    """Return oslo.config's message as one line that names the file plainly."""
    return ' '.join(_LOCATION.sub(r'\1', str(exc)).split())


def _message(place: Origin | None, group: str, name: str, reason: str) -> str:
    if place is None:
        return f'[{group}] {name}: {reason}'
    return f'{place.path}: [{group}] {name} = {place.value}: {reason}'


def _option_type(reason: str) -> type:
    """Return the type that rejected a value, judged by Python's message."""
    if 'invalid literal for int()' in reason:
        return types.Integer
    if 'could not convert string to float' in reason:
        return types.Float
    return types.Boolean if 'Boolean' in reason else types.ConfigType


def _from_environment(group: str, name: str) -> Origin | None:
    """Return the value from the environment, which overrides the files."""
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
            with open(path, encoding='utf-8') as file:
                file.read()
        except UnicodeDecodeError:
            return path
    return 'a config file'
