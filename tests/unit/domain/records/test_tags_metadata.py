# SPDX-License-Identifier: Apache-2.0
"""Subresources of a record have state tokens of their own."""

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
ALL = [TAGS, METADATA, TAG, KEY]


def changed(**members: Any) -> dict[str, Any]:
    return {**RECORD, 'generation': 4, **members}


@pytest.mark.parametrize('subresource', ALL, ids=str)
def test_a_token_does_not_change_with_other_properties(subresource):
    assert subresource.state_token(
        changed(status='active')) == subresource.state_token(RECORD)


@pytest.mark.parametrize(('subresource', 'members'), [
    (TAGS, {'tags': ['a']}), (TAGS, {'tags': ['b', 'a']}),
    (TAGS, {'tags': ['a,b']}), (METADATA, {'metadata': {'k': 'v'}}),
    (METADATA, {'metadata': {'k': 'w', 'l': 'v'}}),
    (KEY, {'metadata': {'k': 'w', 'l': 'w'}})])
def test_a_token_changes_with_the_content(subresource, members):
    assert subresource.state_token(
        changed(**members)) != subresource.state_token(RECORD)


@pytest.mark.parametrize('subresource', ALL, ids=str)
def test_a_record_created_again_has_different_tokens(subresource):
    recreated = changed(created_at='2026-01-01T00:00:00.000001Z')
    assert subresource.state_token(
        recreated) != subresource.state_token(RECORD)


def test_no_two_subresources_share_a_token():
    record = {**RECORD, 'tags': ['k'], 'metadata': {'k': 'k'}}
    subresources = [TAGS, METADATA, Subresource('tags', 'k'), KEY,
                    Subresource('metadata', 'l')]
    tokens = {each.state_token(record) for each in subresources}
    assert len({*tokens, state_token(record)}) == len(subresources) + 1


@pytest.mark.parametrize('subresource', ALL, ids=str)
def test_own_and_containing_tokens_are_accepted(subresource):
    for token in (subresource.state_token(RECORD),
                  Subresource(subresource.column).state_token(RECORD),
                  state_token(RECORD)):
        SubresourcePrecondition(
            Precondition(tokens=frozenset({'x', token})), subresource).check(
                'host', 'r1', RECORD)


@pytest.mark.parametrize(('subresource', 'token'), [
    (TAGS, TAG.state_token(RECORD)), (METADATA, KEY.state_token(RECORD)),
    (TAGS, METADATA.state_token(RECORD)),
    (KEY, Subresource('metadata', 'l').state_token(RECORD)),
    (TAG, 'x')], ids=str)
def test_other_tokens_are_refused(subresource, token):
    with pytest.raises(errors.Stale):
        SubresourcePrecondition(
            Precondition(tokens=frozenset({token})), subresource).check(
                'host', 'r1', RECORD)


@pytest.mark.parametrize('subresource', ALL, ids=str)
def test_a_record_does_not_accept_the_token_of_a_subresource(subresource):
    with pytest.raises(errors.Stale):
        Precondition(tokens=frozenset({subresource.state_token(RECORD)})).check(
            'host', 'r1', RECORD)


NEW = Subresource('metadata', 'new')
LATE = Precondition(tokens=frozenset({'late'}))


@pytest.mark.parametrize(('precondition', 'subresource', 'text'), [
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
def test_a_failing_precondition_names_the_subresource(precondition,
                                                      subresource, text):
    with pytest.raises(errors.Stale) as caught:
        SubresourcePrecondition(precondition, subresource).check(
            'host', 'r1', RECORD)
    assert str(caught.value) == text


@pytest.mark.parametrize('precondition', [
    UNCONDITIONAL, Precondition(absent=True),
    Precondition(tokens=frozenset({state_token(RECORD)})),
    Precondition(tokens=frozenset({METADATA.state_token(RECORD)}))], ids=str)
def test_a_missing_item_can_be_created(precondition):
    SubresourcePrecondition(precondition, NEW).check('host', 'r1', RECORD)


@pytest.mark.parametrize('precondition', [
    UNCONDITIONAL, LATE, Precondition(exists=True)], ids=str)
def test_a_missing_item_cannot_be_deleted(precondition):
    with pytest.raises(errors.NoSuchItem, match='no metadata key'):
        SubresourcePrecondition(precondition, NEW, must_exist=True).check(
            'host', 'r1', RECORD)


def test_an_empty_collection_exists():
    empty = changed(tags=[], metadata={})
    for collection in (TAGS, METADATA):
        collection.require('host', empty)
        assert collection.present_in(empty)
    assert not TAG.present_in(empty)
    assert not KEY.present_in(empty)
