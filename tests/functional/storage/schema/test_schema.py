# SPDX-License-Identifier: Apache-2.0
"""Applied types become others, on each database: what is kept, what refused.

DB09: data preserved; a second plan is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from service.storage.schema import apply
from tests.functional.storage.schema import changes
from tests.functional.storage.schema.changes import IDS, Case


def named(cases: Sequence[Case]) -> Any:
    return pytest.mark.parametrize('case', cases, ids=lambda one: one.name)


@named(changes.TAKEN)
def test_records_are_kept_and_nothing_is_left_to_do(schema, case):
    """DB09: what stood in the old tables stands in the new."""
    schema.filled(case)
    found = schema.plan(case.new)
    assert found.refusals == found.violations == ()
    told = {one.name: str(one.kind) for one in reversed(found.steps)}
    assert told | case.kinds == told
    done = schema.apply(case.new)
    assert [str(one) for one in done.steps] == found.lines
    assert schema.plan(case.new).lines == []
    assert schema.apply(case.new).steps == ()
    for row, wanted in zip(schema.rows(case.new, 'box'), case.expected,
                           strict=True):
        assert row | wanted == row
        assert (row['tags'], row['metadata'], row['generation']) == (
            ['red'], {'a': 'b'}, 1)
    live = [one['name'] for one in case.new if not one.get('dropped')]
    for name, rows in case.others.items():
        if name in live:
            assert len(schema.rows(case.new, name)) == len(rows)


@named(changes.REFUSED)
def test_what_an_operator_must_mend_first_is_refused(schema, case):
    schema.filled(case)
    before = schema.rows(case.old, 'box')
    found = schema.plan(case.new)
    assert case.refused in '\n'.join(found.refusals)
    samples = [step.violations.samples for step in found.steps
               if step.violations.rows]
    assert samples == [tuple(IDS[n] for n in case.broken)
                       ] * bool(case.broken)
    with pytest.raises(apply.PlanRefused, match=': .*: '):
        schema.apply(case.new)
    assert schema.plan(case.old).lines == []
    assert schema.rows(case.old, 'box') == before


@named(changes.MEETS_NOT)
def test_records_that_a_narrower_rule_would_not_take(schema, case):
    """They stay only where an operator says so."""
    schema.filled(case)
    found = schema.plan(case.new)
    assert found.refusals == ()
    assert [step.violations for step in found.steps
            if step.violations.rows] == [
        (len(case.broken), tuple(IDS[n] for n in case.broken))]
    assert not found.additive
    with pytest.raises(apply.PlanRefused, match='1 records break it'):
        schema.apply(case.new)
    schema.apply(case.new, keep_broken=True)
    assert schema.plan(case.new).lines == []
    assert len(schema.rows(case.new, 'box')) == len(case.rows)
