# SPDX-License-Identifier: Apache-2.0
"""Query parameters become a Query, or an error with all mistakes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.catalogue.microversion import FIRST_VERSION, Version
from service.domain.catalogue.types import Choice, Property, ResourceType
from service.domain.errors import Invalid
from service.domain.query import list_query
from service.domain.query.list_query import Filter, Query, SortKey, TagFilter

ID = '5e6f1c1e-6a4b-4b7e-9a43-8f5b6f6d4c11'
LATER = Version(1, 2)

HOST = ResourceType(
    'host', 'hosts', unique=(('name',), ('rack_id', 'slot')),
    indexes=(('status',), ('size',), ('ratio',), ('enabled',),
             ('finished_at',), ('rack_id', 'name', 'bmc'), ('rating',)),
    properties={prop.name: prop for prop in (
        Property('name', 'string', required=True),
        Property('status', 'string', enum=(
            Choice('active'), Choice('retired', since=LATER))),
        Property('size', 'integer'),
        Property('slot', 'integer', required=True),
        Property('ratio', 'number'),
        Property('enabled', 'boolean'),
        Property('finished_at', 'string', format='date-time'),
        Property('rack_id', 'string', references='rack'),
        Property('bmc', 'string', since=LATER),
        Property('rating', 'integer', since=LATER, renamed_from='score'),
        Property('notes', 'string'),
    )})
SHAPE = HOST.at(FIRST_VERSION)
NEWER = HOST.at(LATER)
CLOUD = ResourceType('rack', 'racks', scope='cloud', properties={
    'name': Property('name', 'string')}, unique=(('name',),)).at(FIRST_VERSION)


def parse(*parameters: tuple[str, str], shape: Any = SHAPE,
          **words: Any) -> Query:
    return list_query.parse(shape, parameters, 1000, **words)


def refused(*parameters: tuple[str, str], **words: Any) -> dict[str, str]:
    """Return the error text of each refused parameter."""
    with pytest.raises(Invalid) as caught:
        parse(*parameters, **words)
    return {str(each.parameter): each.detail
            for each in caught.value.violations}


def filtered(name: str, text: str, **words: Any) -> Filter:
    only, = parse((name, text), **words).filters
    return only


def test_no_parameters_mean_all_records_sorted_by_id() -> None:
    assert parse() == Query(limit=1000, sort=(SortKey('id'),))


# Filters

@pytest.mark.parametrize(('name', 'text', 'meaning'), [
    ('name', 'buzz', Filter('name', 'eq', ('buzz',))),
    ('name', '', Filter('name', 'eq', ('',))),
    ('name', 'in:b,a', Filter('name', 'in', ('b', 'a'))),
    ('name', 'gte:m', Filter('name', 'gte', ('m',))),
    ('size', '10', Filter('size', 'eq', (10,))),
    ('size', '"10"', Filter('size', 'eq', (10,))),
    ('size', 'gt:-007', Filter('size', 'gt', (-7,))),
    ('size', 'in:1,01,2', Filter('size', 'in', (1, 2))),
    ('size', '9223372036854775807', Filter('size', 'eq', (2 ** 63 - 1,))),
    ('size', '-9223372036854775808', Filter('size', 'eq', (-2 ** 63,))),
    ('ratio', 'lt:1e3', Filter('ratio', 'lt', (1000.0,))),
    ('ratio', '2', Filter('ratio', 'eq', (2.0,))),
    ('enabled', 'True', Filter('enabled', 'eq', (True,))),
    ('enabled', 'neq:0', Filter('enabled', 'neq', (False,))),
    ('finished_at', 'gte:2026-01-01T09:00:00+09:00',
     Filter('finished_at', 'gte', ('2026-01-01T00:00:00.000000Z',))),
    ('created_at', '20260101T0000Z',
     Filter('created_at', 'eq', ('2026-01-01T00:00:00.000000Z',))),
    ('rack_id', ID, Filter('rack_id', 'eq', (ID,))),
    ('id', f'in:{ID}', Filter('id', 'in', (ID,))),
    ('project_id', 'p', Filter('project_id', 'eq', ('p',))),
    ('finished_at', 'null', Filter('finished_at', 'null')),
    ('finished_at', 'neq:null', Filter('finished_at', 'notnull')),
    ('name', '"null"', Filter('name', 'eq', ('null',))),
    ('name', 'in:null', Filter('name', 'null')),
    ('name', 'in:null,a', Filter('name', 'in', ('a', None))),
    ('size', 'nin:1,null', Filter('size', 'nin', (1, None))),
    ('status', 'gt:aa', Filter('status', 'gt', ('aa',))),
])
def test_a_filter_has_values_of_the_type_of_its_column(
        name: str, text: str, meaning: Filter) -> None:
    result = filtered(name, text)
    assert result == meaning
    assert [*map(type, result.values)] == [*map(type, meaning.values)]


def test_minus_zero_is_zero() -> None:
    assert str(filtered('ratio', '-0.0').values[0]) == '0.0'


@pytest.mark.parametrize(('name', 'text', 'reason'), [
    ('size', 'abc', 'is not an integer'),
    ('size', '1.0', 'is not an integer'),
    ('size', '', 'is not an integer'),
    ('size', '\u0663', 'is not an integer'),
    ('size', '9223372036854775808', 'outside the 64-bit integers'),
    ('size', '9' * 5000, 'outside the 64-bit integers'),
    ('size', 'in:1,x', 'has "x"'),
    ('ratio', 'nan', 'is not a number'),
    ('ratio', 'inf', 'is not a number'),
    ('ratio', '1e999', 'outside the double-precision numbers'),
    ('enabled', 'yes', 'neither true nor false'),
    ('enabled', 'gt:false', 'booleans have no order'),
    ('finished_at', '2026-01-01', 'has no time of day'),
    ('finished_at', 'gte:2026-01-01T00:00:00 09:00', 'written %2B'),
    ('created_at', '2026-01-01T00:00:00', 'has no offset'),
    ('rack_id', 'x', 'is not a UUID'),
    ('id', ID.upper(), 'is not a UUID'),
    ('id', f'{ID}\n', 'is not a UUID'),
    ('size', 'gt:null', 'null has no order'),
    ('status', 'retired', 'not one of active'),
    ('status', 'in:active,activ', 'has "activ"'),
    ('name', 'a"b', 'a misplaced double quote'),
    ('name', 'a\0', 'the character NUL'),
    ('name', 'a\ud800', 'half of a surrogate pair'),
])
def test_a_value_that_the_column_cannot_have_is_refused(
        name: str, text: str, reason: str) -> None:
    """CODE-12, R10."""
    reasons = refused((name, text))
    assert [*reasons] == [name]
    assert reason in reasons[name] and name in reasons[name]


def test_a_repeated_parameter_is_two_filters() -> None:
    """FILT-7."""
    result = parse(('created_at', 'lt:2026-02-01T00:00:00Z'),
                  ('created_at', 'gte:2026-01-01T00:00:00Z'))
    assert [each.operator for each in result.filters] == ['gte', 'lt']


def test_the_order_of_filters_does_not_change_the_query() -> None:
    assert parse(('name', 'a'), ('size', '1'), ('name', 'a')) == parse(
        ('size', '1'), ('name', 'a'))


def test_a_filter_without_an_index_is_refused() -> None:
    """D21: the error lists the filters that are available."""
    for name in ('notes', 'generation', 'tags_any', 'nmae', 'Name'):
        reasons = refused((name, 'x'))
        assert [*reasons] == [name]
        assert ('the filters are name, status, size, slot, ratio, enabled, '
                'finished_at, rack_id, score, id, project_id, created_at, '
                'updated_at and the other parameters limit,') in reasons[name]
    assert [*refused(('', 'x'))] == ['""']


def test_filters_use_the_names_of_the_requested_version() -> None:
    assert filtered('score', '5') == Filter('rating', 'eq', (5,))
    assert filtered('rating', '5', shape=NEWER) == Filter(
        'rating', 'eq', (5,))
    assert [*refused(('rating', '5'))] == ['rating']
    assert [*refused(('bmc', 'x'))] == ['bmc']
    assert [*refused(('score', '5'), shape=NEWER)] == ['score']
    assert filtered('status', 'retired', shape=NEWER).values == ('retired',)


def test_a_hidden_column_is_treated_as_unknown() -> None:
    """J10: neither a filter nor an order reveals its values."""
    hidden = ['name']
    assert 'filters are status,' in refused(
        ('name', 'x'), hidden=hidden)['name']
    assert [*refused(('sort', 'name'), hidden=hidden)] == ['sort']
    assert [*refused(('sort', 'rack_id,name'), hidden=hidden)] == ['sort']
    assert [*refused(('fields', 'name'), hidden=hidden)] == ['fields']
    assert columns(parse(('sort', 'rack_id'), hidden=hidden)) == [
        'rack_id', 'id']
    assert ('rack_id',) in list_query.list_options(SHAPE, hidden).sorts


def test_lists_of_cloud_types_have_no_project_parameters() -> None:
    for name in ('project_id', 'all_projects'):
        assert name in refused((name, 'true'), shape=CLOUD)
    assert [*refused(('fields', 'project_id'), shape=CLOUD)] == ['fields']
    assert 'project_id' not in list_query.list_options(CLOUD).filters


# Order

def columns(result: Query) -> list[str]:
    return [('-' if key.descending else '') + key.column
            for key in result.sort]


@pytest.mark.parametrize(('text', 'order'), [
    ('name', ['name', 'id']),
    ('name:asc', ['name', 'id']),
    ('name:desc', ['-name', '-id']),
    ('id', ['id']),
    ('id:desc', ['-id']),
    ('created_at:desc', ['-created_at', '-id']),
    ('name,id:desc', ['name', '-id']),
    ('rack_id:desc,slot', ['-rack_id', 'slot', 'id']),
    ('rack_id,slot:desc', ['rack_id', '-slot', '-id']),
    ('score', ['rating', 'id']),
])
def test_an_order_always_ends_in_id(text: str, order: list[str]) -> None:
    """SORT-1."""
    assert columns(parse(('sort', text))) == order


@pytest.mark.parametrize(('text', 'order'), [
    ('rack_id:desc', ['-rack_id', '-name', '-bmc', '-id']),
    ('rack_id,name:desc', ['rack_id', '-name', '-bmc', '-id']),
    ('rack_id,id', ['rack_id', 'id']),
])
def test_the_other_columns_of_a_declared_tuple_break_ties(
        text: str, order: list[str]) -> None:
    """The index then has the rows in this order, at any version."""
    assert columns(parse(('sort', text))) == order


def test_an_exact_tuple_is_preferred_to_a_longer_one() -> None:
    shape = ResourceType('thing', 'things', properties={
        name: Property(name, 'string') for name in 'ab'},
        indexes=(('a', 'b'), ('a',))).at(FIRST_VERSION)
    assert columns(parse(('sort', 'a'), shape=shape)) == ['a', 'id']


@pytest.mark.parametrize('text', [
    'nope', 'slot', 'name,rack_id', 'rack_id,size', 'id,name', 'notes',
    'name,created_at', '', 'name,', 'bmc', 'rating', 'project_id',
    'generation', 'rack_id,name,bmc',
])
def test_an_unavailable_order_is_refused_with_the_available_ones(
        text: str) -> None:
    """SORT-2, D21."""
    reason = refused(('sort', text))['sort']
    assert ('a leading part of one of: status; size; ratio; enabled; '
            'finished_at; rack_id,name; score; name; rack_id,slot; id; '
            'created_at; updated_at') in reason


@pytest.mark.parametrize(('text', 'reason'), [
    ('name:up', 'has the direction "up"'),
    ('name:ASC', 'has the direction "ASC"'),
    ('name:asc:desc', 'has the direction "asc:desc"'),
    ('name,name', 'names the key "name" twice'),
    (','.join(['name'] * 20000), 'names the key "name" twice'),
])
def test_a_malformed_sort_is_refused(text: str, reason: str) -> None:
    """SORT-2."""
    assert reason in refused(('sort', text))['sort']


def test_sort_key_and_sort_dir_are_paired() -> None:
    """SORT-3."""
    assert columns(parse(
        ('sort_key', 'rack_id'), ('sort_dir', 'desc'),
        ('sort_key', 'slot'))) == ['-rack_id', 'slot', 'id']


def test_sort_and_sort_key_cannot_be_combined() -> None:
    assert 'sort' in refused(('sort', 'name'), ('sort_key', 'name'))
    assert 'sort_dir' in refused(('sort_dir', 'asc'))
    assert 'sort_dir' in refused(
        ('sort_key', 'name'), ('sort_dir', 'asc'), ('sort_dir', 'asc'))
    assert 'sort_key' in refused(('sort_key', 'nope'))


# The page

@pytest.mark.parametrize(('text', 'limit'), [
    ('1', 1), ('999', 999), ('1000', 1000), ('1001', 1000),
    ('0000000000000000000007', 7), (str(10 ** 30), 1000),
    ('9' * 6000, 1000),
])
def test_a_limit_is_capped_at_the_maximum(text: str, limit: int) -> None:
    """R10, D20."""
    assert parse(('limit', text)).limit == limit


@pytest.mark.parametrize('text', [
    '0', '00', '-1', 'abc', '', '1.5', '1e3', ' 1', '+1', '\u0661'])
def test_a_limit_that_is_no_positive_integer_is_refused(
        text: str) -> None:
    """R10."""
    assert 'not an integer of 1 or more' in refused(('limit', text))['limit']


def test_every_marker_that_names_no_record_gets_the_same_error() -> None:
    """D21."""
    assert parse(('marker', ID)).marker == ID
    unknown = list_query.unknown_marker().violations[0]
    for text in ('', 'x', ID.upper(), ID + ' ', '1' * 36):
        assert refused(('marker', text)) == {'marker': unknown.detail}


def test_booleans_are_accepted_in_any_case() -> None:
    """CNT-1, CNT-2."""
    result = parse(('with_count', 'TRUE'), ('all_projects', '1'))
    assert (result.with_count, result.all_projects) == (True, True)
    assert not parse(('with_count', 'false')).with_count
    assert 'with_count' in refused(('with_count', ''))


def test_fields_are_unique_names_of_the_requested_version() -> None:
    assert parse().fields is None
    assert parse(('fields', 'score,id'), ('fields', 'id,notes')).fields == (
        'score', 'id', 'notes')
    reason = refused(('fields', 'id,rating'))['fields']
    assert 'asks for "rating"' in reason and 'metadata' in reason


@pytest.mark.parametrize('name', [
    'limit', 'marker', 'sort', 'with_count', 'all_projects'])
def test_a_single_parameter_is_refused_if_repeated(name: str) -> None:
    assert 'is given more than once' in refused(
        (name, '1'), (name, '1'))[name]


# Tags

def test_tag_parameters_are_combined_into_groups() -> None:
    """TAG-7."""
    assert parse(
        ('tags', 'red,blue'), ('tags', 'red'), ('tags-any', 'b,a'),
        ('tags-any', 'c'), ('not-tags', 'x,y'), ('not-tags', 'z'),
        ('not-tags-any', 'v'), ('not-tags-any', 'w,v'),
    ).tags == TagFilter(all=('blue', 'red'), any=(('a', 'b'), ('c',)),
                        not_all=(('x', 'y'), ('z',)), not_any=('v', 'w'))


def test_the_number_of_tag_groups_is_limited() -> None:
    """R10: each different group costs a look-up in the database."""
    names = [('tags-any', f'a{n}') for n in range(list_query.MAX_GROUPS - 1)]
    whole = [*names, ('not-tags', 'b'), *names]
    assert len(parse(*whole).tags.any) == list_query.MAX_GROUPS - 1
    with pytest.raises(Invalid) as caught:
        parse(*whole, ('not-tags', 'c'))
    assert str(caught.value) == (
        'The query gives tags-any and not-tags 11 times; at most 10 '
        'times are allowed.')


def test_a_tag_is_taken_literally() -> None:
    assert parse(('tags', '"é ?%",null')).tags.all == ('"é ?%"', 'null')


@pytest.mark.parametrize('text', ['', 'a,', ',', 'a,,b'])
def test_an_empty_tag_is_refused(text: str) -> None:
    assert 'an empty tag' in refused(('not-tags-any', text))['not-tags-any']


# All mistakes at once, and size limits

def test_every_mistake_is_reported_at_once() -> None:
    assert set(refused(
        ('nmae', 'x'), ('size', 'x'), ('sort', 'nope'), ('limit', '0'),
        ('marker', 'x'), ('fields', 'nope'), ('with_count', '?'),
        ('tags', ''), ('name', 'fine'))) == {
            'nmae', 'size', 'sort', 'limit', 'marker', 'fields',
            'with_count', 'tags'}


def test_too_many_parameters_are_refused_before_parsing() -> None:
    """R10."""
    assert len(parse(*[('name', str(number)) for number in range(50)]
                     ).filters) == 50
    reasons = refused(*[('nmae', 'x')] * 200_000)
    assert reasons == {'None': 'The query has 200000 parameters; at most 50 '
                               'are allowed.'}


def test_too_many_values_are_refused_in_any_parameter() -> None:
    """R10."""
    many = ','.join(map(str, range(600)))
    assert len(filtered('size', f'in:{many}').values) == 600
    for other in (('size', f'nin:{many}'), ('tags', many),
                  ('tags-any', many), ('not-tags', many),
                  ('not-tags-any', many)):
        reasons = refused(('size', f'in:{many}'), other)
        assert 'names 1200 values in all' in reasons['None']
    ids = ','.join([ID] * 2 + list(map(str, range(40_000))))
    assert 'lists more than 1000' in refused(('name', f'in:{ids}'))['name']


def test_any_parameter_name_is_reported_in_a_printable_form() -> None:
    for name in ('\ud800', 'x' * 5000, 'a\0'):
        for reason in refused((name, 'x')).items():
            assert len(''.join(reason)) < 500
            assert '\0' not in ''.join(reason).encode().decode()


names = st.sampled_from((
    *list_query.PARAMETERS, *list_query.list_options(SHAPE).filters, 'nope')
) | st.text(max_size=3)
texts = st.text(max_size=12) | st.sampled_from(
    ('in:1,2', '1', 'true', ID, 'name:desc', 'gte:null', 'null'))


@given(parameters=st.lists(st.tuples(names, texts), max_size=6))
def test_any_parameters_give_a_query_or_invalid(
        parameters: list[tuple[str, str]]) -> None:
    try:
        result = parse(*parameters)
    except Invalid as exc:
        for each in exc.violations:
            each.detail.encode()
            (each.parameter or '').encode()
    else:
        assert 1 <= result.limit <= 1000
        assert len({key.column for key in result.sort}) == len(result.sort)
        assert result.sort[-1].column == 'id'


# Options of a type

def test_a_type_lists_its_filters_and_orders() -> None:
    assert list_query.list_options(NEWER) == list_query.ListOptions(
        filters=('name', 'status', 'size', 'slot', 'ratio', 'enabled',
                 'finished_at', 'rack_id', 'bmc', 'rating', 'id',
                 'project_id', 'created_at', 'updated_at'),
        sorts=(('status',), ('size',), ('ratio',), ('enabled',),
               ('finished_at',), ('rack_id', 'name', 'bmc'), ('rating',),
               ('name',), ('rack_id', 'slot'), ('id',), ('created_at',),
               ('updated_at',)))


ALL_PROJECTS = ('all_projects', 'true')


@pytest.mark.parametrize(('name', 'text'), [
    ('id', ID), ('project_id', 'in:a,b'), ('created_at', 'gt:20260101T0000Z'),
    ('rack_id', 'null'), ('sort', 'id:desc'), ('sort', 'created_at'),
    ('sort', 'updated_at:desc,id'), ('sort_key', 'created_at')])
def test_all_projects_offers_filters_and_orders_of_common_properties(
        name: str, text: str) -> None:
    assert parse(ALL_PROJECTS, (name, text)).project is None


@pytest.mark.parametrize(('name', 'text'), [
    ('status', 'active'), ('name', 'in:a,b'), ('slot', '1'),
    ('sort', 'rack_id'), ('sort', 'status:desc'), ('sort_key', 'name')])
def test_all_projects_refuses_filters_and_orders_without_a_suitable_index(
        name: str, text: str) -> None:
    """The indexes of these properties begin with the project."""
    (parameter, reason), = refused(ALL_PROJECTS, (name, text)).items()
    assert parameter == name
    assert 'is available within one project only' in reason
    assert ('rack_id, id, project_id, created_at, updated_at' in reason) is (
        'sort' not in name)
    narrow = parse(ALL_PROJECTS, ('project_id', 'p'), (name, text))
    assert (narrow.all_projects, narrow.project) == (True, 'p')
    assert 'project_id' not in [each.column for each in narrow.filters]


def test_a_second_project_filter_remains_and_matches_nothing() -> None:
    result = parse(ALL_PROJECTS, ('project_id', 'p'), ('project_id', 'q'),
                  ('status', 'active'))
    assert result.project == 'p'
    assert Filter('project_id', 'eq', ('q',)) in result.filters


def test_all_projects_names_a_renamed_property_as_the_version_does() -> None:
    assert [*refused(ALL_PROJECTS, ('rating', '1'), shape=NEWER)] == ['rating']


def test_all_projects_does_not_name_a_hidden_reference() -> None:
    reasons = refused(ALL_PROJECTS, ('status', 'active'), hidden=('rack_id',))
    assert 'rack_id' not in reasons['status']


def test_every_leading_part_of_a_listed_order_is_accepted() -> None:
    for shape in (SHAPE, NEWER, CLOUD):
        for order in list_query.list_options(shape).sorts:
            for length in range(1, len(order) + 1):
                result = parse(('sort', ','.join(order[:length])),
                              shape=shape)
                assert result.sort[-1].column == 'id'
