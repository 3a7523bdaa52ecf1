# SPDX-License-Identifier: Apache-2.0
"""The pictures of the architecture page are drawn from today's code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from doc import pictures

ROOT = Path(__file__).parents[2]
PACKAGES = [path for top in ('api', 'service')
            for path in sorted((ROOT / top).rglob('__init__.py'))]

#: "About a dozen": a folder with more files holds two packages.
MAX_FILES = 13


@pytest.mark.parametrize('name', ['packages.svg', 'request.svg'])
def test_a_picture_shows_the_code_of_today(name):
    drawn = (pictures.IMAGES / name).read_text()
    assert drawn == pictures.PICTURES[name](), 'run python doc/pictures.py'


def test_every_package_stands_in_the_picture():
    text = (pictures.IMAGES / 'packages.svg').read_text()
    boxes = pictures.graph()
    drawn = {box for box in boxes if f'>{box.rpartition(".")[2]}<' in text}
    assert drawn == set(boxes)
    for path in PACKAGES:
        package = '.'.join(path.relative_to(ROOT).parent.parts)
        assert package in boxes or package in pictures.FRAMES or (
            package.startswith(pictures.CLOSED)), package


def test_no_package_imports_a_package_that_imports_it():
    """``ranks`` would not end on a cycle; ``reduced`` names its packages."""
    edges = pictures.graph()
    order = pictures.ranks(edges)
    assert all(order[box] > order[other]
               for box, others in edges.items() for other in others)


@pytest.mark.parametrize('path', PACKAGES,
                         ids=lambda path: path.parent.name)
def test_a_package_says_its_purpose_in_one_line(path):
    text = ast.get_docstring(ast.parse(path.read_text()))
    assert text, 'the map of packages shows the docstring of __init__.py'
    assert text.partition('\n\n')[0].rstrip().endswith('.')


@pytest.mark.parametrize(
    'folder', sorted({path.parent for top in ('api', 'service', 'tests')
                      for path in (ROOT / top).rglob('*.py')}),
    ids=lambda folder: str(folder.relative_to(ROOT)))
def test_a_folder_holds_about_a_dozen_files(folder):
    files = [path for path in folder.iterdir() if path.is_file()
             and path.suffix in ('.py', '.yaml')
             and path.name not in ('__init__.py', 'conftest.py')]
    assert len(files) <= MAX_FILES, f'{folder} holds two packages'
