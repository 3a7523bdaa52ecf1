# SPDX-License-Identifier: Apache-2.0
"""Preconditions on a record, and its state tokens."""

import pytest

from service.domain.errors import Stale
from service.domain.records.preconditions import Precondition, state_token
from tests.unit.stored import UNCONDITIONAL

RECORD = {'id': '1', 'generation': 3,
          'created_at': '2026-01-01T00:00:00.000000Z'}
LATER = {**RECORD, 'generation': 4}
RECREATED = {**RECORD, 'created_at': '2026-01-02T00:00:00.000000Z'}

CURRENT = Precondition(tokens=frozenset([state_token(RECORD)]))
OUTDATED = Precondition(tokens=frozenset(['2-0123456789']))
EITHER = Precondition(tokens=CURRENT.tokens | OUTDATED.tokens)


def test_different_states_have_different_tokens():
    assert len({state_token(RECORD), state_token(LATER),
                state_token(RECREATED)}) == 3


def test_a_token_depends_on_generation_and_creation_only():
    assert state_token(RECORD) == state_token({**RECORD, 'name': 'other'})
    assert state_token(RECORD).startswith('3-')


@pytest.mark.parametrize(('precondition', 'record'), [
    (UNCONDITIONAL, RECORD), (UNCONDITIONAL, None), (CURRENT, RECORD),
    (EITHER, RECORD),
    (Precondition(exists=True), RECORD), (Precondition(absent=True), None)])
def test_a_precondition_that_holds_raises_nothing(precondition, record):
    assert precondition.check('host', '1', record) is None


@pytest.mark.parametrize(('precondition', 'record', 'reason'), [
    (OUTDATED, RECORD, 'was changed since it was read'),
    (CURRENT, LATER, 'was changed since it was read'),
    (CURRENT, RECREATED, 'was changed since it was read'),
    (CURRENT, None, 'does not exist'),
    (Precondition(tokens=frozenset()), RECORD,
     'was changed since it was read'),
    (Precondition(exists=True), None, 'does not exist'),
    (Precondition(absent=True), RECORD, 'exists already'),
    (Precondition(exists=True, absent=True), RECORD, 'exists already'),
    (Precondition(exists=True, absent=True), None, 'does not exist')])
def test_a_failing_precondition_raises_stale_with_the_reason(
        precondition, record, reason):
    with pytest.raises(Stale) as caught:
        precondition.check('host', '1', record)
    assert str(caught.value) == (
        f'The host 1 {reason}; read it again and retry.')
