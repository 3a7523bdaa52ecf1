# SPDX-License-Identifier: Apache-2.0
"""Which tests say that they prove which row of a requirement.

A story's step says so by beginning its name with rows (``MV-1 MV-2 without
a header ...``), a Python test by naming rows in its docstring.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

TESTS = Path(__file__).parents[2]

#: A row of the API contract, such as MV-6.
CONTRACT = re.compile(r'\b([A-Z]{2,5}-[0-9]{1,2})\b')
#: A row of the reliability requirements, such as J01 or DB01. D1 to D37 are
#: design decisions, so the rows about the database begin with DB.
RELIABILITY = re.compile(r'\b(DB[0-9]{2}|[A-CE-Z][0-9]{2})\b')


def made(row: re.Pattern[str]) -> Mapping[str, set[str]]:
    """Row -> the files, below ``tests``, with a test that names it."""
    found = defaultdict(set)
    for path, text in _said():
        for name in row.findall(text):
            found[name].add(str(path.relative_to(TESTS)))
    return found


def _said() -> Iterator[tuple[Path, str]]:
    for path in TESTS.glob('functional/**/*.yaml'):
        for step in _steps(path):
            yield path, _heading(step['name'])
    for path in TESTS.rglob('test_*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if (isinstance(node, ast.FunctionDef)
                    and node.name.startswith('test_')):
                yield path, ast.get_docstring(node) or ''


def _steps(path: Path) -> list[dict[str, str]]:
    told = yaml.safe_load(path.read_text())
    return told.get('tests', []) if isinstance(told, dict) else []


def _heading(name: str) -> str:
    """The rows a step's name begins with."""
    match = re.match(r'(?:[A-Z]{1,5}-?[0-9]{1,2} )*', name)
    assert match is not None
    return match[0]
