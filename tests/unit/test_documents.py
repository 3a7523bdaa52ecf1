# SPDX-License-Identifier: Apache-2.0
"""The documentation lists every error code, keyword and limit exactly once.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.request import errors as request_errors
from api.response import faults
from service.domain import errors
from service.domain.catalogue.types import QUOTA_TYPE
from service.domain.typefiles import vocabulary
from service.process import refusals
from service.process.limits import ServerLimits

DOC = Path(__file__).parents[2] / 'doc/source'


def section(document: str, title: str) -> str:
    """Return the text of a section, up to the next title of its level."""
    text = (DOC / document).read_text()
    _, heading, rest = text.partition(f'\n{title}\n{"=" * len(title)}\n')
    assert heading, f'{document} has no section {title!r}'
    return re.split(r'\n[^\n]+\n={3,}\n', rest)[0]


def rows(text: str) -> Iterator[list[str]]:
    """Yield the rows of the list-tables in ``text``, without their heads."""
    for table in text.split('.. list-table::')[1:]:
        for row in table.split('\n   * - ')[2:]:
            yield [cell.strip() for cell in row.split('\n     - ')]


def first_cells(document: str, title: str) -> list[str]:
    return [word for row in rows(section(document, title))
            for word in re.findall(r'``([^`]+)``', row[0])]


def failures(error: type[errors.PileusError]) -> Iterator[
        type[errors.PileusError]]:
    for subclass in error.__subclasses__():
        if subclass.__module__ in (errors.__name__, request_errors.__name__,
                                   faults.__name__):
            yield subclass
        yield from failures(subclass)


def error_codes() -> set[tuple[str, int]]:
    """Return every error code that a reply can have, with its status."""
    codes = {(error.code, faults.status(error))
             for error in failures(errors.PileusError)}
    codes |= {(code, status) for status, (code, _, _)
              in faults.MIDDLEWARE_ERRORS.items()}
    return codes | {(error.code, error.status)
                    for error in refusals.REASONS.values()}


def test_the_documented_error_codes_and_statuses_are_those_of_the_code():
    documented = {(row[0].strip('`'), int(row[1]))
                  for row in rows(section('api.rst', 'Error codes'))}
    assert documented == error_codes()


def test_every_keyword_of_a_type_is_documented_once():
    assert sorted(first_cells('declaring.rst', 'Keywords of a type')
                  ) == sorted(vocabulary.TYPE_KEYWORDS)


def test_every_keyword_of_a_property_is_documented_once():
    assert sorted(first_cells('declaring.rst', 'Keywords of a property')
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
    documented = [name for title in ('Sizes', 'Timeouts', 'Concurrency')
                  for name in first_cells('operating-limits.rst', title)]
    limits = {field.name for field in dataclasses.fields(ServerLimits)}
    assert sorted(documented) == sorted(limits - {'service_type',
                                                  'auth_strategy',
                                                  'reserved_paths'})
