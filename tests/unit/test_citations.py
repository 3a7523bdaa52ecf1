# SPDX-License-Identifier: Apache-2.0
"""Every citation of a decision or a requirement leads to its definition.

``D17`` is a design decision, ``A03`` or ``DB01`` a reliability requirement,
``MV-6`` a row of the API contract.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / 'doc/source'

CITING = ('api', 'service', 'tests', 'doc/source', 'etc', 'releasenotes',
          'README.rst', 'CONTRIBUTING.rst')
SUFFIXES = ('.py', '.rst', '.yaml', '.ini', '.conf', '.sample')


class Kind(NamedTuple):
    """How citations of one kind look, and where they are defined."""

    citation: str
    page: str
    definition: str


#: No citation: a percent-encoded byte (%D0), a time (T00:00) or a week of a
#: date (2026-W01).
_ALONE = r'(?<![%\w-])({})(?!\w|:[0-9]|\.\*)'

KINDS = {
    'decision': Kind(_ALONE.format('D[0-9]{1,2}'), 'decisions.rst',
                     r'^``(D[0-9]+)`` '),
    'requirement': Kind(_ALONE.format('[A-CE-Z][0-9]{2}|DB[0-9]{2}'),
                        'reliability.rst', r'^   \* - ``([A-Z]+[0-9]+)``$'),
    'contract row': Kind(_ALONE.format('[A-Z]{2,5}-[0-9]{1,2}'),
                         'api-conformance.rst',
                         r'^   \* - ([A-Z]+-[0-9]+)$'),
}


def definitions(kind: Kind) -> list[str]:
    text = (PAGES / kind.page).read_text()
    return re.findall(kind.definition, text, re.MULTILINE)


def files() -> Iterator[Path]:
    for name in CITING:
        path = ROOT / name
        paths: Iterable[Path] = path.rglob('*') if path.is_dir() else [path]
        yield from (file for file in sorted(paths)
                    if file.suffix in SUFFIXES)


def area(row: str) -> str:
    return row.partition('-')[0]


@pytest.mark.parametrize('name', KINDS)
def test_every_citation_has_a_definition(name):
    kind = KINDS[name]
    defined = set(definitions(kind))
    areas = {area(row) for row in defined}
    assert [f'{path.relative_to(ROOT)}: {row}' for path in files()
            for row in re.findall(kind.citation, path.read_text())
            if row not in defined
            and ('-' not in row or area(row) in areas)] == []


@pytest.mark.parametrize('name', ['decision', 'requirement'])
def test_nothing_is_defined_twice(name):
    rows = definitions(KINDS[name])
    assert len(rows) == len(set(rows)) > 30


def test_the_decisions_are_numbered_without_gaps():
    rows = definitions(KINDS['decision'])
    assert rows == [f'D{number}' for number in range(1, len(rows) + 1)]


def test_the_pages_define_different_names():
    """D10 would otherwise be a decision and a requirement."""
    rows = [row for kind in KINDS.values() for row in set(definitions(kind))]
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize('text, rows', [
    ('D17, D1 and (D4)', ['D17', 'D1', 'D4']),
    ('%D0%BA, 2026-D01, XD17, D17a', []),
])
def test_a_decision_is_recognized_in_text(text, rows):
    assert re.findall(KINDS['decision'].citation, text) == rows


@pytest.mark.parametrize('text, rows', [
    ('"""A09."""', ['A09']), ('DB01: H19 H21', ['DB01', 'H19', 'H21']),
    ('T00:00:00', []), ('T24.*', []), ('2026-W01-1', []), ('D17', []),
])
def test_a_requirement_is_recognized_in_text(text, rows):
    assert re.findall(KINDS['requirement'].citation, text) == rows
