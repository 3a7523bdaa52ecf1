# SPDX-License-Identifier: Apache-2.0
"""Commands as a table: their words, what they take, what they do.

``pileus-manage types check`` is one row, ``pileus-manage purge`` another.
Packages that ``service`` may not import bring theirs by the entry-point group
``pileus.commands``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

from oslo_config import cfg

from service.config import files as config_files

GROUP = 'pileus.commands'

#: What the commands of each noun are for, also of those that ``api`` brings.
NOUNS: Mapping[str, str] = {
    'types': 'Check the files that declare types, and list what they declare.',
    'user': 'Keep the users of auth_strategy http_basic.',
    'history': 'Keep the history of records from growing for ever.',
    'db': 'Keep the core tables, those of no type, at the version of this '
          'release.',
    'schema': 'Change the tables to what the type files declare.',
    'openapi': 'Describe the API for programs.',
    'policy': 'Show what the access rules come to.',
}

Arguments = argparse.Namespace


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    """Most commands take no argument of their own."""


@dataclass(frozen=True)
class Command:
    """One command of the tree; ``run`` gives the exit status.

    ``words`` are a noun of NOUNS and a verb, or one word that says enough.
    ``takes`` adds the arguments of the command's own. A command that is
    ``configured`` takes --config-dir and --config-file, before or after its
    words, and calls ``configuration`` with its arguments.
    """

    words: tuple[str, ...]
    help: str
    run: Callable[[Arguments], int]
    takes: Callable[[argparse.ArgumentParser], None] = _no_arguments
    configured: bool = True


def installed(group: str = GROUP) -> list[Command]:
    """The commands of installed packages, in the order of their names."""
    return [entry.load() for entry in sorted(
        metadata.entry_points(group=group), key=lambda one: one.name)]


def build(prog: str, description: str,
           commands: Iterable[Command]) -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog=prog, description=description)
    _add_config_arguments(top, 'before')
    first = top.add_subparsers(metavar='COMMAND', required=True)
    seconds: dict[str, argparse._SubParsersAction] = {}
    for one in commands:
        among = first
        if len(one.words) > 1:
            noun = one.words[0]
            if noun not in seconds:
                told = NOUNS.get(noun, f'Commands of {noun}.')
                seconds[noun] = first.add_parser(
                    noun, help=told, description=told).add_subparsers(
                    metavar='COMMAND', required=True)
            among = seconds[noun]
        _add(among.add_parser(one.words[-1], help=one.help,
                              description=one.help), one)
    return top


def _add(made: argparse.ArgumentParser, command: Command) -> None:
    if command.configured:
        _add_config_arguments(made, 'after')
    command.takes(made)
    made.set_defaults(command=command, prog=made.prog.split()[0])


def _add_config_arguments(made: argparse.ArgumentParser, place: str) -> None:
    for name in ('--config-dir', '--config-file'):
        made.add_argument(
            name, dest=place, type=_option(name), default=[],
            action='append', metavar='PATH',
            help='where the options are read from, as in pileus-api')


def _option(name: str) -> Callable[[str], tuple[str, str]]:
    def pair(path: str) -> tuple[str, str]:
        return name, path
    return pair


def configuration(arguments: Arguments) -> cfg.ConfigOpts:
    """The options a configured command was pointed at; StartError."""
    pairs: Sequence[tuple[str, str]] = [*arguments.before, *arguments.after]
    return config_files.load([word for pair in pairs for word in pair],
                       arguments.prog)
