# SPDX-License-Identifier: Apache-2.0
"""Changes of type files between two starts on SQLite."""

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.errors import StartError
from service.storage.schema import applied_types, plan
from tests.unit import stored

DESK = '''
name: desk
plural: desks
properties:
  name: {type: string}
required: [name]
'''
LEG = '''
name: leg
plural: legs
properties:
  desk_id: {references: desk}
'''


@pytest.fixture
def engine(tmp_path):
    engine = stored.connect(tmp_path)
    yield engine
    engine.dispose()


def planned(engine, **files):
    return plan.of_database(engine, stored.catalogue(**files))


def with_a_record(engine):
    built = stored.apply_types(engine, stored.catalogue(desk=DESK))
    at = '2026-01-01T00:00:00.000000Z'
    with engine.begin() as connection:
        connection.execute(sa.insert(built.types['desk']).values(
            id='1', project_id='demo', generation=1, created_at=at,
            updated_at=at, tags=[], metadata={}, name='by the door'))


def record(engine, desk):
    built = stored.apply_types(engine, stored.catalogue(desk=desk))
    with engine.connect() as connection:
        return connection.execute(
            sa.select(built.types['desk'])).one()._mapping


def test_the_first_start_creates_all_tables(engine):
    stored.apply_types(engine, stored.catalogue(desk=DESK, leg=LEG))
    names = sa.inspect(engine).get_table_names()
    assert {'r_desks', 'r_legs', 'pileus_counter', 'pileus_keys',
            'pileus_revisions', 'pileus_tags'} <= set(names)


def test_only_the_first_start_inserts_the_counter(engine):
    for _ in range(2):
        built = stored.apply_types(engine, stored.catalogue(desk=DESK))
    with engine.connect() as connection:
        rows = connection.execute(sa.select(built.core.counter)).all()
    assert [(row.id, row.n) for row in rows] == [(1, 0)]


def test_a_plan_after_a_start_is_empty(engine):
    stored.apply_types(engine, stored.catalogue(desk=DESK, leg=LEG))
    assert planned(engine, desk=DESK, leg=LEG).steps == ()


def indexes(engine):
    return {index['name']
            for index in sa.inspect(engine).get_indexes('r_desks')}


def test_a_start_adds_indexes_that_a_later_release_needs(engine):
    """The type files are unchanged."""
    types = stored.catalogue(desk=DESK, leg=LEG)
    stored.apply_types(engine, types)
    before = indexes(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql('DROP INDEX ia_desks_created_at')
    stored.apply_types(engine, types)
    assert indexes(engine) == before
    with engine.connect() as connection:
        assert (applied_types.current(connection).catalogue.digest
                == types.digest)


def test_a_start_with_the_same_types_ignores_an_operators_changes(engine):
    types = stored.catalogue(desk=DESK, leg=LEG)
    stored.apply_types(engine, types)
    with engine.connect() as connection:
        connection.exec_driver_sql('DROP INDEX ia_desks_created_at')
        connection.exec_driver_sql('ALTER TABLE r_desks ADD COLUMN mine')
    stored.apply_types(engine, types)
    assert 'ia_desks_created_at' not in indexes(engine)


def test_types_that_refer_to_each_other_are_created(engine):
    person = '''
name: person
plural: people
properties: {team_id: {references: team}}
'''
    team = '''
name: team
plural: teams
properties: {lead_id: {references: person}}
'''
    stored.apply_types(engine, stored.catalogue(person=person, team=team))
    inspector = sa.inspect(engine)
    assert {name: inspector.get_foreign_keys(name)[0]['referred_table']
            for name in ('r_people', 'r_teams')} == {
                'r_people': 'r_teams', 'r_teams': 'r_people'}


def test_a_new_property_is_null_in_existing_records(engine):
    with_a_record(engine)
    desk = DESK.replace('required', '  colour: {type: string}\nrequired')
    assert record(engine, desk)['colour'] is None


def test_a_new_property_has_its_default_in_existing_records(engine):
    with_a_record(engine)
    desk = DESK.replace('required', '''\
  colour: {type: string, default: grey}
  size: {type: integer, default: 3}
  labels: {type: object, default: {a: b}}
  bought_at: {type: string, format: date-time, default: "2026-01-01T00:00Z"}
required''')
    row = record(engine, desk)
    assert (row['colour'], row['size'], row['labels'], row['bought_at']) == (
        'grey', 3, {'a': 'b'}, '2026-01-01T00:00:00.000000Z')


def test_existing_records_get_the_backfill_not_the_default(engine):
    with_a_record(engine)
    desk = DESK.replace(
        'required', '  colour: {type: string, default: grey, '
                    'backfill: brown}\nrequired')
    assert record(engine, desk)['colour'] == 'brown'


def test_a_start_adds_a_new_index(engine):
    stored.apply_types(engine, stored.catalogue(desk=DESK))
    stored.apply_types(engine, stored.catalogue(
        desk=DESK + 'indexes: [[name]]\n'))
    assert ['project_id', 'name', 'id'] in [
        index['column_names'] for index in
        sa.inspect(engine).get_indexes('r_desks')]


@pytest.mark.parametrize(('desk', 'line'), [
    (DESK.replace('name: {type', 'title: {type').replace('[name]', '[title]'),
     'desk.name: drop the column and its values (destructive)'),
    (DESK + 'unique: [[name]]\n', 'desk.unique: add unique [name]'),
], ids=['a missing property', 'a new unique'])
def test_a_start_that_would_do_more_than_add_is_refused(engine, desk, line):
    with_a_record(engine)
    with pytest.raises(StartError) as caught:
        stored.apply_types(engine, stored.catalogue(desk=desk))
    assert line in str(caught.value)


def test_a_plan_lists_all_refusals(engine):
    with_a_record(engine)
    desk = DESK.replace('name: {type', 'title: {type').replace(
        '[name]', '[title]') + 'unique: [[title]]\n'
    refusals = planned(engine, desk=desk).refusals
    assert [refusal.partition(':')[0] for refusal in refusals] == [
        'desk.title', 'desk.name']


def test_a_refused_start_changes_nothing(engine):
    with_a_record(engine)
    desk = DESK.replace('name: {type', 'title: {type').replace(
        '[name]', '[title]')
    with pytest.raises(StartError):
        stored.apply_types(engine, stored.catalogue(desk=desk, leg=LEG))
    assert 'r_legs' not in sa.inspect(engine).get_table_names()
    assert planned(engine, desk=DESK).steps == ()


def test_only_a_plan_that_adds_is_additive(engine):
    stored.apply_types(engine, stored.catalogue(desk=DESK))
    assert planned(engine, desk=DESK + 'indexes: [[name]]\n').additive
    assert not planned(engine, desk=DESK + 'unique: [[name]]\n').additive


def test_a_start_without_a_step_does_not_import_alembic(engine):
    """PERF: the import takes a tenth of a second."""
    script = '''
import sys
from service.storage.database import engine
from service.storage.schema import startup
from tests.unit import stored
import pathlib
path = pathlib.Path(sys.argv[1])
startup.prepare(stored.connect(path), stored.catalogue(desk=sys.argv[2]))
print('alembic.operations' in sys.modules)
'''
    outputs = [subprocess.run(
        [sys.executable, '-c', script, str(Path(engine.url.database).parents[
            1]), DESK], check=True, capture_output=True, text=True).stdout
        for _ in range(2)]
    assert outputs == ['True\n', 'False\n']
