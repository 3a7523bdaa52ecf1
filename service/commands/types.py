# SPDX-License-Identifier: Apache-2.0
"""pileus-manage types: check and list type files."""

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
    """List changes that break clients of an existing version; return 1 if any.
    """
    breaches = compatibility.breaches(_read(arguments.old),
                                      _read(arguments.new))
    FORMATS[arguments.format](
        ('file', 'property', 'version', 'change'),
        [(breach.file, breach.place, str(breach.version), breach.message)
         for breach in breaches],
        'No change breaks a client of an existing version.')
    return 1 if breaches else 0


def _read(directory: str) -> Catalogue:
    """Return the catalogue of a directory; mistakes name the directory."""
    try:
        return type_files.read(directory)
    except type_files.DeclarationError as exc:
        raise type_files.DeclarationError(
            mistake if mistake.startswith(directory) else
            os.path.join(directory, mistake) for mistake in exc.mistakes
        ) from exc


def list_types(arguments: Arguments) -> int:
    """List the declared types."""
    catalogue = service.catalogue(configuration(arguments))
    FORMATS[arguments.format](
        ('name', 'collection', 'scope', 'since', 'until', 'file'),
        [_row(declared) for declared in catalogue.live],
        'No type is declared.')
    return 0


def _row(declared: ResourceType) -> Row:
    return (declared.name, f'/v1/{declared.path}', declared.scope,
            str(declared.since), str(declared.until or ''), declared.file)


def _add_directories(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('old', metavar='OLD_DIR',
                        help='the type files in use')
    parser.add_argument('new', metavar='NEW_DIR',
                        help='the changed type files')
    add_format(parser)


COMMANDS = (
    Command(('types', 'check'),
            'List each change between two directories of type files that '
            'breaks clients of an existing version; exit 1 if there is one.',
            check, _add_directories, configured=False),
    Command(('types', 'list'), 'List the declared types.', list_types,
            add_format),
)
