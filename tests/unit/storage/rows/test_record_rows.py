# SPDX-License-Identifier: Apache-2.0
"""A row is written only if it is still the record that was read."""

import pytest


@pytest.mark.parametrize(('before', 'written'), [
    ({}, True),
    ({'generation': 2}, False),
    ({'created_at': '2026-01-01T00:00:00.000000Z'}, False)], ids=str)
@pytest.mark.parametrize('deed', ['update', 'delete'])
def test_what_moved_on_or_was_made_anew_is_left_alone(desks, deed, before,
                                                      written):
    seen = {**desks.make('desk', name='a'), **before}
    deeds = {
        'update': lambda rows: rows.update(desks.type('desk'), seen,
                                           {'name': 'b'}),
        'delete': lambda rows: rows.delete(desks.type('desk'), seen)}
    left = {'update': ['b'], 'delete': []}[deed] if written else ['a']
    assert desks.store.write(deeds[deed]) is written
    assert desks.names('desk') == left
