# SPDX-License-Identifier: Apache-2.0
"""Each row of the reliability plan that is the server's has a test.

A test names its rows in the first words of its docstring.
"""

from __future__ import annotations

import ast
import pathlib
import re
from collections.abc import Iterator

HERE = pathlib.Path(__file__).resolve().parent
UNIT = HERE.parent.parent / 'unit' / 'process'
PEER = HERE.parent.parent / 'peer' / 'run.py'

ROWS = {*(f'H{number:02}' for number in range(1, 25)),
        *(f'R{number:02}' for number in range(1, 10)),
        'R11', 'R13', 'R16', 'R17', 'L04'}


def named(file: pathlib.Path) -> Iterator[str]:
    tree = ast.parse(file.read_text())
    for one in ast.walk(tree):
        if isinstance(one, ast.FunctionDef) and one.name.startswith('test_'):
            text = (ast.get_docstring(one) or '').partition(':')[0]
            yield from re.findall(r'\b[A-Z]\d\d\b', text)


def test_no_row_is_without_a_test() -> None:
    """H22 has a run of its own: the peer's tests, in tox -e peer-eventlet."""
    files = [*HERE.rglob('test_*.py'), *UNIT.rglob('test_*.py')]
    found = {row for file in files for row in named(file)}
    assert sorted(ROWS - found) == []
    assert PEER.exists()
