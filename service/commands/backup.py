# SPDX-License-Identifier: Apache-2.0
"""pileus-manage export and import: all there is, in a file and back.

The file is JSON lines with checksums, the same from every database: so it is
a backup, and the way from one kind of database to another.
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

#: The file that is stdin or stdout.
_STANDARD = '-'


def export(arguments: Arguments) -> int:
    """Write a dump of everything, as it is at this moment."""
    tell = progress.reporter(arguments.prog)

    def told(table: str, out: int, rows: int) -> None:
        if out % 100 == 0 or out == rows:
            tell(f'{table}: {out} of {rows} rows')

    def work(made: Engine) -> int:
        if arguments.file == _STANDARD:
            return _write_lines(sys.stdout.buffer,
                                database_export.lines(made, told))
        return _write_file(arguments.file, database_export.lines(made, told))
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
    """A file of the name is there when it is whole, and not before.

    SECURITY: it holds all that anybody ever stored.
    """
    part = f'{path}.part'
    try:
        made = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(made, 'wb') as file:
            count = _write_lines(file, lines)
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as exc:
        raise StartError(f'{path}: {exc.strerror}') from exc
    return count


def import_file(arguments: Arguments) -> int:
    """Store a dump in an empty database, or go on where one was left."""
    if arguments.file == _STANDARD:
        count = _restore(arguments, sys.stdin.buffer, 'stdin')
    else:
        count = _import_path(arguments)
    print(f'{arguments.prog}: {count} rows imported.', file=sys.stderr)
    return 0


def _import_path(arguments: Arguments) -> int:
    """Look at the whole file before anything is done."""
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
    tell = progress.reporter(arguments.prog)
    reading = dump_file.ExportReader(file, name)
    return database.run_on(
        arguments, lambda made: restore.restore(
            made, reading, lambda stored, rows: tell(
                f'{stored} of {rows} rows')),
        'nothing to import into: run pileus-manage schema apply')


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('file', metavar='FILE',
                        help='the dump, or - for stdin or stdout')


COMMANDS = (
    Command(('export',),
            'Write everything to a file, as it is at this moment: records, '
            'their history, tags, quotas.', export, _add_file),
    Command(('import',),
            'Store a file that export wrote in an empty database of the same '
            'types; run again, it goes on where it was interrupted.',
            import_file, _add_file),
)
