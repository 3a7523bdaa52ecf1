# SPDX-License-Identifier: Apache-2.0
"""Every row of the reliability plan that is built has a test naming it."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

from tests.functional.harness import proved_rows

TOX = Path(__file__).parents[3] / 'tox.ini'

#: What a list of rows is about -> the rows that must be proven.
OWNED = {
    'bodies and values': ('J01', 'J02', 'J03', 'J04', 'J05', 'J06', 'J07',
                          'J08', 'J09', 'J10', 'J11'),
    'identity': ('A06', 'A07', 'A08', 'A10', 'A11', 'A12', 'A13'),
    'requests': ('A01', 'A02', 'A14', 'R10', 'R14', 'R15'),
    'access': ('A03', 'A04', 'A05', 'A08', 'A09', 'L06'),
    'consistency': ('C01', 'C02', 'C03', 'C04', 'C05', 'C07', 'C11', 'C12',
                    'C13'),
    'the database': tuple(f'DB{number:02}' for number in range(1, 11)),
    'the wire': tuple(f'H{number:02}' for number in range(1, 25)),
    'resources': (*(f'R{number:02}' for number in range(1, 10)),
                  'R11', 'R13', 'R16', 'R17'),
    'quotas and fairness': ('C06', 'R12'),
    'what is told': ('L01', 'L02', 'L03', 'L04', 'L05'),
    'process life': tuple(f'S{number:02}' for number in range(1, 13)),
}

@pytest.fixture(scope='module')
def claimed():
    return proved_rows.files_by_row(proved_rows.RELIABILITY)


@pytest.mark.parametrize('about', OWNED)
def test_every_row_is_named_by_a_test(claimed, about):
    assert [row for row in OWNED[about] if row not in claimed] == []


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
