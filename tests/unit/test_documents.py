# SPDX-License-Identifier: Apache-2.0
"""The documentation has a line for every code and word, and no other."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.request import errors as asked
from api.response import faults
from service.domain import errors
from service.domain.catalogue.types import QUOTA_TYPE
from service.domain.typefiles import vocabulary
from service.process import refusals
from service.process.limits import ServerLimits

DOC = Path(__file__).parents[2] / 'doc/source'


def section(document: str, title: str) -> str:
    """The text of one section, up to the next title of the same level."""
    text = (DOC / document).read_text()
    _, found, rest = text.partition(f'\n{title}\n{"=" * len(title)}\n')
    assert found, f'{document} has no section {title!r}'
    return re.split(r'\n[^\n]+\n={3,}\n', rest)[0]


def rows(text: str) -> Iterator[list[str]]:
    """The rows of the list-tables in ``text``, without their heads."""
    for table in text.split('.. list-table::')[1:]:
        for row in table.split('\n   * - ')[2:]:
            yield [cell.strip() for cell in row.split('\n     - ')]


def first_cells(document: str, title: str) -> list[str]:
    return [word for row in rows(section(document, title))
            for word in re.findall(r'``([^`]+)``', row[0])]


def failures(error: type[errors.PileusError]) -> Iterator[
        type[errors.PileusError]]:
    for one in error.__subclasses__():
        if one.__module__ in (errors.__name__, asked.__name__,
                              faults.__name__):
            yield one
        yield from failures(one)


def promised() -> set[tuple[str, int]]:
    """Every code a client can meet, with its status."""
    met = {(one.code, faults.status(one))
           for one in failures(errors.PileusError)}
    met |= {(code, status) for status, (code, _, _)
            in faults.MIDDLEWARE_ERRORS.items()}
    return met | {(one.code, one.status)
                  for one in refusals.REASONS.values()}


def test_every_error_code_is_documented_with_its_status_and_no_other():
    documented = {(row[0].strip('`'), int(row[1]))
                  for row in rows(section('api.rst', 'Error codes'))}
    assert documented == promised()


def test_every_word_of_a_type_is_documented_once():
    assert sorted(first_cells('declaring.rst', 'Words of a type')) == sorted(
        vocabulary.TYPE_KEYWORDS)


def test_every_word_of_a_property_is_documented_once():
    assert sorted(first_cells('declaring.rst', 'Words of a property')
                  ) == sorted(vocabulary.PROPERTY_KEYWORDS)


@pytest.mark.parametrize(('title', 'table'), [
    ('Formats', vocabulary.FORMATS),
    ('Actions', vocabulary.ACTIONS),
    ('Reserved names', vocabulary.RESERVED_NAMES | vocabulary.RESERVED_PLURALS
     | {QUOTA_TYPE})])
def test_every_name_of_a_table_is_documented_once(title, table):
    names = re.findall(r'``([^`]+)``', section('declaring.rst', title))
    assert sorted(names) == sorted(table)


def test_every_limit_of_the_server_is_documented_once():
    rowed = [name for title in ('What is sent', 'How long it takes',
                                'How much at once')
             for name in first_cells('operating-limits.rst', title)]
    limits = {one.name for one in dataclasses.fields(ServerLimits)}
    assert sorted(rowed) == sorted(limits - {'service_type', 'auth_strategy',
                                             'reserved_paths'})
