# SPDX-License-Identifier: Apache-2.0
"""pileus-manage export and import: back up and restore the database.

The export file has JSON lines with checksums and does not depend on the kind
of database. It also serves to move from one kind of database to another.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable
from typing import BinaryIO

from sqlalchemy.engine import Engine

from service.commands.cli import database, progress
from service.commands.cli.parser import Arguments, Command
from service.errors import StartError
from service.storage.maintenance import dump_file, restore
from service.storage.maintenance import export as database_export

#: Stands for stdin or stdout in place of a file name.
_STANDARD = '-'


def export(arguments: Arguments) -> int:
    """Write a consistent copy of the whole database to a file."""
    report = progress.reporter(arguments.prog)

    def report_rows(table: str, written: int, rows: int) -> None:
        if written % 100 == 0 or written == rows:
            report(f'{table}: {written} of {rows} rows')

    def work(connected: Engine) -> int:
        if arguments.file == _STANDARD:
            return _write_lines(sys.stdout.buffer,
                                database_export.lines(connected, report_rows))
        return _write_file(arguments.file,
                           database_export.lines(connected, report_rows))
    count = database.run_on(arguments, work, 'nothing to export')
    print(f'{arguments.prog}: {count} lines written.', file=sys.stderr)
    return 0


def _write_lines(file: BinaryIO, lines: Iterable[bytes]) -> int:
    count = 0
    for line in lines:
        file.write(line)
        count += 1
    file.flush()
    return count


def _write_file(path: str, lines: Iterable[bytes]) -> int:
    """Write a file that appears under its name only when it is complete.

    SECURITY: the file is readable by its owner only, since it holds all data.
    """
    part = f'{path}.part'
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
                             0o600)
        with open(descriptor, 'wb') as file:
            count = _write_lines(file, lines)
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as exc:
        raise StartError(f'{path}: {exc.strerror}') from exc
    return count


def import_file(arguments: Arguments) -> int:
    """Load an export file into an empty database, or continue to load it."""
    if arguments.file == _STANDARD:
        count = _restore(arguments, sys.stdin.buffer, 'stdin')
    else:
        count = _import_path(arguments)
    print(f'{arguments.prog}: {count} rows imported.', file=sys.stderr)
    return 0


def _import_path(arguments: Arguments) -> int:
    """Verify the whole file before any row is stored."""
    path = arguments.file
    try:
        with open(path, 'rb') as file:
            for _ in dump_file.ExportReader(file, path).chunks():
                pass
            file.seek(0)
            return _restore(arguments, file, path)
    except OSError as exc:
        raise StartError(f'{path}: {exc.strerror}') from exc


def _restore(arguments: Arguments, file: BinaryIO, name: str) -> int:
    report = progress.reporter(arguments.prog)
    reading = dump_file.ExportReader(file, name)
    return database.run_on(
        arguments, lambda connected: restore.restore(
            connected, reading, lambda stored, rows: report(
                f'{stored} of {rows} rows')),
        'nothing to import into: run pileus-manage schema apply')


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('file', metavar='FILE',
                        help='the export file, or - for stdin or stdout')


COMMANDS = (
    Command(('export',),
            'Write a consistent copy of the database to a file: records, '
            'revisions, tags, metadata and quotas.', export, _add_file),
    Command(('import',),
            'Load a file that export wrote into an empty database with the '
            'same types. After an interruption, run it again with the same '
            'file to continue.', import_file, _add_file),
)
