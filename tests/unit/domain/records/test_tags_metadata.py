# SPDX-License-Identifier: Apache-2.0
"""A part of a record has states of its own, and names for them."""

from __future__ import annotations

from typing import Any

import pytest

from service.domain import errors
from service.domain.records.preconditions import Precondition, state_token
from service.domain.records.tags_metadata import (
    Subresource,
    SubresourcePrecondition,
)
from tests.unit.stored import UNCONDITIONAL

RECORD: dict[str, Any] = {
    'id': 'r1', 'generation': 3,
    'created_at': '2026-01-01T00:00:00.000000Z', 'tags': ['a', 'b'],
    'metadata': {'k': 'v', 'l': 'w'}}

TAGS, METADATA = Subresource('tags'), Subresource('metadata')
TAG, KEY = Subresource('tags', 'a'), Subresource('metadata', 'k')
PARTS = [TAGS, METADATA, TAG, KEY]


def changed(**members: Any) -> dict[str, Any]:
    return {**RECORD, 'generation': 4, **members}


@pytest.mark.parametrize('part', PARTS, ids=str)
def test_a_part_keeps_its_state_when_something_else_changes(part):
    assert part.state_token(
        changed(status='active')) == part.state_token(RECORD)


@pytest.mark.parametrize(('part', 'members'), [
    (TAGS, {'tags': ['a']}), (TAGS, {'tags': ['b', 'a']}),
    (TAGS, {'tags': ['a,b']}), (METADATA, {'metadata': {'k': 'v'}}),
    (METADATA, {'metadata': {'k': 'w', 'l': 'v'}}),
    (KEY, {'metadata': {'k': 'w', 'l': 'w'}})])
def test_a_part_has_a_new_state_when_it_changes(part, members):
    assert part.state_token(changed(**members)) != part.state_token(RECORD)


@pytest.mark.parametrize('part', PARTS, ids=str)
def test_a_record_made_anew_under_the_id_has_other_states(part):
    anew = changed(created_at='2026-01-01T00:00:00.000001Z')
    assert part.state_token(anew) != part.state_token(RECORD)


def test_no_two_parts_share_a_state():
    record = {**RECORD, 'tags': ['k'], 'metadata': {'k': 'k'}}
    parts = [TAGS, METADATA, Subresource('tags', 'k'), KEY,
             Subresource('metadata', 'l')]
    states = {part.state_token(record) for part in parts}
    assert len({*states, state_token(record)}) == len(parts) + 1


@pytest.mark.parametrize('part', PARTS, ids=str)
def test_a_part_is_named_by_its_own_state_and_what_it_is_a_part_of(part):
    for known in (part.state_token(RECORD),
                  Subresource(part.column).state_token(RECORD),
                  state_token(RECORD)):
        SubresourcePrecondition(
            Precondition(tokens=frozenset({'x', known})), part).check(
                'host', 'r1', RECORD)


@pytest.mark.parametrize(('part', 'known'), [
    (TAGS, TAG.state_token(RECORD)), (METADATA, KEY.state_token(RECORD)),
    (TAGS, METADATA.state_token(RECORD)),
    (KEY, Subresource('metadata', 'l').state_token(RECORD)),
    (TAG, 'x')], ids=str)
def test_and_by_no_other(part, known):
    with pytest.raises(errors.Stale):
        SubresourcePrecondition(
            Precondition(tokens=frozenset({known})), part).check(
                'host', 'r1', RECORD)


@pytest.mark.parametrize('part', PARTS, ids=str)
def test_a_record_is_not_named_by_the_state_of_a_part(part):
    with pytest.raises(errors.Stale):
        Precondition(tokens=frozenset({part.state_token(RECORD)})).check(
            'host', 'r1', RECORD)


NEW = Subresource('metadata', 'new')
LATE = Precondition(tokens=frozenset({'late'}))


@pytest.mark.parametrize(('seen', 'part', 'text'), [
    (Precondition(absent=True), KEY,
     'The metadata key "k" of the host r1 exists '
     'already; read it again and retry.'),
    (Precondition(exists=True), NEW,
     'The metadata key "new" of the host r1 does not '
     'exist; read it again and retry.'),
    (LATE, NEW, 'The metadata key "new" of the host r1 does not exist; read '
     'it again and retry.'),
    (LATE, TAGS, 'The tag list of the host r1 was changed since it was read; '
     'read it again and retry.')])
def test_a_broken_condition_says_what_it_was_about(seen, part, text):
    with pytest.raises(errors.Stale) as told:
        SubresourcePrecondition(seen, part).check('host', 'r1', RECORD)
    assert str(told.value) == text


@pytest.mark.parametrize('seen', [
    UNCONDITIONAL, Precondition(absent=True),
    Precondition(tokens=frozenset({state_token(RECORD)})),
    Precondition(tokens=frozenset({METADATA.state_token(RECORD)}))], ids=str)
def test_an_item_that_is_not_there_can_be_made(seen):
    SubresourcePrecondition(seen, NEW).check('host', 'r1', RECORD)


@pytest.mark.parametrize('seen',
                         [UNCONDITIONAL, LATE,
                          Precondition(exists=True)], ids=str)
def test_but_not_taken_away_whatever_was_seen(seen):
    with pytest.raises(errors.NoSuchItem, match='no metadata key'):
        SubresourcePrecondition(seen, NEW, must_exist=True).check(
            'host', 'r1', RECORD)


def test_a_collection_is_there_also_when_it_is_empty():
    empty = changed(tags=[], metadata={})
    for part in (TAGS, METADATA):
        part.require('host', empty)
        assert part.present_in(empty)
    assert not TAG.present_in(empty)
    assert not KEY.present_in(empty)
