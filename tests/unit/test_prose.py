# SPDX-License-Identifier: Apache-2.0
"""Names and docstrings that a newcomer understands at the first reading."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = [path for top in ('api', 'service')
        for path in sorted((ROOT / top).rglob('*.py'))]

#: Packages that keep their names until their own rewrite.
WAITING = ('service/process/scheduling', 'service/storage/rows')

#: A protocol and its only implementation have one name and one meaning.
SAME_MEANING = {'Rows'}

#: Words that begin a sentence about something that no noun names.
NO_SUBJECT = ('Who', 'Whoever', 'Whom', 'Whose', 'Nobody', 'Somebody', 'What',
              'Where', 'That', 'Those', 'It', 'So many')

#: Words that are no name for a value.
NO_NOUN = {'one', 'found', 'given', 'made', 'told', 'said', 'asked', 'who',
           'what', 'deed'}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def rewritten() -> list[Path]:
    return [path for path in CODE if not name(path).startswith(WAITING)]


def nodes(path: Path) -> Iterator[ast.AST]:
    yield from ast.walk(ast.parse(path.read_text()))


def test_no_two_classes_share_a_name():
    places = defaultdict(list)
    for path in CODE:
        for node in nodes(path):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(name(path))
    shared = {key: files for key, files in places.items() if len(files) > 1}
    assert set(shared) <= SAME_MEANING, shared


@pytest.mark.parametrize('path', rewritten(), ids=name)
def test_a_docstring_begins_with_what_the_code_is_or_does(path):
    for node in nodes(path):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            text = ast.get_docstring(node) or ''
            assert not text.startswith(tuple(
                f'{word} ' for word in NO_SUBJECT)), text


@pytest.mark.parametrize('path', rewritten(), ids=name)
def test_a_value_is_named_by_a_noun(path):
    named = {node.id for node in nodes(path) if isinstance(node, ast.Name)
             and isinstance(node.ctx, ast.Store)}
    named |= {node.arg for node in nodes(path) if isinstance(node, ast.arg)}
    assert not named & NO_NOUN
