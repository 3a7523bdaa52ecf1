# SPDX-License-Identifier: Apache-2.0
"""Tables that somebody changed by hand: what is missing is made again, what
nobody can know is told.

The operator has not to find out which database has what: a plan says it.
"""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from service.storage.schema import apply
from tests.functional.storage.schema.changes import IDS, box, rack
from tests.functional.storage.schema.schemas import Schema

#: A type with a key of each kind.
TYPES = (box({'size': {'type': 'integer'}, 'kind': {
    'type': 'string', 'default': 'x'}, 'rack_id': {'references': 'rack'}},
    unique=[['text']], indexes=[['size', 'text']]), rack())
ROWS = ({'text': 'a', 'size': 1, 'kind': 'x'},)


@pytest.fixture
def applied(schema: Schema) -> Schema:
    schema.apply(TYPES)
    schema.fill(TYPES, 'box', ROWS)
    return schema


def driven(schema: Schema, *statements: str) -> None:
    with schema.engine.connect() as connection:
        for one in statements:
            connection.exec_driver_sql(one)
        connection.commit()


def mended(schema: Schema) -> list[str]:
    """What an apply of the same types does; nothing is left after it."""
    told = schema.plan(TYPES).lines
    schema.apply(TYPES)
    assert schema.plan(TYPES).lines == []
    assert [one['text'] for one in schema.rows(TYPES, 'box')] == ['a']
    return told


def test_a_lost_index_is_made_again(applied):
    on = ' ON r_boxes' if applied.engine.dialect.name == 'mysql' else ''
    driven(applied, f'DROP INDEX ix_boxes_size_text{on}')
    assert mended(applied) == [
        'box.indexes: index [size, text] is made (online)']


def test_the_indexes_of_a_later_release_are_made(schema):
    """What the tables of an earlier one do not have is only missing."""
    types = (box({'size': {'type': 'integer'}}, scope='project',
                 indexes=[['text', 'size']]),)
    schema.apply(types)
    on = ' ON r_boxes' if schema.engine.dialect.name == 'mysql' else ''
    driven(schema, *(f'DROP INDEX {one}{on}' for one in (
        'ia_boxes_created_at', 'ia_boxes_updated_at', 'ix_boxes_size')))
    plan = schema.plan(types)
    assert (plan.additive, plan.lines) == (True, [
        'box.indexes: index [created_at] over all projects is made (online)',
        'box.indexes: index [updated_at] over all projects is made (online)',
        'box.indexes: index [size] is made (online)'])
    schema.apply(types)
    assert schema.plan(types).lines == []


def test_a_lost_column_is_made_again_without_its_values(applied):
    on = ' ON r_boxes' if applied.engine.dialect.name == 'mysql' else ''
    driven(applied, f'DROP INDEX ix_boxes_size_text{on}',
           'ALTER TABLE r_boxes DROP COLUMN size')
    assert mended(applied) == ['box.size: is new (online)',
                               'box.indexes: index [size, text] is made '
                               '(online)']
    assert applied.rows(TYPES, 'box')[0]['size'] is None


@pytest.mark.parametrize('schema_server', ['postgresql'], indirect=True)
@pytest.mark.parametrize(('sqls', 'told'), [
    (('ALTER TABLE r_boxes DROP CONSTRAINT uq_boxes_text',),
     'box.unique: unique [text] is new'),
    (('ALTER TABLE r_boxes DROP CONSTRAINT fk_boxes_rack_id',),
     'box.rack_id: refers to rack'),
    (('ALTER TABLE r_boxes ALTER COLUMN kind DROP NOT NULL',
      "UPDATE r_boxes SET kind = NULL"),
     'box.kind: is given to 1 records that have none (backfill)'),
    (('ALTER TABLE r_boxes ALTER COLUMN text TYPE varchar(10)',),
     'box.text: turns from VARCHAR(10) to VARCHAR(255) (online)'),
    (('ALTER TABLE r_boxes ALTER COLUMN size TYPE int',),
     'box.size: turns from INTEGER to BIGINT (rewrite)'),
    (("ALTER TABLE r_boxes ALTER COLUMN text SET DEFAULT 'x'",
      'ALTER TABLE r_boxes ALTER COLUMN text TYPE varchar(10)'),
     'box.text: is given no value by the table any more (online)'),
    (('DROP TABLE r_racks CASCADE',), 'rack: is new (online)'),
    (('ALTER INDEX ix_boxes_size_text RENAME TO ix_boxes_other',),
     'box.indexes: index [size, text] gets the name ix_boxes_size_text '
     '(online)'),
], ids=['unique', 'reference', 'null', 'length', 'type', 'default',
        'table', 'name'])
def test_what_a_hand_took_away_is_put_back(applied, sqls, told):
    """In PostgreSQL, which has a word for each."""
    driven(applied, *sqls)
    assert any(one.startswith(told) for one in mended(applied))


def test_a_column_that_no_property_declares_is_refused(applied):
    driven(applied, 'ALTER TABLE r_boxes ADD COLUMN colour INTEGER')
    with pytest.raises(apply.PlanRefused, match=(
            'box.colour: is in the table, and no property declares it: '
            'declare it, or say "colour: {dropped: true}"')):
        applied.apply(TYPES)
    types = (box({**TYPES[0]['properties'], 'colour': {'dropped': True}},
                 unique=[['text']], indexes=[['size', 'text']]), rack())
    applied.apply(types)
    assert applied.plan(types).lines == applied.plan(TYPES).lines == []


@pytest.mark.parametrize(('schema_server', 'type'), [
    ('sqlite', ''), ('postgresql', 'int4range[]'), ('mysql', 'POINT')],
    indirect=['schema_server'])
@pytest.mark.filterwarnings('ignore:Did not recognize type')
def test_a_column_of_an_odd_type_is_told_of_as_well(applied, type):
    driven(applied, f'ALTER TABLE r_boxes ADD COLUMN colour {type}')
    with pytest.raises(apply.PlanRefused, match='no property declares it'):
        applied.apply(TYPES)


def test_a_table_that_no_type_declares_is_refused(applied):
    driven(applied, 'CREATE TABLE r_lamps (id INTEGER)')
    with pytest.raises(apply.PlanRefused, match=(
            'r_lamps: is a table with 0 records, and no type declares it: '
            'declare it, or let a file say "{name: its_name, plural: lamps, '
            'dropped: true}"')):
        applied.apply(TYPES)
    types = (*TYPES, {'name': 'lamp', 'plural': 'lamps', 'dropped': True})
    assert applied.plan(types).refusals == ()
    applied.apply(types)
    assert applied.plan(TYPES).lines == []


def test_a_column_that_all_records_have_is_not_made_up(applied):
    driven(applied, 'ALTER TABLE r_boxes DROP COLUMN metadata')
    with pytest.raises(apply.PlanRefused, match='box.metadata: is not in the '
                                            'table: restore'):
        applied.apply(TYPES)


@pytest.mark.parametrize('schema_server', ['postgresql'], indirect=True)
def test_an_index_that_could_not_be_finished_is_made_again(applied):
    """The operator made it beside who writes, and was interrupted."""
    driven(applied, 'UPDATE pg_index SET indisvalid = false WHERE '
                    "indexrelid = 'ix_boxes_size_text'::regclass")
    assert mended(applied) == [
        'box.indexes: index [size, text] goes (online)',
        'box.indexes: index [size, text] is made (online)']


@pytest.mark.parametrize(('schema_server', 'sql', 'told'), [
    ('postgresql', 'ALTER COLUMN text TYPE varchar(255) COLLATE "default"',
     'C instead of default'),
    ('mysql', 'MODIFY text VARCHAR(255) CHARACTER SET utf8mb4 '
              'COLLATE utf8mb4_general_ci',
     'utf8mb4_nopad_bin instead of utf8mb4_general_ci'),
    ('mysql', 'MODIFY text VARCHAR(255) CHARACTER SET latin1',
     'utf8mb4_nopad_bin instead of latin1_swedish_ci'),
], indirect=['schema_server'])
def test_text_is_compared_as_it_should_be_again(applied, sql, told):
    """D13: else "A" would be taken where "a" is, and be found for it."""
    driven(applied, f'ALTER TABLE r_boxes {sql}')
    assert mended(applied) == [f'box.text: compares by {told} (rewrite)']
    applied.fill(TYPES, 'box', [{'text': 'A', 'kind': 'x', 'id': IDS[3]}])
    assert len(applied.rows(TYPES, 'box')) == 2


@pytest.mark.parametrize('unique', ['', 'UNIQUE'])
def test_an_index_of_the_operators_own_is_left_alone(applied, unique):
    driven(applied, f'CREATE {unique} INDEX mine ON r_boxes (kind)')
    assert applied.plan(TYPES).lines == []
    applied.apply((box({**TYPES[0]['properties'], 'label': {
        'type': 'string'}}, unique=[['text']], indexes=[['size', 'text']]),
        rack()))
    assert 'mine' in {one['name'] for one in sa.inspect(
        applied.engine).get_indexes('r_boxes')}


@pytest.mark.parametrize('schema_server', ['postgresql', 'mysql'],
                         indirect=True)
def test_a_constraint_of_the_operators_own_is_left_alone(applied):
    driven(applied, 'ALTER TABLE r_boxes ADD CONSTRAINT mine UNIQUE (kind)',
           'ALTER TABLE r_boxes ADD CONSTRAINT also_mine '
           'FOREIGN KEY (id) REFERENCES r_boxes (id)')
    assert applied.plan(TYPES).lines == []
