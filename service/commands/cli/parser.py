# SPDX-License-Identifier: Apache-2.0
"""Build the command line from a table of commands.

A command is a noun and a verb, such as ``pileus-manage types check``, or a
single word such as ``purge``. Packages that ``service`` must not import add
commands by the entry-point group ``pileus.commands``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata

from oslo_config import cfg

from service.config import files as config_files

GROUP = 'pileus.commands'

#: Help of each noun, including those of commands in ``api``.
NOUNS: Mapping[str, str] = {
    'types': 'Check type files, and list the declared types.',
    'user': 'Manage the users of auth_strategy http_basic.',
    'history': 'Remove old revisions of records.',
    'db': 'Upgrade the core tables, which do not depend on the types.',
    'schema': 'Change the tables of the types to match the type files.',
    'openapi': 'Print the OpenAPI document of the API.',
    'policy': 'Show what the policy rules allow.',
}

Arguments = argparse.Namespace


def _no_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no arguments of the command's own."""


@dataclass(frozen=True)
class Command:
    """A command; ``run`` returns the exit status.

    ``words`` are a noun of NOUNS and a verb, or a single word.
    ``add_arguments`` adds the command's own arguments. A command that is
    ``configured`` takes --config-dir and --config-file before or after its
    words, and calls ``configuration`` with its arguments.
    """

    words: tuple[str, ...]
    help: str
    run: Callable[[Arguments], int]
    add_arguments: Callable[[argparse.ArgumentParser], None] = _no_arguments
    configured: bool = True


def installed(group: str = GROUP) -> list[Command]:
    """Return the commands of installed packages, sorted by name."""
    return [entry.load() for entry in sorted(
        metadata.entry_points(group=group), key=lambda entry: entry.name)]


def build(prog: str, description: str,
          commands: Iterable[Command]) -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog=prog, description=description)
    _add_config_arguments(top, 'before')
    nouns = top.add_subparsers(metavar='COMMAND', required=True)
    verbs: dict[str, argparse._SubParsersAction] = {}
    for command in commands:
        subparsers = nouns
        if len(command.words) > 1:
            noun = command.words[0]
            if noun not in verbs:
                help = NOUNS.get(noun, f'Commands of {noun}.')
                verbs[noun] = nouns.add_parser(
                    noun, help=help, description=help).add_subparsers(
                    metavar='COMMAND', required=True)
            subparsers = verbs[noun]
        _add(subparsers.add_parser(command.words[-1], help=command.help,
                                   description=command.help), command)
    return top


def _add(parser: argparse.ArgumentParser, command: Command) -> None:
    if command.configured:
        _add_config_arguments(parser, 'after')
    command.add_arguments(parser)
    parser.set_defaults(command=command, prog=parser.prog.split()[0])


def _add_config_arguments(parser: argparse.ArgumentParser, place: str) -> None:
    for name in ('--config-dir', '--config-file'):
        parser.add_argument(
            name, dest=place, type=_option(name), default=[],
            action='append', metavar='PATH',
            help='where to read options from, as in pileus-api')


def _option(name: str) -> Callable[[str], tuple[str, str]]:
    def pair(path: str) -> tuple[str, str]:
        return name, path
    return pair


def configuration(arguments: Arguments) -> cfg.ConfigOpts:
    """Load the configuration of a command; raise StartError if invalid."""
    pairs: Sequence[tuple[str, str]] = [*arguments.before, *arguments.after]
    return config_files.load([word for pair in pairs for word in pair],
                             arguments.prog)
