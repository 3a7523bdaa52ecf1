# SPDX-License-Identifier: Apache-2.0
"""Changes of applied types on each database: preserved records, refusals.

DB09: data preserved; a second plan is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from service.storage.schema import apply
from tests.functional.storage.schema import changes
from tests.functional.storage.schema.changes import IDS, Case


def each(cases: Sequence[Case]) -> Any:
    return pytest.mark.parametrize('case', cases, ids=lambda case: case.name)


@each(changes.ACCEPTED)
def test_an_apply_preserves_all_records_and_leaves_no_step(schema, case):
    """DB09: the new tables have the values of the old ones."""
    schema.prepare(case)
    plan = schema.plan(case.new)
    assert plan.refusals == plan.violations == ()
    kinds = {step.name: str(step.kind) for step in reversed(plan.steps)}
    assert kinds | case.kinds == kinds
    result = schema.apply(case.new)
    assert [str(step) for step in result.steps] == plan.lines
    assert schema.plan(case.new).lines == []
    assert schema.apply(case.new).steps == ()
    for row, wanted in zip(schema.rows(case.new, 'box'), case.expected,
                           strict=True):
        assert row | wanted == row
        assert (row['tags'], row['metadata'], row['generation']) == (
            ['red'], {'a': 'b'}, 1)
    live = [type_['name'] for type_ in case.new
            if not type_.get('dropped')]
    for name, rows in case.others.items():
        if name in live:
            assert len(schema.rows(case.new, name)) == len(rows)


@each(changes.REFUSED)
def test_a_refused_change_names_its_reason_and_changes_nothing(schema, case):
    schema.prepare(case)
    before = schema.rows(case.old, 'box')
    plan = schema.plan(case.new)
    assert case.refused in '\n'.join(plan.refusals)
    samples = [step.violations.samples for step in plan.steps
               if step.violations.rows]
    assert samples == [tuple(IDS[n] for n in case.violating)
                       ] * bool(case.violating)
    with pytest.raises(apply.PlanRefused, match=': .*: '):
        schema.apply(case.new)
    assert schema.plan(case.old).lines == []
    assert schema.rows(case.old, 'box') == before


@each(changes.NARROWED)
def test_records_that_violate_a_narrower_rule_stay_only_with_keep_broken(
        schema, case):
    schema.prepare(case)
    plan = schema.plan(case.new)
    assert plan.refusals == ()
    assert [step.violations for step in plan.steps
            if step.violations.rows] == [
        (len(case.violating), tuple(IDS[n] for n in case.violating))]
    assert not plan.additive
    with pytest.raises(apply.PlanRefused, match='1 violating record '):
        schema.apply(case.new)
    schema.apply(case.new, keep_broken=True)
    assert schema.plan(case.new).lines == []
    assert len(schema.rows(case.new, 'box')) == len(case.rows)
