# SPDX-License-Identifier: Apache-2.0
"""The SQL text of lists. tests/functional/storage tests the results."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.dialects.mysql import mariadb

from service.domain.catalogue import indexes
from service.domain.catalogue.microversion import FIRST_VERSION
from service.domain.catalogue.types import Catalogue, Property, ResourceType
from service.domain.query import list_query
from service.storage.lists import statements
from service.storage.tables import declared as declared_tables

HOST = ResourceType(
    'host', 'hosts', unique=(('name',), ('serial',)),
    indexes=(('size', 'label'),),
    properties={prop.name: prop for prop in (
        Property('name', 'string', required=True),
        Property('serial', 'string'),
        Property('size', 'integer'),
        Property('label', 'string'),
    )})
SHAPE = HOST.at(FIRST_VERSION)
TABLES = declared_tables.build(Catalogue({'host': HOST}))
SOURCE = statements.source(TABLES.of(HOST), TABLES.core.tags, 'sqlite')
IDS_FIRST = statements.source(SOURCE.table, SOURCE.tags, 'mysql')
MARKER = {'id': 'i', 'name': 'n', 'serial': 's', 'size': 3, 'label': 'l'}
DIALECTS = {'sqlite': sqlite.dialect(), 'postgresql': postgresql.dialect(),
            'mysql': mysql.dialect(), 'mariadb': mariadb.MariaDBDialect()}


def select(*parameters: tuple[str, str], project: str | None = 'p',
           marker: Any = None, backwards: bool = False,
           source: statements.Source = SOURCE) -> sa.Select[Any]:
    query = list_query.parse(SHAPE, parameters, 1000)
    return statements.select(source, query, project, marker, backwards)


def text(statement: sa.Select[Any], dialect: str = 'sqlite') -> str:
    compiled = statement.compile(dialect=DIALECTS[dialect])
    return ' '.join(str(compiled).split()).replace('r_hosts.', '')


def order(statement: sa.Select[Any], dialect: str = 'sqlite') -> str:
    return text(statement, dialect).rpartition(' ORDER BY ')[2].partition(
        ' LIMIT')[0]


FORMS = [
    [('name', 'x'), ('tags', 'a,b'), ('size', 'in:1,2,3')],
    [('name', 'neq:x'), ('not-tags', 'a,b'), ('tags-any', 'a')],
    [('sort', 'size:desc,label'), ('label', 'nin:a,null')],
    [('sort', 'name'), ('not-tags-any', 'a'), ('limit', '3')],
]
OTHERS = [
    [('size', 'in:7'), ('name', 'y'), ('tags', 'c,d,e')],
    [('tags-any', 'x,y,z'), ('name', 'neq:y'), ('not-tags', 'q')],
    [('sort', 'size:desc,label'), ('label', 'nin:null,b,c,d')],
    [('limit', '9'), ('sort', 'name'), ('not-tags-any', 'z,y')],
]


@pytest.mark.parametrize('backwards', [False, True])
@pytest.mark.parametrize(
    ('form', 'other'), [*zip(FORMS, OTHERS, strict=True)])
def test_queries_that_differ_in_values_are_compiled_once(
        form: list, other: list, backwards: bool) -> None:
    engine = sa.create_engine('sqlite://')
    cache: dict[Any, Any] = {}
    marker = {**MARKER, 'size': 99, 'label': 'other', 'id': 'j'}
    with engine.connect() as connection:
        TABLES.metadata.create_all(connection)
        cached = connection.execution_options(compiled_cache=cache)
        cached.execute(select(*form, marker=MARKER, backwards=backwards))
        cached.execute(select(*other, marker=marker, project='q',
                              backwards=backwards))
    engine.dispose()
    assert len(cache) == 1


@pytest.mark.parametrize('dialect', DIALECTS)
def test_no_text_of_a_client_is_in_the_sql(dialect: str) -> None:
    """J09."""
    evil = "'; DROP TABLE r_hosts --"
    marker = {**MARKER, 'name': evil, 'label': evil, 'id': evil}
    for operator in ('', 'neq:', 'in:', 'nin:', 'gt:', 'gte:', 'lt:', 'lte:'):
        for order in ('name', 'size:desc,label', 'size,label:desc'):
            sql = text(select(
                ('label', operator + evil), ('tags', evil),
                ('tags-any', evil), ('not-tags', evil),
                ('not-tags-any', evil), ('sort', order), project=evil,
                marker=marker), dialect)
            assert 'DROP' not in sql and "'" not in sql


def test_each_database_sorts_nulls_first() -> None:
    statement = select(('sort', 'size,label:desc'))
    plain = 'project_id ASC, size ASC, label DESC, id DESC'
    assert order(statement, 'sqlite') == plain
    assert order(statement, 'mysql') == order(statement, 'mariadb') == plain
    assert order(statement, 'postgresql') == (
        'project_id ASC, size ASC NULLS FIRST, label DESC NULLS LAST, '
        'id DESC')


def test_a_page_after_a_row_without_nulls_is_one_comparison() -> None:
    statement = select(('sort', 'size,label'), marker=MARKER)
    assert '(size, label, id) > (?, ?, ?)' in text(statement)
    assert 'UNION' not in text(statement)


@pytest.mark.parametrize('dialect', ['mysql', 'mariadb'])
def test_mariadb_gets_ranges_instead_of_a_row_comparison(
        dialect: str) -> None:
    sql = text(select(('sort', 'size,label'), marker=MARKER), dialect)
    assert ('(size > %s OR size = %s AND (label > %s OR label = %s AND '
            'id > %s))') in sql
    assert 'project_id >= %s AND project_id <= %s' in sql


def test_mariadb_does_not_sort_by_columns_that_are_null_in_all_rows() -> None:
    marker = {**MARKER, 'label': None}
    sql = text(select(('sort', 'size:desc,label:desc'), marker=marker),
               'mariadb')
    assert 'ORDER BY project_id DESC, size DESC, NULL, id DESC' in sql
    assert order(select(('label', 'null'), ('sort', 'size')), 'mariadb') == (
        'project_id ASC, size ASC, NULL, id ASC')


def test_a_sort_by_a_unique_tuple_does_not_end_with_the_id() -> None:
    assert order(select(('sort', 'name:desc'))) == (
        'project_id DESC, name DESC')


def test_a_sort_ends_with_the_id_where_unique_values_may_repeat() -> None:
    """Nulls repeat, and so do values of different projects."""
    assert order(select(('sort', 'serial'))) == (
        'project_id ASC, serial ASC, id ASC')
    assert order(select(('sort', 'name'), project=None)) == (
        'name ASC, id ASC')


def test_backwards_reads_ids_in_the_opposite_order() -> None:
    sql = text(select(('sort', 'name'), marker=MARKER, backwards=True))
    assert sql.startswith('SELECT id FROM')
    assert 'name < ?' in sql and 'name DESC' in sql


def test_a_page_selects_one_row_more_than_its_limit() -> None:
    statement = select(('limit', '7'))
    assert [*statement.compile().params.values()] == ['p', 8]


@pytest.mark.parametrize('dialect', ['mysql', 'mariadb'])
def test_mariadb_merges_ids_and_then_looks_up_their_rows(
        dialect: str) -> None:
    """Merging whole rows took twice the time of a first page."""
    assert statements.source(*SOURCE[:2], dialect) == IDS_FIRST
    sort = ('sort', 'serial:desc')
    sql = text(select(sort, marker=MARKER, source=IDS_FIRST), dialect)
    arm = 'SELECT id AS id, serial AS serial FROM r_hosts '
    assert sql.count(arm) == 2 and sql.count('metadata') == 1
    assert 'AS page INNER JOIN r_hosts ON id = page.id' in sql
    assert sql.endswith('ORDER BY page.serial DESC, page.id DESC LIMIT %s')
    for other in ({'backwards': True, 'marker': MARKER}, {}):
        assert 'JOIN' not in text(select(sort, source=IDS_FIRST, **other))


def test_a_marker_without_a_sort_column_is_a_bug() -> None:
    with pytest.raises(KeyError, match='size'):
        select(('sort', 'size'), marker={'id': 'i', 'label': None})


def test_a_list_of_a_cloud_type_has_no_condition_on_the_project() -> None:
    rack = ResourceType('rack', 'racks', scope='cloud', unique=(('name',),),
                        properties={'name': Property(
                            'name', 'string', required=True)})
    tables = declared_tables.build(Catalogue({'rack': rack}))
    query = list_query.parse(rack.at(FIRST_VERSION), [('sort', 'name')], 10)
    source = statements.source(tables.of(rack), tables.core.tags, 'sqlite')
    statement = statements.select(source, query, 'p', None)
    assert 'project_id' not in text(statement)
    assert order(statement) == 'r_racks.name ASC'
    count = statements.count(source, query, 'p')
    assert text(count) == 'SELECT count(*) AS count_1 FROM r_racks'


# The indexes for sort orders

def test_nullable_columns_have_an_index_with_nulls_first() -> None:
    assert indexes.list_indexes(HOST) == (
        ('created_at',), ('updated_at',), ('size', 'label'), ('serial',),
        ('label',))
    names = ('size', 'name', 'created_at')
    assert declared_tables.nulls_first(HOST, names) == {
        'size': 'NULLS FIRST'}


@pytest.mark.parametrize(('dialect', 'hints'), [
    ('mysql', 1), ('mariadb', 1), ('sqlite', 0), ('postgresql', 0)])
def test_mariadb_gets_a_hint_for_the_index_with_the_order(dialect, hints):
    """Without it MariaDB used an index by name, and a page of half a million
    hosts took 500 ms."""
    sort = ('sort', 'size:desc,label:desc')
    for name, statement, times in (
            ('ix_hosts_size_label', select(sort, marker=MARKER), 3),
            ('ix_hosts_size_label', select(sort), 1),
            ('ix_hosts_size_label', select(
                ('sort', 'size:desc,label:asc'),
                marker={**MARKER, 'size': None}), 1),
            ('uq_hosts_name', select(('sort', 'name')), 1)):
        assert text(statement, dialect).count(
            f'FORCE INDEX ({name})') == times * hints
    for other in (select(sort, ('name', 'a'), marker=MARKER),
                  select(sort, ('tags', 'a')),
                  select(('sort', 'size:desc,label:asc')),
                  select(sort, source=SOURCE._replace(hinted=False)),
                  select(sort, marker=MARKER, project=None)):
        assert 'FORCE INDEX' not in text(other, dialect)
