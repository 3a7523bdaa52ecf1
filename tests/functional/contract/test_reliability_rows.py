# SPDX-License-Identifier: Apache-2.0
"""Every row of ``doc/source/reliability.rst`` has a test that names it."""

from __future__ import annotations

import configparser
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.functional.harness import proved_rows

ROOT = Path(__file__).parents[3]
TOX = ROOT / 'tox.ini'
PAGE = ROOT / 'doc/source/reliability.rst'

#: Area -> number of its rows, without those of the planned feature watch.
AREAS = {'A': 14, 'C': 10, 'DB': 10, 'H': 24, 'J': 11, 'L': 6, 'R': 17,
         'S': 12}
ROWS = re.findall(r'^   \* - ``([A-Z]+[0-9]+)``$', PAGE.read_text(),
                  re.MULTILINE)



@pytest.fixture(scope='module')
def files_by_row():
    return proved_rows.files_by_row(proved_rows.RELIABILITY)


@pytest.mark.parametrize('row', ROWS)
def test_every_requirement_has_a_test_that_names_it(files_by_row, row):
    assert files_by_row[row]


def test_the_page_has_every_requirement_exactly_once():
    assert len(ROWS) == len(set(ROWS))
    assert Counter(row.rstrip('0123456789') for row in ROWS) == AREAS


def test_the_gate_runs_every_functional_environment():
    """An environment outside env_list runs only when somebody names it."""
    tox = configparser.RawConfigParser()
    tox.read(TOX)
    environments = [name.removeprefix('testenv:') for name in tox.sections()
                    if name.startswith('testenv:functional')]
    assert {*environments} <= {*tox['tox']['env_list'].split()}
    assert len(environments) > 5


def test_the_gate_runs_the_tests_of_eventlet():
    """H22: eventlet's tests come with its source, so they have a tox
    environment of their own."""
    tox = configparser.RawConfigParser()
    tox.read(TOX)
    assert 'peer-eventlet' in tox['tox']['env_list'].split()
    command = tox['testenv:peer-eventlet']['commands'].replace('{/}', '/')
    assert (TOX.parent / command.split()[1]).is_file()
