# SPDX-License-Identifier: Apache-2.0
"""Every row of the API contract is proven, or it is said why not.

The rows are those of the OpenStack API-SIG guidelines, numbered by area;
``doc/source/api-conformance.rst`` says what each asks for.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.functional.harness import proved_rows

DOC = Path(__file__).parents[3] / 'doc/source/api-conformance.rst'

#: Area -> how many rows it has.
AREAS = {'DISC': 14, 'MV': 13, 'INT': 4, 'ERR': 10, 'CODE': 15, 'METH': 6,
         'HDR': 2, 'CACHE': 3, 'ETAG': 5, 'LINK': 1, 'PAGE': 7, 'FILT': 8,
         'SORT': 3, 'CNT': 2, 'REPR': 1, 'NAME': 5, 'TERM': 2, 'URI': 4,
         'TIME': 2, 'TAG': 8, 'META': 5}
ROWS = [f'{area}-{number}' for area, count in AREAS.items()
        for number in range(1, count + 1)]


def table(title: str) -> dict[str, list[str]]:
    """Row -> the other cells of the list-table of a section of the page."""
    text = DOC.read_text().split(f'\n{title}\n')[1]
    text = re.split(r'\n[^\n]+\n={3,}\n', text.split('\n', 1)[1])[0]
    cells = [row.split('\n     - ') for row in text.split('\n   * - ')[2:]]
    return {name: [one.strip() for one in rest] for name, *rest in cells}


EXCEPTIONS = table('Exceptions and their reasons')


@pytest.fixture(scope='module')
def claimed():
    return proved_rows.files_by_row(proved_rows.CONTRACT)


def test_every_row_has_a_test_or_a_reason(claimed):
    assert [row for row in ROWS
            if row not in claimed and row not in EXCEPTIONS] == []


def test_no_test_names_a_row_that_is_none(claimed):
    named = {row for row in claimed if row.split('-')[0] in AREAS}
    assert named - set(ROWS) == set()


def test_the_page_has_every_row_once():
    assert list(table('Rows')) == ROWS
    assert DOC.read_text().count('\n   * - MV-1\n') == 1


@pytest.mark.parametrize('row', ROWS)
def test_the_page_says_where_a_row_is_proven(claimed, row):
    level, _, proven = table('Rows')[row]
    files = re.findall(r'``([^`]+)``', proven)
    assert level in ('must', 'should', 'optional', 'derived')
    assert files or row in EXCEPTIONS
    assert {f'functional/{one}' for one in files} <= claimed[row]


def test_every_exception_has_a_reason():
    assert set(EXCEPTIONS) <= set(ROWS)
    assert all(len(reason) > 30 for (reason,) in EXCEPTIONS.values())
