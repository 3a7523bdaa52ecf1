# SPDX-License-Identifier: Apache-2.0
"""Every row of the API contract has a test, or an exception with a reason.

The rows are the OpenStack API-SIG guidelines, numbered by area.
``doc/source/api-conformance.rst`` explains each row.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.functional.harness import proved_rows

DOC = Path(__file__).parents[3] / 'doc/source/api-conformance.rst'

#: Area -> number of its rows.
AREAS = {'DISC': 14, 'MV': 13, 'INT': 4, 'ERR': 10, 'CODE': 15, 'METH': 6,
         'HDR': 2, 'CACHE': 3, 'ETAG': 5, 'LINK': 1, 'PAGE': 7, 'FILT': 8,
         'SORT': 3, 'CNT': 2, 'REPR': 1, 'NAME': 5, 'TERM': 2, 'URI': 4,
         'TIME': 2, 'TAG': 8, 'META': 5}
ROWS = [f'{area}-{number}' for area, count in AREAS.items()
        for number in range(1, count + 1)]


def table(title: str) -> dict[str, list[str]]:
    """Return the table of a section of the page: row -> its other cells."""
    text = DOC.read_text().split(f'\n{title}\n')[1]
    text = re.split(r'\n[^\n]+\n={3,}\n', text.split('\n', 1)[1])[0]
    cells = [row.split('\n     - ') for row in text.split('\n   * - ')[2:]]
    return {name: [cell.strip() for cell in others] for name, *others in cells}


EXCEPTIONS = table('Exceptions and their reasons')


@pytest.fixture(scope='module')
def files_by_row():
    return proved_rows.files_by_row(proved_rows.CONTRACT)


def test_every_row_has_a_test_or_an_exception(files_by_row):
    assert [row for row in ROWS
            if row not in files_by_row and row not in EXCEPTIONS] == []


def test_no_test_names_an_unknown_row(files_by_row):
    named = {row for row in files_by_row if row.split('-')[0] in AREAS}
    assert named - set(ROWS) == set()


def test_the_page_has_every_row_exactly_once():
    assert list(table('Rows')) == ROWS
    assert DOC.read_text().count('\n   * - MV-1\n') == 1


@pytest.mark.parametrize('row', ROWS)
def test_the_files_of_a_row_on_the_page_have_tests_for_it(files_by_row, row):
    level, _, proven = table('Rows')[row]
    files = re.findall(r'``([^`]+)``', proven)
    assert level in ('must', 'should', 'optional', 'derived')
    assert files or row in EXCEPTIONS
    assert {f'functional/{path}' for path in files} <= files_by_row[row]


def test_every_exception_has_a_reason():
    assert set(EXCEPTIONS) <= set(ROWS)
    assert all(len(reason) > 30 for (reason,) in EXCEPTIONS.values())
