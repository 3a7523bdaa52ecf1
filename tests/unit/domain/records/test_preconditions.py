# SPDX-License-Identifier: Apache-2.0
"""What a caller says it saw holds of a record, or it does not."""

import pytest

from service.domain.errors import Stale
from service.domain.records.preconditions import Seen, stamp
from tests.unit.stored import ANYHOW

RECORD = {'id': '1', 'generation': 3,
          'created_at': '2026-01-01T00:00:00.000000Z'}
LATER = {**RECORD, 'generation': 4}
ANEW = {**RECORD, 'created_at': '2026-01-02T00:00:00.000000Z'}

AS_IT_IS = Seen(stamps=frozenset([stamp(RECORD)]))
AS_IT_WAS = Seen(stamps=frozenset(['2-0123456789']))
EITHER = Seen(stamps=AS_IT_IS.stamps | AS_IT_WAS.stamps)


def test_two_states_never_share_a_stamp():
    assert len({stamp(RECORD), stamp(LATER), stamp(ANEW)}) == 3


def test_a_stamp_is_of_the_state_alone():
    assert stamp(RECORD) == stamp({**RECORD, 'name': 'other'})
    assert stamp(RECORD).startswith('3-')


@pytest.mark.parametrize(('seen', 'record'), [
    (ANYHOW, RECORD), (ANYHOW, None), (AS_IT_IS, RECORD), (EITHER, RECORD),
    (Seen(exists=True), RECORD), (Seen(absent=True), None)])
def test_a_condition_that_holds_says_nothing(seen, record):
    assert seen.check('host', '1', record) is None


@pytest.mark.parametrize(('seen', 'record', 'reason'), [
    (AS_IT_WAS, RECORD, 'was changed since it was read'),
    (AS_IT_IS, LATER, 'was changed since it was read'),
    (AS_IT_IS, ANEW, 'was changed since it was read'),
    (AS_IT_IS, None, 'does not exist'),
    (Seen(stamps=frozenset()), RECORD, 'was changed since it was read'),
    (Seen(exists=True), None, 'does not exist'),
    (Seen(absent=True), RECORD, 'exists already'),
    (Seen(exists=True, absent=True), RECORD, 'exists already'),
    (Seen(exists=True, absent=True), None, 'does not exist')])
def test_a_condition_that_does_not_hold_says_why(seen, record, reason):
    with pytest.raises(Stale) as caught:
        seen.check('host', '1', record)
    assert str(caught.value) == (
        f'The host 1 {reason}; read it again and retry.')
