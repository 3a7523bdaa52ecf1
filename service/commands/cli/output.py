# SPDX-License-Identifier: Apache-2.0
"""Print the results of commands: a table for people, JSON for programs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence

Row = tuple[str, ...]


def table(head: Row, rows: Sequence[Row], empty_text: str) -> None:
    """Print aligned columns, or ``empty_text`` if there are no rows."""
    if not rows:
        print(empty_text)
        return
    lines = [tuple(word.upper() for word in head), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print('  '.join(cell.ljust(width) for cell, width in zip(
            line, widths, strict=True)).rstrip())


def json_objects(head: Row, rows: Sequence[Row], empty_text: str) -> None:
    print(json.dumps([dict(zip(head, row, strict=True)) for row in rows],
                     indent=2))


FORMATS: dict[str, Callable[[Row, Sequence[Row], str], None]] = {
    'table': table, 'json': json_objects}


def add_format(parser: argparse.ArgumentParser) -> None:
    """Add the argument ``--format``."""
    parser.add_argument('--format', choices=list(FORMATS), default='table',
                        help='output format (default: table)')
