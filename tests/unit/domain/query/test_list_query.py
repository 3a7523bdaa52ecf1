# SPDX-License-Identifier: Apache-2.0
"""Query parameters -> one Query, or all that is wrong with them."""

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
    properties={one.name: one for one in (
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
    """Each refused parameter and what was said about it."""
    with pytest.raises(Invalid) as caught:
        parse(*parameters, **words)
    return {str(one.parameter): one.detail for one in caught.value.violations}


def filtered(name: str, text: str, **words: Any) -> Filter:
    found = parse((name, text), **words).filters
    assert len(found) == 1
    return found[0]


def test_no_parameters_are_the_whole_list_by_id() -> None:
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
def test_a_filter_has_values_of_its_column(
        name: str, text: str, meaning: Filter) -> None:
    found = filtered(name, text)
    assert found == meaning
    assert [*map(type, found.values)] == [*map(type, meaning.values)]


def test_minus_zero_is_zero() -> None:
    assert str(filtered('ratio', '-0.0').values[0]) == '0.0'


@pytest.mark.parametrize(('name', 'text', 'said'), [
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
    ('status', 'retired', 'none of active'),
    ('status', 'in:active,activ', 'has "activ"'),
    ('name', 'a"b', 'a double quote out of place'),
    ('name', 'a\0', 'the character NUL'),
    ('name', 'a\ud800', 'half of a surrogate pair'),
])
def test_a_value_the_column_cannot_have_is_told(
        name: str, text: str, said: str) -> None:
    """CODE-12, R10."""
    found = refused((name, text))
    assert [*found] == [name]
    assert said in found[name] and name in found[name]


def test_a_parameter_given_twice_is_two_filters() -> None:
    """FILT-7."""
    found = parse(('created_at', 'lt:2026-02-01T00:00:00Z'),
                  ('created_at', 'gte:2026-01-01T00:00:00Z'))
    assert [one.operator for one in found.filters] == ['gte', 'lt']


def test_the_order_of_filters_makes_no_other_query() -> None:
    assert parse(('name', 'a'), ('size', '1'), ('name', 'a')) == parse(
        ('size', '1'), ('name', 'a'))


def test_what_no_index_holds_cannot_be_filtered_by() -> None:
    """D21: the error lists what can."""
    for name in ('notes', 'generation', 'tags_any', 'nmae', 'Name'):
        found = refused((name, 'x'))
        assert [*found] == [name]
        assert ('one may filter by name, status, size, slot, ratio, enabled, '
                'finished_at, rack_id, score, id, project_id, created_at, '
                'updated_at and give limit,') in found[name]
    assert [*refused(('', 'x'))] == ['""']


def test_filters_have_the_names_of_the_asked_version() -> None:
    assert filtered('score', '5') == Filter('rating', 'eq', (5,))
    assert filtered('rating', '5', shape=NEWER) == Filter(
        'rating', 'eq', (5,))
    assert [*refused(('rating', '5'))] == ['rating']
    assert [*refused(('bmc', 'x'))] == ['bmc']
    assert [*refused(('score', '5'), shape=NEWER)] == ['score']
    assert filtered('status', 'retired', shape=NEWER).values == ('retired',)


def test_a_column_the_caller_may_not_read_is_as_if_not_there() -> None:
    """J10: neither a filter nor an order tells what it holds."""
    hidden = ['name']
    assert 'by status,' in refused(('name', 'x'), hidden=hidden)['name']
    assert [*refused(('sort', 'name'), hidden=hidden)] == ['sort']
    assert [*refused(('sort', 'rack_id,name'), hidden=hidden)] == ['sort']
    assert [*refused(('fields', 'name'), hidden=hidden)] == ['fields']
    assert columns(parse(('sort', 'rack_id'), hidden=hidden)) == [
        'rack_id', 'id']
    assert ('rack_id',) in list_query.list_options(SHAPE, hidden).sorts


def test_cloud_types_have_no_projects() -> None:
    for name in ('project_id', 'all_projects'):
        assert name in refused((name, 'true'), shape=CLOUD)
    assert [*refused(('fields', 'project_id'), shape=CLOUD)] == ['fields']
    assert 'project_id' not in list_query.list_options(CLOUD).filters


# Order

def columns(found: Query) -> list[str]:
    return [('-' if one.descending else '') + one.column
            for one in found.sort]


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
def test_the_rest_of_a_declared_tuple_breaks_ties(
        text: str, order: list[str]) -> None:
    """So that its index holds the rows in this order, at any version."""
    assert columns(parse(('sort', text))) == order


def test_an_exact_tuple_goes_before_a_longer_one() -> None:
    shape = ResourceType('thing', 'things', properties={
        name: Property(name, 'string') for name in 'ab'},
        indexes=(('a', 'b'), ('a',))).at(FIRST_VERSION)
    assert columns(parse(('sort', 'a'), shape=shape)) == ['a', 'id']


@pytest.mark.parametrize('text', [
    'nope', 'slot', 'name,rack_id', 'rack_id,size', 'id,name', 'notes',
    'name,created_at', '', 'name,', 'bmc', 'rating', 'project_id',
    'generation', 'rack_id,name,bmc',
])
def test_an_order_no_tuple_begins_with_is_told_with_those_on_offer(
        text: str) -> None:
    """SORT-2, D21."""
    said = refused(('sort', text))['sort']
    assert ('any beginning of: status; size; ratio; enabled; finished_at; '
            'rack_id,name; score; name; rack_id,slot; id; created_at; '
            'updated_at') in said


@pytest.mark.parametrize(('text', 'said'), [
    ('name:up', 'has the direction "up"'),
    ('name:ASC', 'has the direction "ASC"'),
    ('name:asc:desc', 'has the direction "asc:desc"'),
    ('name,name', 'names a key twice'),
    (','.join(['name'] * 20000), 'names a key twice'),
])
def test_a_malformed_sort_is_told(text: str, said: str) -> None:
    """SORT-2."""
    assert said in refused(('sort', text))['sort']


def test_the_older_spelling_pairs_keys_and_directions() -> None:
    """SORT-3."""
    assert columns(parse(
        ('sort_key', 'rack_id'), ('sort_dir', 'desc'),
        ('sort_key', 'slot'))) == ['-rack_id', 'slot', 'id']


def test_the_two_spellings_are_not_mixed() -> None:
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
def test_a_limit_is_taken_up_to_the_maximum(text: str, limit: int) -> None:
    """R10, D20."""
    assert parse(('limit', text)).limit == limit


@pytest.mark.parametrize('text', [
    '0', '00', '-1', 'abc', '', '1.5', '1e3', ' 1', '+1', '\u0661'])
def test_a_limit_that_is_no_integer_from_1_on_is_told(text: str) -> None:
    """R10."""
    assert 'is not an integer from 1 on' in refused(('limit', text))['limit']


def test_every_marker_that_names_nothing_gets_one_error() -> None:
    """D21."""
    assert parse(('marker', ID)).marker == ID
    unknown = list_query.unknown_marker().violations[0]
    for text in ('', 'x', ID.upper(), ID + ' ', '1' * 36):
        assert refused(('marker', text)) == {'marker': unknown.detail}


def test_flags_are_true_or_false_in_any_case() -> None:
    """CNT-1, CNT-2."""
    found = parse(('with_count', 'TRUE'), ('all_projects', '1'))
    assert (found.with_count, found.all_projects) == (True, True)
    assert not parse(('with_count', 'false')).with_count
    assert 'with_count' in refused(('with_count', ''))


def test_fields_are_names_of_the_asked_version_each_once() -> None:
    assert parse().fields is None
    assert parse(('fields', 'score,id'), ('fields', 'id,notes')).fields == (
        'score', 'id', 'notes')
    said = refused(('fields', 'id,rating'))['fields']
    assert 'asks for "rating"' in said and 'metadata' in said


@pytest.mark.parametrize('name', [
    'limit', 'marker', 'sort', 'with_count', 'all_projects'])
def test_what_can_be_said_once_is_not_said_twice(name: str) -> None:
    assert 'is given more than once' in refused(
        (name, '1'), (name, '1'))[name]


# Tags

def test_tags_are_gathered_by_what_they_ask() -> None:
    """TAG-7."""
    assert parse(
        ('tags', 'red,blue'), ('tags', 'red'), ('tags-any', 'b,a'),
        ('tags-any', 'c'), ('not-tags', 'x,y'), ('not-tags', 'z'),
        ('not-tags-any', 'v'), ('not-tags-any', 'w,v'),
    ).tags == TagFilter(all=('blue', 'red'), any=(('a', 'b'), ('c',)),
                   not_all=(('x', 'y'), ('z',)), not_any=('v', 'w'))


def test_groups_of_tags_are_no_more_than_a_database_bears() -> None:
    """R10: each is a look-up of its own; the same one again is none."""
    names = [('tags-any', f'a{n}') for n in range(list_query.MAX_GROUPS - 1)]
    whole = [*names, ('not-tags', 'b'), *names]
    assert len(parse(*whole).tags.any) == list_query.MAX_GROUPS - 1
    with pytest.raises(Invalid) as caught:
        parse(*whole, ('not-tags', 'c'))
    assert str(caught.value) == (
        'The query gives tags-any and not-tags 11 times; at most 10 are '
        'taken.')


def test_a_tag_is_taken_as_it_stands() -> None:
    assert parse(('tags', '"é ?%",null')).tags.all == ('"é ?%"', 'null')


@pytest.mark.parametrize('text', ['', 'a,', ',', 'a,,b'])
def test_an_empty_tag_is_told(text: str) -> None:
    assert 'an empty tag' in refused(('not-tags-any', text))['not-tags-any']


# All at once, and not too much

def test_every_mistake_is_told_at_once() -> None:
    assert set(refused(
        ('nmae', 'x'), ('size', 'x'), ('sort', 'nope'), ('limit', '0'),
        ('marker', 'x'), ('fields', 'nope'), ('with_count', '?'),
        ('tags', ''), ('name', 'fine'))) == {
            'nmae', 'size', 'sort', 'limit', 'marker', 'fields',
            'with_count', 'tags'}


def test_too_many_parameters_are_refused_unread() -> None:
    """R10."""
    assert len(parse(*[('name', str(one)) for one in range(50)]).filters
               ) == 50
    said = refused(*[('nmae', 'x')] * 200_000)
    assert said == {'None': 'The query has 200000 parameters; at most 50 are '
                            'taken.'}


def test_too_many_values_are_refused_wherever_they_stand() -> None:
    """R10."""
    many = ','.join(map(str, range(600)))
    assert len(filtered('size', f'in:{many}').values) == 600
    for other in (('size', f'nin:{many}'), ('tags', many),
                  ('tags-any', many), ('not-tags', many),
                  ('not-tags-any', many)):
        said = refused(('size', f'in:{many}'), other)
        assert 'names 1200 values in all' in said['None']
    ids = ','.join([ID] * 2 + [str(one) for one in range(40_000)])
    assert 'lists more than 1000' in refused(('name', f'in:{ids}'))['name']


def test_an_odd_name_comes_back_in_a_form_that_can_be_sent() -> None:
    for name in ('\ud800', 'x' * 5000, 'a\0'):
        for said in refused((name, 'x')).items():
            assert len(''.join(said)) < 500
            assert '\0' not in ''.join(said).encode().decode()


names = st.sampled_from((
    *list_query.PARAMETERS, *list_query.list_options(SHAPE).filters, 'nope')
) | st.text(max_size=3)
texts = st.text(max_size=12) | st.sampled_from(
    ('in:1,2', '1', 'true', ID, 'name:desc', 'gte:null', 'null'))


@given(parameters=st.lists(st.tuples(names, texts), max_size=6))
def test_any_parameters_are_a_query_or_invalid(
        parameters: list[tuple[str, str]]) -> None:
    try:
        found = parse(*parameters)
    except Invalid as exc:
        for one in exc.violations:
            one.detail.encode()
            (one.parameter or '').encode()
    else:
        assert 1 <= found.limit <= 1000
        assert len({one.column for one in found.sort}) == len(found.sort)
        assert found.sort[-1].column == 'id'


# What is on offer

def test_a_type_tells_its_filters_and_orders() -> None:
    assert list_query.list_options(NEWER) == list_query.ListOptions(
        filters=('name', 'status', 'size', 'slot', 'ratio', 'enabled',
                 'finished_at', 'rack_id', 'bmc', 'rating', 'id',
                 'project_id', 'created_at', 'updated_at'),
        sorts=(('status',), ('size',), ('ratio',), ('enabled',),
               ('finished_at',), ('rack_id', 'name', 'bmc'), ('rating',),
               ('name',), ('rack_id', 'slot'), ('id',), ('created_at',),
               ('updated_at',)))


EVERYBODY = ('all_projects', 'true')


@pytest.mark.parametrize(('name', 'text'), [
    ('id', ID), ('project_id', 'in:a,b'), ('created_at', 'gt:20260101T0000Z'),
    ('rack_id', 'null'), ('sort', 'id:desc'), ('sort', 'created_at'),
    ('sort', 'updated_at:desc,id'), ('sort_key', 'created_at')])
def test_over_all_projects_what_every_record_has_is_served(
        name: str, text: str) -> None:
    assert parse(EVERYBODY, (name, text)).project is None


@pytest.mark.parametrize(('name', 'text'), [
    ('status', 'active'), ('name', 'in:a,b'), ('slot', '1'),
    ('sort', 'rack_id'), ('sort', 'status:desc'), ('sort_key', 'name')])
def test_over_all_projects_what_one_has_in_order_is_told_with_what_is_served(
        name: str, text: str) -> None:
    """Each index of it begins with the project."""
    (said,) = refused(EVERYBODY, (name, text)).items()
    assert said[0] == name
    assert 'is served within one project only' in said[1]
    assert ('rack_id, id, project_id, created_at, updated_at' in said[1]) is (
        'sort' not in name)
    narrow = parse(EVERYBODY, ('project_id', 'p'), (name, text))
    assert (narrow.all_projects, narrow.project) == (True, 'p')
    assert 'project_id' not in [one.column for one in narrow.filters]


def test_two_projects_at_once_have_no_record_in_common() -> None:
    found = parse(EVERYBODY, ('project_id', 'p'), ('project_id', 'q'),
                  ('status', 'active'))
    assert found.project == 'p'
    assert Filter('project_id', 'eq', ('q',)) in found.filters


def test_a_renamed_property_is_refused_over_all_by_the_asked_name() -> None:
    assert [*refused(EVERYBODY, ('rating', '1'), shape=NEWER)] == ['rating']


def test_a_reference_the_caller_may_not_read_is_not_told_of() -> None:
    said = refused(EVERYBODY, ('status', 'active'), hidden=('rack_id',))
    assert 'rack_id' not in said['status']


def test_every_order_on_offer_is_accepted() -> None:
    for shape in (SHAPE, NEWER, CLOUD):
        for order in list_query.list_options(shape).sorts:
            for length in range(1, len(order) + 1):
                found = parse(('sort', ','.join(order[:length])),
                              shape=shape)
                assert found.sort[-1].column == 'id'
