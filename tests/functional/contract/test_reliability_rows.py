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

#: Area -> how many rows it has. The rows about watch will come with it.
AREAS = {'A': 14, 'C': 10, 'DB': 10, 'H': 24, 'J': 11, 'L': 6, 'R': 17,
         'S': 12}
ROWS = re.findall(r'^   \* - ``([A-Z]+[0-9]+)``$', PAGE.read_text(),
                  re.MULTILINE)


@pytest.fixture(scope='module')
def claimed():
    return proved_rows.files_by_row(proved_rows.RELIABILITY)


@pytest.mark.parametrize('row', ROWS)
def test_a_test_names_every_requirement(claimed, row):
    assert claimed[row]


def test_the_page_has_every_requirement_once():
    assert len(ROWS) == len(set(ROWS))
    assert Counter(row.rstrip('0123456789') for row in ROWS) == AREAS


def test_the_gate_runs_every_environment_that_proves_a_row():
    """Where one is run by name only, nobody knows when it was run last."""
    tox = configparser.RawConfigParser()
    tox.read(TOX)
    proving = [name.removeprefix('testenv:') for name in tox.sections()
               if name.startswith('testenv:functional')]
    assert {*proving} <= {*tox['tox']['env_list'].split()}
    assert len(proving) > 5


def test_the_gate_runs_the_tests_of_the_peer():
    """H22: they come with eventlet's source and are no tests of this tree;
    what runs them is an environment of their own."""
    tox = configparser.RawConfigParser()
    tox.read(TOX)
    assert 'peer-eventlet' in tox['tox']['env_list'].split()
    command = tox['testenv:peer-eventlet']['commands'].replace('{/}', '/')
    assert (TOX.parent / command.split()[1]).is_file()
