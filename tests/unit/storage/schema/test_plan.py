# SPDX-License-Identifier: Apache-2.0
"""Type files change between two starts: what is added, what is refused."""

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


def test_the_first_start_makes_every_table(engine):
    stored.apply_types(engine, stored.catalogue(desk=DESK, leg=LEG))
    names = sa.inspect(engine).get_table_names()
    assert {'r_desks', 'r_legs', 'pileus_counter', 'pileus_keys',
            'pileus_revisions', 'pileus_tags'} <= set(names)


def test_the_counter_starts_at_nothing_once(engine):
    for _ in range(2):
        built = stored.apply_types(engine, stored.catalogue(desk=DESK))
    with engine.connect() as connection:
        rows = connection.execute(sa.select(built.core.counter)).all()
    assert [(row.id, row.n) for row in rows] == [(1, 0)]


def test_nothing_is_left_to_add_after_a_start(engine):
    stored.apply_types(engine, stored.catalogue(desk=DESK, leg=LEG))
    assert planned(engine, desk=DESK, leg=LEG).steps == ()


def indexes(engine):
    return {one['name'] for one in sa.inspect(engine).get_indexes('r_desks')}


def test_a_start_makes_the_indexes_that_a_later_release_wants(engine):
    """The files say what they said, and SQLite needs no apply."""
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


def test_a_start_serves_the_same_types_though_a_hand_was_at_the_tables(
        engine):
    types = stored.catalogue(desk=DESK, leg=LEG)
    stored.apply_types(engine, types)
    with engine.connect() as connection:
        connection.exec_driver_sql('DROP INDEX ia_desks_created_at')
        connection.exec_driver_sql('ALTER TABLE r_desks ADD COLUMN mine')
    stored.apply_types(engine, types)
    assert 'ia_desks_created_at' not in indexes(engine)


def test_types_that_refer_to_each_other_get_their_tables(engine):
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


def test_a_new_property_is_null_in_the_records_that_are_there(engine):
    with_a_record(engine)
    desk = DESK.replace('required', '  colour: {type: string}\nrequired')
    assert record(engine, desk)['colour'] is None


def test_a_new_property_has_its_default_in_the_records_that_are_there(
        engine):
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


def test_a_backfill_is_for_the_records_that_are_there(engine):
    with_a_record(engine)
    desk = DESK.replace(
        'required', '  colour: {type: string, default: grey, '
                    'backfill: brown}\nrequired')
    assert record(engine, desk)['colour'] == 'brown'


def test_a_new_index_is_made(engine):
    stored.apply_types(engine, stored.catalogue(desk=DESK))
    stored.apply_types(engine, stored.catalogue(
        desk=DESK + 'indexes: [[name]]\n'))
    assert ['project_id', 'name', 'id'] in [
        one['column_names'] for one in
        sa.inspect(engine).get_indexes('r_desks')]


@pytest.mark.parametrize(('desk', 'told'), [
    (DESK.replace('name: {type', 'title: {type').replace('[name]', '[title]'),
     'desk.name: is dropped, with its values (destructive)'),
    (DESK + 'unique: [[name]]\n', 'desk.unique: unique [name] is new'),
], ids=['a property that is gone', 'a new unique'])
def test_what_takes_something_away_is_refused(engine, desk, told):
    with_a_record(engine)
    with pytest.raises(StartError) as caught:
        stored.apply_types(engine, stored.catalogue(desk=desk))
    assert told in str(caught.value)


def test_all_that_is_refused_is_told_at_once(engine):
    with_a_record(engine)
    desk = DESK.replace('name: {type', 'title: {type').replace(
        '[name]', '[title]') + 'unique: [[title]]\n'
    refused = planned(engine, desk=desk).refusals
    assert [one.partition(':')[0] for one in refused] == [
        'desk.title', 'desk.name']


def test_a_refused_start_changes_nothing(engine):
    with_a_record(engine)
    desk = DESK.replace('name: {type', 'title: {type').replace(
        '[name]', '[title]')
    with pytest.raises(StartError):
        stored.apply_types(engine, stored.catalogue(desk=desk, leg=LEG))
    assert 'r_legs' not in sa.inspect(engine).get_table_names()
    assert planned(engine, desk=DESK).steps == ()


def test_what_only_adds_is_told_from_what_does_not(engine):
    stored.apply_types(engine, stored.catalogue(desk=DESK))
    assert planned(engine, desk=DESK + 'indexes: [[name]]\n').additive
    assert not planned(engine, desk=DESK + 'unique: [[name]]\n').additive


def test_a_start_that_finds_nothing_does_without_alembic(engine):
    """PERF: it takes a tenth of a second to import."""
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
    told = [subprocess.run(
        [sys.executable, '-c', script, str(Path(engine.url.database).parents[
            1]), DESK], check=True, capture_output=True, text=True).stdout
        for _ in range(2)]
    assert told == ['True\n', 'False\n']
