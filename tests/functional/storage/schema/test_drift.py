# SPDX-License-Identifier: Apache-2.0
"""Tables that an operator changed: an apply restores what is missing; a plan
names what it cannot restore.
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


def execute(schema: Schema, *statements: str) -> None:
    with schema.engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
        connection.commit()


def repair(schema: Schema) -> list[str]:
    """Apply the same types; return the steps. No step is left after it."""
    lines = schema.plan(TYPES).lines
    schema.apply(TYPES)
    assert schema.plan(TYPES).lines == []
    assert [row['text'] for row in schema.rows(TYPES, 'box')] == ['a']
    return lines


def test_a_missing_index_is_added_again(applied):
    on = ' ON r_boxes' if applied.engine.dialect.name == 'mysql' else ''
    execute(applied, f'DROP INDEX ix_boxes_size_text{on}')
    assert repair(applied) == [
        'box.indexes: add index [size, text] (online)']


def test_indexes_that_a_later_release_needs_are_added(schema):
    types = (box({'size': {'type': 'integer'}}, scope='project',
                 indexes=[['text', 'size']]),)
    schema.apply(types)
    on = ' ON r_boxes' if schema.engine.dialect.name == 'mysql' else ''
    execute(schema, *(f'DROP INDEX {name}{on}' for name in (
        'ia_boxes_created_at', 'ia_boxes_updated_at', 'ix_boxes_size')))
    plan = schema.plan(types)
    assert (plan.additive, plan.lines) == (True, [
        'box.indexes: add index [created_at] across all projects (online)',
        'box.indexes: add index [updated_at] across all projects (online)',
        'box.indexes: add index [size] (online)'])
    schema.apply(types)
    assert schema.plan(types).lines == []


def test_a_missing_column_is_added_again_without_its_values(applied):
    on = ' ON r_boxes' if applied.engine.dialect.name == 'mysql' else ''
    execute(applied, f'DROP INDEX ix_boxes_size_text{on}',
            'ALTER TABLE r_boxes DROP COLUMN size')
    assert repair(applied) == [
        'box.size: add the column (online)',
        'box.indexes: add index [size, text] (online)']
    assert applied.rows(TYPES, 'box')[0]['size'] is None


@pytest.mark.parametrize('schema_server', ['postgresql'], indirect=True)
@pytest.mark.parametrize(('sqls', 'line'), [
    (('ALTER TABLE r_boxes DROP CONSTRAINT uq_boxes_text',),
     'box.unique: add unique [text]'),
    (('ALTER TABLE r_boxes DROP CONSTRAINT fk_boxes_rack_id',),
     'box.rack_id: add the foreign key to rack'),
    (('ALTER TABLE r_boxes ALTER COLUMN kind DROP NOT NULL',
      "UPDATE r_boxes SET kind = NULL"),
     'box.kind: fill 1 record without a value (backfill)'),
    (('ALTER TABLE r_boxes ALTER COLUMN text TYPE varchar(10)',),
     'box.text: change the type from VARCHAR(10) to VARCHAR(255) (online)'),
    (('ALTER TABLE r_boxes ALTER COLUMN size TYPE int',),
     'box.size: change the type from INTEGER to BIGINT (rewrite)'),
    (("ALTER TABLE r_boxes ALTER COLUMN text SET DEFAULT 'x'",
      'ALTER TABLE r_boxes ALTER COLUMN text TYPE varchar(10)'),
     'box.text: drop the column default (online)'),
    (('DROP TABLE r_racks CASCADE',), 'rack: create the table (online)'),
    (('ALTER INDEX ix_boxes_size_text RENAME TO ix_boxes_other',),
     'box.indexes: rename index [size, text] to ix_boxes_size_text '
     '(online)'),
], ids=['unique', 'reference', 'null', 'length', 'type', 'default',
        'table', 'name'])
def test_an_apply_reverts_what_an_operator_changed(applied, sqls, line):
    """On PostgreSQL, which has a statement for each of these changes."""
    execute(applied, *sqls)
    assert any(step.startswith(line) for step in repair(applied))


def test_a_column_that_no_property_declares_is_refused(applied):
    execute(applied, 'ALTER TABLE r_boxes ADD COLUMN colour INTEGER')
    with pytest.raises(apply.PlanRefused, match=(
            'box.colour: drop the column and its values: no property '
            'declares it: declare the property, or declare "colour: '
            '{dropped: true}"')):
        applied.apply(TYPES)
    types = (box({**TYPES[0]['properties'], 'colour': {'dropped': True}},
                 unique=[['text']], indexes=[['size', 'text']]), rack())
    applied.apply(types)
    assert applied.plan(types).lines == applied.plan(TYPES).lines == []


@pytest.mark.parametrize(('schema_server', 'type'), [
    ('sqlite', ''), ('postgresql', 'int4range[]'), ('mysql', 'POINT')],
    indirect=['schema_server'])
@pytest.mark.filterwarnings('ignore:Did not recognize type')
def test_an_undeclared_column_of_an_unknown_type_is_refused(applied, type):
    execute(applied, f'ALTER TABLE r_boxes ADD COLUMN colour {type}')
    with pytest.raises(apply.PlanRefused, match='no property declares it'):
        applied.apply(TYPES)


def test_a_table_that_no_type_declares_is_refused(applied):
    execute(applied, 'CREATE TABLE r_lamps (id INTEGER)')
    with pytest.raises(apply.PlanRefused, match=(
            'r_lamps: drop the table and its 0 records: no type declares it: '
            'declare the type, or declare "{name: its_name, plural: lamps, '
            'dropped: true}"')):
        applied.apply(TYPES)
    types = (*TYPES, {'name': 'lamp', 'plural': 'lamps', 'dropped': True})
    assert applied.plan(types).refusals == ()
    applied.apply(types)
    assert applied.plan(TYPES).lines == []


def test_a_missing_column_of_every_type_is_refused(applied):
    """Its values cannot be restored."""
    execute(applied, 'ALTER TABLE r_boxes DROP COLUMN metadata')
    with pytest.raises(apply.PlanRefused, match=(
            'box.metadata: the column is missing from the table: restore')):
        applied.apply(TYPES)


@pytest.mark.parametrize('schema_server', ['postgresql'], indirect=True)
def test_an_invalid_index_is_dropped_and_added_again(applied):
    """As an interrupted CREATE INDEX CONCURRENTLY leaves it."""
    execute(applied, 'UPDATE pg_index SET indisvalid = false WHERE '
                     "indexrelid = 'ix_boxes_size_text'::regclass")
    assert repair(applied) == [
        'box.indexes: drop index [size, text] (online)',
        'box.indexes: add index [size, text] (online)']


@pytest.mark.parametrize(('schema_server', 'sql', 'change'), [
    ('postgresql', 'ALTER COLUMN text TYPE varchar(255) COLLATE "default"',
     'from default to C'),
    ('mysql', 'MODIFY text VARCHAR(255) CHARACTER SET utf8mb4 '
              'COLLATE utf8mb4_general_ci',
     'from utf8mb4_general_ci to utf8mb4_nopad_bin'),
    ('mysql', 'MODIFY text VARCHAR(255) CHARACTER SET latin1',
     'from latin1_swedish_ci to utf8mb4_nopad_bin'),
], indirect=['schema_server'])
def test_a_changed_collation_is_restored(applied, sql, change):
    """D13: otherwise "A" conflicts with "a", and a filter for "a" finds "A".
    """
    execute(applied, f'ALTER TABLE r_boxes {sql}')
    assert repair(applied) == [
        f'box.text: change the collation {change} (rewrite)']
    applied.fill(TYPES, 'box', [{'text': 'A', 'kind': 'x', 'id': IDS[3]}])
    assert len(applied.rows(TYPES, 'box')) == 2


@pytest.mark.parametrize('unique', ['', 'UNIQUE'])
def test_an_operators_own_index_stays(applied, unique):
    execute(applied, f'CREATE {unique} INDEX mine ON r_boxes (kind)')
    assert applied.plan(TYPES).lines == []
    applied.apply((box({**TYPES[0]['properties'], 'label': {
        'type': 'string'}}, unique=[['text']], indexes=[['size', 'text']]),
        rack()))
    assert 'mine' in {index['name'] for index in sa.inspect(
        applied.engine).get_indexes('r_boxes')}


@pytest.mark.parametrize('schema_server', ['postgresql', 'mysql'],
                         indirect=True)
def test_an_operators_own_constraint_stays(applied):
    execute(applied, 'ALTER TABLE r_boxes ADD CONSTRAINT mine UNIQUE (kind)',
            'ALTER TABLE r_boxes ADD CONSTRAINT also_mine '
            'FOREIGN KEY (id) REFERENCES r_boxes (id)')
    assert applied.plan(TYPES).lines == []
