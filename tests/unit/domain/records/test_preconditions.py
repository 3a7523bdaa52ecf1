# SPDX-License-Identifier: Apache-2.0
"""What a caller says it saw holds of a record, or it does not."""

import pytest

from service.domain.errors import Stale
from service.domain.records.preconditions import Precondition, state_token
from tests.unit.stored import UNCONDITIONAL

RECORD = {'id': '1', 'generation': 3,
          'created_at': '2026-01-01T00:00:00.000000Z'}
LATER = {**RECORD, 'generation': 4}
ANEW = {**RECORD, 'created_at': '2026-01-02T00:00:00.000000Z'}

AS_IT_IS = Precondition(tokens=frozenset([state_token(RECORD)]))
AS_IT_WAS = Precondition(tokens=frozenset(['2-0123456789']))
EITHER = Precondition(tokens=AS_IT_IS.tokens | AS_IT_WAS.tokens)


def test_two_states_never_share_a_stamp():
    assert len({state_token(RECORD), state_token(LATER),
                state_token(ANEW)}) == 3


def test_a_stamp_is_of_the_state_alone():
    assert state_token(RECORD) == state_token({**RECORD, 'name': 'other'})
    assert state_token(RECORD).startswith('3-')


@pytest.mark.parametrize(('seen', 'record'), [
    (UNCONDITIONAL, RECORD), (UNCONDITIONAL, None), (AS_IT_IS,
                                                     RECORD), (EITHER, RECORD),
    (Precondition(exists=True), RECORD), (Precondition(absent=True), None)])
def test_a_condition_that_holds_says_nothing(seen, record):
    assert seen.check('host', '1', record) is None


@pytest.mark.parametrize(('seen', 'record', 'reason'), [
    (AS_IT_WAS, RECORD, 'was changed since it was read'),
    (AS_IT_IS, LATER, 'was changed since it was read'),
    (AS_IT_IS, ANEW, 'was changed since it was read'),
    (AS_IT_IS, None, 'does not exist'),
    (Precondition(tokens=frozenset()), RECORD,
     'was changed since it was read'),
    (Precondition(exists=True), None, 'does not exist'),
    (Precondition(absent=True), RECORD, 'exists already'),
    (Precondition(exists=True, absent=True), RECORD, 'exists already'),
    (Precondition(exists=True, absent=True), None, 'does not exist')])
def test_a_condition_that_does_not_hold_says_why(seen, record, reason):
    with pytest.raises(Stale) as caught:
        seen.check('host', '1', record)
    assert str(caught.value) == (
        f'The host 1 {reason}; read it again and retry.')
