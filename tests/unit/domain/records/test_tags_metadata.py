# SPDX-License-Identifier: Apache-2.0
"""A part of a record has states of its own, and names for them."""

from __future__ import annotations

from typing import Any

import pytest

from service.domain import errors
from service.domain.records.preconditions import Seen, stamp
from service.domain.records.tags_metadata import Part, SeenPart
from tests.unit.stored import ANYHOW

RECORD: dict[str, Any] = {
    'id': 'r1', 'generation': 3,
    'created_at': '2026-01-01T00:00:00.000000Z', 'tags': ['a', 'b'],
    'metadata': {'k': 'v', 'l': 'w'}}

TAGS, METADATA = Part('tags'), Part('metadata')
TAG, KEY = Part('tags', 'a'), Part('metadata', 'k')
PARTS = [TAGS, METADATA, TAG, KEY]


def changed(**members: Any) -> dict[str, Any]:
    return {**RECORD, 'generation': 4, **members}


@pytest.mark.parametrize('part', PARTS, ids=str)
def test_a_part_keeps_its_state_when_something_else_changes(part):
    assert part.stamp(changed(status='active')) == part.stamp(RECORD)


@pytest.mark.parametrize(('part', 'members'), [
    (TAGS, {'tags': ['a']}), (TAGS, {'tags': ['b', 'a']}),
    (TAGS, {'tags': ['a,b']}), (METADATA, {'metadata': {'k': 'v'}}),
    (METADATA, {'metadata': {'k': 'w', 'l': 'v'}}),
    (KEY, {'metadata': {'k': 'w', 'l': 'w'}})])
def test_a_part_has_a_new_state_when_it_changes(part, members):
    assert part.stamp(changed(**members)) != part.stamp(RECORD)


@pytest.mark.parametrize('part', PARTS, ids=str)
def test_a_record_made_anew_under_the_id_has_other_states(part):
    anew = changed(created_at='2026-01-01T00:00:00.000001Z')
    assert part.stamp(anew) != part.stamp(RECORD)


def test_no_two_parts_share_a_state():
    record = {**RECORD, 'tags': ['k'], 'metadata': {'k': 'k'}}
    parts = [TAGS, METADATA, Part('tags', 'k'), KEY, Part('metadata', 'l')]
    states = {part.stamp(record) for part in parts}
    assert len({*states, stamp(record)}) == len(parts) + 1


@pytest.mark.parametrize('part', PARTS, ids=str)
def test_a_part_is_named_by_its_own_state_and_what_it_is_a_part_of(part):
    for known in (part.stamp(RECORD), Part(part.column).stamp(RECORD),
                  stamp(RECORD)):
        SeenPart(Seen(stamps=frozenset({'x', known})), part).check(
            'host', 'r1', RECORD)


@pytest.mark.parametrize(('part', 'known'), [
    (TAGS, TAG.stamp(RECORD)), (METADATA, KEY.stamp(RECORD)),
    (TAGS, METADATA.stamp(RECORD)), (KEY, Part('metadata', 'l').stamp(RECORD)),
    (TAG, 'x')], ids=str)
def test_and_by_no_other(part, known):
    with pytest.raises(errors.Stale):
        SeenPart(Seen(stamps=frozenset({known})), part).check(
            'host', 'r1', RECORD)


@pytest.mark.parametrize('part', PARTS, ids=str)
def test_a_record_is_not_named_by_the_state_of_a_part(part):
    with pytest.raises(errors.Stale):
        Seen(stamps=frozenset({part.stamp(RECORD)})).check('host', 'r1',
                                                           RECORD)


NEW = Part('metadata', 'new')
LATE = Seen(stamps=frozenset({'late'}))


@pytest.mark.parametrize(('seen', 'part', 'text'), [
    (Seen(absent=True), KEY, 'The metadata key "k" of the host r1 exists '
     'already; read it again and retry.'),
    (Seen(exists=True), NEW, 'The metadata key "new" of the host r1 does not '
     'exist; read it again and retry.'),
    (LATE, NEW, 'The metadata key "new" of the host r1 does not exist; read '
     'it again and retry.'),
    (LATE, TAGS, 'The tag list of the host r1 was changed since it was read; '
     'read it again and retry.')])
def test_a_broken_condition_says_what_it_was_about(seen, part, text):
    with pytest.raises(errors.Stale) as told:
        SeenPart(seen, part).check('host', 'r1', RECORD)
    assert str(told.value) == text


@pytest.mark.parametrize('seen', [
    ANYHOW, Seen(absent=True), Seen(stamps=frozenset({stamp(RECORD)})),
    Seen(stamps=frozenset({METADATA.stamp(RECORD)}))], ids=str)
def test_an_item_that_is_not_there_can_be_made(seen):
    SeenPart(seen, NEW).check('host', 'r1', RECORD)


@pytest.mark.parametrize('seen', [ANYHOW, LATE, Seen(exists=True)], ids=str)
def test_but_not_taken_away_whatever_was_seen(seen):
    with pytest.raises(errors.NoSuchItem, match='no metadata key'):
        SeenPart(seen, NEW, needed=True).check('host', 'r1', RECORD)


def test_a_collection_is_there_also_when_it_is_empty():
    empty = changed(tags=[], metadata={})
    for part in (TAGS, METADATA):
        part.need('host', empty)
        assert part.held(empty)
    assert not TAG.held(empty)
    assert not KEY.held(empty)
