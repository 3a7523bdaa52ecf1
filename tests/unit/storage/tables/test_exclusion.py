# SPDX-License-Identifier: Apache-2.0
"""Periods as PostgreSQL is told of them."""

import pytest
from sqlalchemy.dialects import mysql, postgresql, sqlite

from service.storage.tables import declared as declared_tables
from service.storage.tables import exclusion
from tests.unit import stored

STAY = '''
name: stay
plural: stays
properties:
  room: {type: string}
  quiet: {type: boolean}
  state: {type: string}
  starts_at: {type: string, format: date-time}
  ends_at: {type: string, format: date-time}
exclusive: %s
'''


def statements(rule, scope='project', dialect=None):
    types = stored.catalogue(stay=STAY % rule + f'scope: {scope}\n')
    declared = types.types['stay']
    return exclusion.statements(declared,
                                declared_tables.build(types).of(declared),
                                dialect or postgresql.dialect())


def test_a_period_is_a_range_that_ends_before_its_end():
    ((name, said),) = statements('{period: [starts_at, ends_at]}').items()
    assert said == (
        f'ALTER TABLE r_stays ADD CONSTRAINT {name} EXCLUDE USING gist '
        "(project_id WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&)")


def test_records_must_agree_and_take_part_to_compete():
    (said,) = statements(
        '{over: [room, quiet], period: [starts_at, ends_at], '
        'when: {state: ["it\'s", "100%"], quiet: [true]}}', 'cloud').values()
    assert said.partition(' gist ')[2] == (
        "(room WITH =, (quiet::int) WITH =, tstzrange(starts_at, ends_at, "
        "'[)') WITH &&) WHERE (quiet IN (true) AND state IN ('it''s', "
        "'100%'))")


def test_another_rule_has_another_name():
    """So that a change of it is a constraint less and one more."""
    rules = ('{period: [starts_at, ends_at]}',
             '{period: [ends_at, starts_at]}',
             '{period: [starts_at, ends_at], over: [room]}',
             '{period: [starts_at, ends_at], when: {state: [a]}}',
             '{period: [starts_at, ends_at], when: {state: [b]}}')
    names = {name for rule in rules for name in statements(rule)}
    assert len(names) == len(rules)
    assert max(map(len, names)) <= 63


@pytest.mark.parametrize('dialect', [sqlite.dialect(), mysql.dialect()])
def test_other_databases_know_no_such_constraint(dialect):
    assert statements('{period: [starts_at, ends_at]}',
                      dialect=dialect) == {}
