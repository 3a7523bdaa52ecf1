# SPDX-License-Identifier: Apache-2.0
"""pileus-manage types: look at type files before the service does."""

from __future__ import annotations

import argparse
import os

import service
from service.commands.cli.output import FORMATS, Row, add_format
from service.commands.cli.parser import Arguments, Command, configuration
from service.domain.catalogue.types import Catalogue, ResourceType
from service.domain.evolution import compatibility
from service.domain.typefiles import type_files


def check(arguments: Arguments) -> int:
    """Name each change that breaks a client of a version there is; 1 if any.
    """
    found = compatibility.breaches(_read(arguments.old), _read(arguments.new))
    FORMATS[arguments.format](
        ('file', 'property', 'version', 'change'),
        [(one.file, one.place, str(one.version), one.message)
         for one in found],
        'No change breaks a client of an existing version.')
    return 1 if found else 0


def _read(directory: str) -> Catalogue:
    """The catalogue of one of two directories, which its mistakes name."""
    try:
        return type_files.read(directory)
    except type_files.DeclarationError as exc:
        raise type_files.DeclarationError(
            one if one.startswith(directory) else
            os.path.join(directory, one) for one in exc.mistakes
        ) from exc


def list_types(arguments: Arguments) -> int:
    """Name the declared types."""
    catalogue = service.catalogue(configuration(arguments))
    FORMATS[arguments.format](
        ('name', 'collection', 'scope', 'since', 'until', 'file'),
        [_row(one) for one in catalogue.live], 'No type is declared.')
    return 0


def _row(one: ResourceType) -> Row:
    return (one.name, f'/v1/{one.path}', one.scope, str(one.since),
            str(one.until or ''), one.file)


def _add_directories(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('old', metavar='OLD_DIR',
                        help='the type files that are served')
    parser.add_argument('new', metavar='NEW_DIR',
                        help='the type files that shall be')
    add_format(parser)


COMMANDS = (
    Command(('types', 'check'),
            'Name each change between two directories of type files that '
            'breaks a client of an existing version; exit 1 if there is one.',
            check, _add_directories, configured=False),
    Command(('types', 'list'), 'List the declared types.', list_types,
            add_format),
)
