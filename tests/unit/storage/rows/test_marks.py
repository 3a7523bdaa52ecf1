# SPDX-License-Identifier: Apache-2.0
"""By what a transaction is known, where nobody answered its commit."""

import pytest

from service.domain.records.store import Revision
from tests.unit import stored


def revise(desks, rows):
    rows.revise([Revision.of(desks.type('desk'), 'update', record,
                             stored.ADMIN) for record in desks.made])


def test_what_was_undone_is_not_taken_for_what_came_in_its_place(desks):
    """Both have the same number, and do the same."""
    desks.made = [desks.make('desk', name='a')]
    marks = []

    def undone(rows):
        revise(desks, rows)
        rows.seal()
        marks.append(rows.mark)
        raise KeyError('undone')

    def done(rows):
        revise(desks, rows)
        desks.rows = rows
    with pytest.raises(KeyError):
        desks.store.write(undone)
    desks.made[0]['generation'] += 1
    desks.store.write(done)
    assert desks.store.read(lambda rows: [
        rows.left(mark) for mark in (*marks, desks.rows.mark, None)]) == [
            False, True, False]
