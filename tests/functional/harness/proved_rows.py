# SPDX-License-Identifier: Apache-2.0
"""Find the tests that claim to prove a row of a requirement.

A step of a story claims rows at the start of its name (``MV-1 MV-2 without a
header ...``). A Python test claims the rows that its docstring names.
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


def files_by_row(row: re.Pattern[str]) -> Mapping[str, set[str]]:
    """Return the files, below ``tests``, whose tests name each row."""
    files = defaultdict(set)
    for path, claim in _claims():
        for name in row.findall(claim):
            files[name].add(str(path.relative_to(TESTS)))
    return files


def _claims() -> Iterator[tuple[Path, str]]:
    for path in TESTS.glob('functional/**/*.yaml'):
        for step in _steps(path):
            yield path, _leading_rows(step['name'])
    for path in TESTS.rglob('test_*.py'):
        for node in ast.walk(ast.parse(path.read_text())):
            if (isinstance(node, ast.FunctionDef)
                    and node.name.startswith('test_')):
                yield path, ast.get_docstring(node) or ''


def _steps(path: Path) -> list[dict[str, str]]:
    story = yaml.safe_load(path.read_text())
    return story.get('tests', []) if isinstance(story, dict) else []


def _leading_rows(step_name: str) -> str:
    match = re.match(r'(?:[A-Z]{1,5}-?[0-9]{1,2} )*', step_name)
    assert match is not None
    return match[0]
