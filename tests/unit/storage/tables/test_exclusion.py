# SPDX-License-Identifier: Apache-2.0
"""The exclusion constraints of periods on PostgreSQL."""

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


def test_a_period_is_a_range_that_excludes_its_end():
    ((name, ddl),) = statements('{period: [starts_at, ends_at]}').items()
    assert ddl == (
        f'ALTER TABLE r_stays ADD CONSTRAINT {name} EXCLUDE USING gist '
        "(project_id WITH =, tstzrange(starts_at, ends_at, '[)') WITH &&)")


def test_over_becomes_equalities_and_when_a_condition():
    (ddl,) = statements(
        '{over: [room, quiet], period: [starts_at, ends_at], '
        'when: {state: ["it\'s", "100%"], quiet: [true]}}', 'cloud').values()
    assert ddl.partition(' gist ')[2] == (
        "(room WITH =, (quiet::int) WITH =, tstzrange(starts_at, ends_at, "
        "'[)') WITH &&) WHERE (quiet IN (true) AND state IN ('it''s', "
        "'100%'))")


def test_different_rules_have_different_names():
    """So that a changed rule is a dropped and an added constraint."""
    rules = ('{period: [starts_at, ends_at]}',
             '{period: [ends_at, starts_at]}',
             '{period: [starts_at, ends_at], over: [room]}',
             '{period: [starts_at, ends_at], when: {state: [a]}}',
             '{period: [starts_at, ends_at], when: {state: [b]}}')
    names = {name for rule in rules for name in statements(rule)}
    assert len(names) == len(rules)
    assert max(map(len, names)) <= 63


@pytest.mark.parametrize('dialect', [sqlite.dialect(), mysql.dialect()])
def test_other_databases_get_no_constraint(dialect):
    assert statements('{period: [starts_at, ends_at]}',
                      dialect=dialect) == {}
