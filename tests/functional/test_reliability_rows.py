# SPDX-License-Identifier: Apache-2.0
"""Every row of the reliability plan that is built has a test naming it."""

from __future__ import annotations

import pytest

from tests.functional import claims

#: What a list of rows is about -> the rows that must be proven.
OWNED = {
    'bodies and values': ('J01', 'J02', 'J03', 'J04', 'J05', 'J06', 'J07',
                          'J08', 'J09', 'J10', 'J11'),
    'requests': ('A01', 'A02', 'A14', 'R10', 'R14', 'R15'),
    'consistency': ('C01', 'C03', 'C04', 'C11', 'C12'),
}


@pytest.fixture(scope='module')
def claimed():
    return claims.made(claims.RELIABILITY)


@pytest.mark.parametrize('about', OWNED)
def test_every_row_is_named_by_a_test(claimed, about):
    assert [row for row in OWNED[about] if row not in claimed] == []
