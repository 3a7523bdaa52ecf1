# SPDX-License-Identifier: Apache-2.0
"""The table of a declared type: its columns, keys and indexes."""

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


def test_a_table_has_common_columns_and_one_for_each_property(inspector):
    assert [column['name'] for column in inspector.get_columns('r_hosts')] == [
        'id', 'project_id', 'generation', 'created_at', 'updated_at', 'tags',
        'metadata', 'name', 'notes', 'status', 'size', 'ratio', 'enabled',
        'bought_at', 'labels', 'parts', 'rack_id']


def test_a_cloud_type_has_no_project(inspector):
    assert 'project_id' not in [
        column['name'] for column in inspector.get_columns('r_racks')]


def test_columns_are_nullable_unless_required_or_with_a_default(inspector):
    not_null = {column['name'] for column in inspector.get_columns('r_hosts')
                if not column['nullable']}
    assert not_null == {'id', 'project_id', 'generation', 'created_at',
                        'updated_at', 'tags', 'metadata', 'name', 'status'}


def test_a_unique_covers_a_project_or_the_whole_cloud(inspector):
    uniques = {name: [unique['column_names'] for unique in
                      inspector.get_unique_constraints(name)]
               for name in ('r_hosts', 'r_racks')}
    assert uniques == {'r_hosts': [['project_id', 'name']],
                       'r_racks': [['name']]}


def test_every_sort_order_has_an_index_that_ends_with_the_id(inspector):
    columns = [index['column_names']
               for index in inspector.get_indexes('r_hosts')]
    for names in (['status'], ['rack_id', 'name'], ['created_at'],
                  ['updated_at']):
        assert ['project_id', *names, 'id'] in columns


def test_a_column_that_leads_no_index_gets_one_of_its_own(inspector):
    """The index of a unique constraint counts as well."""
    declared = stored.catalogue(rack=RACK, host=HOST.replace(
        'indexes: [[status], [rack_id, name]]',
        'indexes: [[rack_id, name, size], [status, rack_id]]'))
    table = declared_tables.build(declared).of(declared.types['host'])
    leading = [index.columns.keys()[:2] for index in table.indexes]
    assert leading.count(['project_id', 'size']) == 1
    assert ['project_id', 'name'] not in leading
    assert leading.count(['project_id', 'rack_id']) == 1


def test_common_columns_have_indexes_across_all_projects(inspector):
    """Records of a cloud type need no second index."""
    columns = {name: [index['column_names']
                      for index in inspector.get_indexes(name)]
               for name in ('r_hosts', 'r_racks')}
    for name in ('created_at', 'updated_at'):
        assert [name, 'id'] in columns['r_hosts']
        assert columns['r_racks'].count([name, 'id']) == 1
    assert ['status', 'id'] not in columns['r_hosts']


def test_a_reference_has_an_index_across_all_projects(inspector):
    assert ['rack_id'] in [index['column_names']
                           for index in inspector.get_indexes('r_hosts')]


def test_a_reference_is_a_foreign_key_without_a_cascade(inspector):
    [key] = inspector.get_foreign_keys('r_hosts')
    assert (key['constrained_columns'], key['referred_table'],
            key['referred_columns']) == (['rack_id'], 'r_racks', ['id'])
    assert 'ondelete' not in key['options']


def test_long_names_are_shortened_and_stay_unique():
    name = 'a' * 48
    first, second = (f'{"b" * 40}{end}' for end in 'xy')
    declared = stored.catalogue(long=f'''
name: long
plural: {name}
properties: {{{first}: {{type: string}}, {second}: {{type: string}}}}
unique: [[{first}], [{second}]]
indexes: [[{first}], [{second}]]
''')
    table = declared_tables.build(declared).of(declared.types['long'])
    names = [str(key.name) for key in (*table.indexes, *table.constraints)
             if key.name]
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
def test_each_database_gets_its_own_column_types(dialect, words):
    declared = stored.catalogue(rack=RACK, host=HOST)
    table = declared_tables.build(declared).of(declared.types['host'])
    ddl = str(CreateTable(table).compile(dialect=dialect))
    for word in words:
        assert word in ddl


def test_foreign_keys_of_mysql_are_not_deferrable():
    declared = stored.catalogue(rack=RACK, host=HOST)
    table = declared_tables.build(declared).of(declared.types['host'])
    assert 'DEFERRABLE' not in str(
        CreateTable(table).compile(dialect=mysql.dialect()))


def test_the_statement_of_a_single_record_is_cached():
    declared = stored.catalogue(rack=RACK, host=HOST)
    built = declared_tables.build(declared)
    host, rack = (declared.types[name] for name in ('host', 'rack'))
    assert built.fetch(host, owned=True) is built.fetch(host, owned=True)
    assert 'project_id =' in str(built.fetch(host, owned=True))
    assert 'project_id =' not in str(built.fetch(host, owned=False))
    assert built.fetch(rack, owned=True) is built.fetch(rack, owned=False)
