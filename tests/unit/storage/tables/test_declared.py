# SPDX-License-Identifier: Apache-2.0
"""A declared type is a table: its columns, keys and indexes."""

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql
from sqlalchemy.schema import CreateTable

from service.storage.tables import declared as declared_tables
from tests.unit import stored

RACK = '''
name: rack
plural: racks
scope: cloud
properties: {name: {type: string}}
required: [name]
unique: [[name]]
'''
HOST = '''
name: host
plural: hosts
properties:
  name: {type: string, maxLength: 64}
  notes: {type: string, maxLength: 5000}
  status: {type: string, default: new}
  size: {type: integer}
  ratio: {type: number}
  enabled: {type: boolean}
  bought_at: {type: string, format: date-time}
  labels: {type: object}
  parts: {type: array}
  rack_id: {references: rack}
required: [name]
unique: [[name]]
indexes: [[status], [rack_id, name]]
'''


@pytest.fixture
def inspector(tmp_path):
    engine = stored.connect(tmp_path)
    stored.apply_types(engine, stored.catalogue(rack=RACK, host=HOST))
    yield sa.inspect(engine)
    engine.dispose()


def test_a_table_has_the_common_columns_and_one_a_property(inspector):
    assert [one['name'] for one in inspector.get_columns('r_hosts')] == [
        'id', 'project_id', 'generation', 'created_at', 'updated_at', 'tags',
        'metadata', 'name', 'notes', 'status', 'size', 'ratio', 'enabled',
        'bought_at', 'labels', 'parts', 'rack_id']


def test_a_cloud_type_has_no_project(inspector):
    assert 'project_id' not in [
        one['name'] for one in inspector.get_columns('r_racks')]


def test_only_what_is_required_or_has_a_default_is_never_null(inspector):
    never = {one['name'] for one in inspector.get_columns('r_hosts')
             if not one['nullable']}
    assert never == {'id', 'project_id', 'generation', 'created_at',
                     'updated_at', 'tags', 'metadata', 'name', 'status'}


def test_unique_is_within_the_project_unless_the_type_is_the_clouds(
        inspector):
    found = {name: [one['column_names'] for one in
                    inspector.get_unique_constraints(name)]
             for name in ('r_hosts', 'r_racks')}
    assert found == {'r_hosts': [['project_id', 'name']],
                     'r_racks': [['name']]}


def test_every_order_of_a_list_is_an_index_that_ends_in_the_id(inspector):
    found = [one['column_names'] for one in inspector.get_indexes('r_hosts')]
    for names in (['status'], ['rack_id', 'name'], ['created_at'],
                  ['updated_at']):
        assert ['project_id', *names, 'id'] in found


def test_what_is_second_in_a_tuple_is_found_by_an_index_of_its_own(inspector):
    """Not who leads one, be it the constraint of a unique."""
    declared = stored.catalogue(rack=RACK, host=HOST.replace(
        'indexes: [[status], [rack_id, name]]',
        'indexes: [[rack_id, name, size], [status, rack_id]]'))
    table = declared_tables.build(declared).of(declared.types['host'])
    led = [one.columns.keys()[:2] for one in table.indexes]
    assert led.count(['project_id', 'size']) == 1
    assert ['project_id', 'name'] not in led
    assert led.count(['project_id', 'rack_id']) == 1


def test_the_records_of_all_projects_have_indexes_by_common_columns(
        inspector):
    """Those of the cloud have none besides: they are in no project."""
    led = {name: [one['column_names'] for one in inspector.get_indexes(name)]
           for name in ('r_hosts', 'r_racks')}
    for one in ('created_at', 'updated_at'):
        assert [one, 'id'] in led['r_hosts']
        assert led['r_racks'].count([one, 'id']) == 1
    assert ['status', 'id'] not in led['r_hosts']


def test_who_refers_is_found_by_an_index_whatever_the_project(inspector):
    assert ['rack_id'] in [
        one['column_names'] for one in inspector.get_indexes('r_hosts')]


def test_a_reference_is_a_key_that_storage_and_not_the_database_cascades(
        inspector):
    [key] = inspector.get_foreign_keys('r_hosts')
    assert (key['constrained_columns'], key['referred_table'],
            key['referred_columns']) == (['rack_id'], 'r_racks', ['id'])
    assert 'ondelete' not in key['options']


def test_long_names_are_cut_and_stay_apart():
    name = 'a' * 48
    first, second = (f'{"b" * 40}{one}' for one in 'xy')
    declared = stored.catalogue(long=f'''
name: long
plural: {name}
properties: {{{first}: {{type: string}}, {second}: {{type: string}}}}
unique: [[{first}], [{second}]]
indexes: [[{first}], [{second}]]
''')
    table = declared_tables.build(declared).of(declared.types['long'])
    names = [str(one.name) for one in (*table.indexes, *table.constraints)
             if one.name]
    assert max(map(len, names)) <= declared_tables.MAX_NAME_LENGTH
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(('dialect', 'words'), [
    (postgresql.dialect(), [
        'name VARCHAR(64) COLLATE "C" NOT NULL', 'notes TEXT COLLATE "C"',
        'bought_at TIMESTAMP WITH TIME ZONE',
        'DEFERRABLE INITIALLY IMMEDIATE']),
    (mysql.dialect(is_mariadb=False), [
        'name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin',
        'notes MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin',
        'rack_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin',
        'bought_at DATETIME(6)', 'ENGINE=InnoDB']),
    (mysql.dialect(is_mariadb=True), [
        'name VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin',
        'notes MEDIUMTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin'])],
    ids=['postgresql', 'mysql', 'mariadb'])
def test_each_database_is_told_in_its_own_words(dialect, words):
    declared = stored.catalogue(rack=RACK, host=HOST)
    table = declared_tables.build(declared).of(declared.types['host'])
    said = str(CreateTable(table).compile(dialect=dialect))
    for one in words:
        assert one in said


def test_mysql_hears_nothing_of_deferring():
    declared = stored.catalogue(rack=RACK, host=HOST)
    table = declared_tables.build(declared).of(declared.types['host'])
    assert 'DEFERRABLE' not in str(
        CreateTable(table).compile(dialect=mysql.dialect()))


def test_the_statement_of_one_record_is_made_once():
    declared = stored.catalogue(rack=RACK, host=HOST)
    built = declared_tables.build(declared)
    host, rack = (declared.types[one] for one in ('host', 'rack'))
    assert built.fetch(host, owned=True) is built.fetch(host, owned=True)
    assert 'project_id =' in str(built.fetch(host, owned=True))
    assert 'project_id =' not in str(built.fetch(host, owned=False))
    assert built.fetch(rack, owned=True) is built.fetch(rack, owned=False)
