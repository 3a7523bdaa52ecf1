# SPDX-License-Identifier: Apache-2.0
"""What a body may say of a type, and what becomes of it."""

import time

import pytest

from api.request import schemas
from api.request.schemas import Schema
from service.domain.catalogue.microversion import FIRST_VERSION, Version
from service.domain.errors import FieldForbidden, Invalid
from tests.unit import stored

BOOK = '''
name: book
plural: books
properties:
  title: {type: string, minLength: 1, maxLength: 20}
  isbn: {type: string, pattern: "^[0-9]{13}$"}
  pages: {type: integer, minimum: 1}
  price: {type: number, exclusiveMinimum: 0}
  kind: {type: string, enum: [novel, {const: comic, since: "1.2"}],
         default: novel}
  cover: {type: string, enum: [hard, soft]}
  lent: {type: boolean, default: false}
  lent_at: {type: string, format: date-time}
  due_at: {type: string, format: date-time}
  url: {type: string, format: uri}
  shelf_id: {references: book}
  stock: {type: integer, write_roles: [shop]}
  parts:
    type: array
    maxItems: 2
    items: {type: object, properties: {n: {type: integer}}, required: [n],
            additionalProperties: false}
  size: {type: string, since: "1.2", renamed_from: format}
  slow: {type: string, pattern: "^(a+)+$"}
required: [title]
exclusive: {period: [lent_at, due_at]}
'''
CATALOGUE = stored.catalogue(book=BOOK)
DECLARED = CATALOGUE.types['book']
SHAPE = DECLARED.at(FIRST_VERSION)
READ = Schema(SHAPE)


def refused(**members):
    """(place, what) of each violation."""
    with pytest.raises(Invalid) as caught:
        READ.created({'title': 'Dune', **members}, '/book')
    return [(one.pointer, one.detail) for one in caught.value.violations]


def made(**members):
    return READ.created({'title': 'Dune', **members}, '/book')


def test_what_is_left_out_has_its_default_or_null():
    assert made() == {
        'title': 'Dune', 'isbn': None, 'pages': None, 'price': None,
        'kind': 'novel', 'cover': None, 'lent': False, 'lent_at': None,
        'due_at': None, 'url': None, 'shelf_id': None, 'stock': None,
        'parts': None, 'size': None, 'slow': None, 'tags': [],
        'metadata': {}}


@pytest.mark.parametrize(('name', 'given', 'kept'), [
    ('pages', 7.0, 7), ('price', 7, 7.0), ('price', 1.5, 1.5),
    ('lent_at', '2026-01-01T01:00+01:00', '2026-01-01T00:00:00.000000Z'),
    ('isbn', '9780441013593', '9780441013593'), ('lent', True, True),
    ('cover', None, None), ('url', 'https://example.org/a',
                            'https://example.org/a'),
    ('parts', [{'n': 1}], [{'n': 1}]), ('tags', ['a', 'A'], ['a', 'A']),
    ('metadata', {'k': 'v'}, {'k': 'v'})])
def test_a_value_is_kept_in_its_one_form(name, given, kept):
    found = made(**{name: given})[name]
    assert (found, type(found)) == (kept, type(kept))


@pytest.mark.parametrize(('name', 'given', 'place', 'detail'), [
    ('title', '', 'title', 'title: "" is shorter than 1 character'),
    ('title', 'x' * 21, 'title', 'is longer than 20 characters'),
    ('title', None, 'title', 'null is not of type'),
    ('isbn', '978', 'isbn', '"978" does not match "^[0-9]{13}$"'),
    ('isbn', '9780441013593\n', 'isbn', 'does not match'),
    ('pages', 0, 'pages', 'pages: 0 is less than the minimum of 1'),
    ('pages', '7', 'pages', '"7" is not of type'),
    ('pages', 1.5, 'pages', '1.5 is not of type'),
    ('pages', True, 'pages', 'true is not of type'),
    ('pages', 1e300, 'pages', 'is too large to be exact'),
    ('price', 0, 'price', '0 is less than or equal to the minimum of 0'),
    ('kind', 'comic', 'kind', '"comic" is not one of'),
    ('kind', None, 'kind', 'null is not'),
    ('cover', 'none', 'cover', '"none" is not one of'),
    ('lent', 1, 'lent', '1 is not of type'),
    ('lent_at', 'today', 'lent_at', 'is not an ISO 8601 time'),
    ('lent_at', 7, 'lent_at', '7 is not of type'),
    ('url', 'no url', 'url', '"no url" is not a "uri"'),
    ('shelf_id', '7', 'shelf_id', '"7" is not a "uuid"'),
    ('parts', [{'n': 1}] * 3, 'parts', 'has more than 2 items'),
    ('parts', [{'n': 1}, {'n': 'x'}], 'parts/1/n', '"x" is not of type'),
    ('parts', [{}], 'parts/0/n', 'n is required'),
    ('parts', [{'n': 1, 'a/b': 2}], 'parts/0/a~1b', 'is not a property here'),
    ('colour', 'red', 'colour', '"colour" is not a property here'),
    ('size', 'A5', 'size', '"size" is not a property here'),
    ('tags', ['a,b'], 'tags/0', 'does not match'),
    ('tags', ['a/b'], 'tags/0', 'does not match'),
    ('tags', ['a', 'a'], 'tags', 'has non-unique elements'),
    ('tags', [''], 'tags/0', 'is shorter than 1 character'),
    ('tags', ['x' * 61], 'tags/0', 'is longer than 60 characters'),
    ('tags', [str(n) for n in range(51)], 'tags', 'more than 50 items'),
    ('metadata', {'k': 1}, 'metadata/k', '1 is not of type'),
    ('metadata', {'k': 'x' * 256}, 'metadata/k', 'longer than 255')])
def test_what_does_not_fit_is_told_with_its_place(name, given, place,
                                                  detail):
    told = refused(**{name: given})
    assert {pointer for pointer, _ in told} == {f'/book/{place}'}
    assert any(detail in one for _, one in told)


def test_all_mistakes_are_told_at_once():
    told = refused(title='', pages=0, lent_at='today', colour=1, kind='x')
    assert sorted(place for place, _ in told) == [
        '/book/colour', '/book/kind', '/book/lent_at', '/book/pages',
        '/book/title']


def test_a_mistake_is_told_once():
    assert [place for place, _ in refused(lent_at='today')] == [
        '/book/lent_at']


def test_no_more_mistakes_are_told_than_a_reader_can_use():
    assert len(refused(**{f'n{n}': 1 for n in range(200)})) == (
        schemas.MAX_VIOLATIONS)


def test_a_mistake_does_not_repeat_a_book():
    for _, told in refused(isbn='x' * 100_000):
        assert len(told) < 250


def test_what_is_required_is_told_with_its_place():
    with pytest.raises(Invalid) as caught:
        READ.created({}, '/book')
    assert [(one.pointer, one.detail)
            for one in caught.value.violations] == [
        ('/book/title', 'title is required')]


def test_a_period_ends_after_it_starts():
    for end in ('2026-01-01T00:00:00Z', '2025-12-31T23:59:59Z'):
        assert refused(lent_at='2026-01-01T00:00:00Z', due_at=end) == [
            ('/book/due_at', 'due_at must be later than lent_at')]
    assert made(due_at='2026-01-01T00:00:00Z')['lent_at'] is None


def test_a_later_version_knows_more():
    later = Schema(DECLARED.at(Version(1, 2)))
    columns = later.created({'title': 'a', 'kind': 'comic', 'size': 'A5'},
                            '/book')
    assert (columns['kind'], columns['size']) == ('comic', 'A5')
    with pytest.raises(Invalid):
        later.created({'title': 'a', 'format': 'A5'}, '/book')


def test_an_older_name_is_of_the_same_column():
    assert made(format='A5')['size'] == 'A5'


def test_a_pattern_takes_no_longer_than_its_text():
    slow = 'a' * 200 + '!'
    begun = time.perf_counter()
    refused(slow=slow)
    assert time.perf_counter() - begun < 0.1


def test_many_equal_items_are_found_in_no_time():
    begun = time.perf_counter()
    refused(tags=[str(n) for n in range(50_000)])
    assert time.perf_counter() - begun < 2


# What a caller may not write

FULL = {'id': '1', 'stock': 3, 'title': 'Dune'}


def test_what_is_read_only_is_left_out_where_it_is_as_it_was():
    assert schemas.writable({**FULL, 'title': 'a'}, FULL, {'id', 'stock'},
                           '/book') == ({'title': 'a'}, [])


@pytest.mark.parametrize('given', [4, None, '3', 3.5])
def test_what_is_read_only_is_refused_where_it_is_not(given):
    members, bad = schemas.writable({'id': given}, FULL, {'id', 'stock'},
                                   '/book')
    assert members == {}
    assert [(one.pointer, one.detail) for one in bad] == [
        ('/book/id', 'id cannot be written')]


@pytest.mark.parametrize('given', [4, None, '3', 3.5])
def test_what_other_roles_may_write_is_forbidden(given):
    with pytest.raises(FieldForbidden) as caught:
        schemas.writable({'id': given, 'stock': given}, FULL,
                        {'id', 'stock'}, '/book')
    assert [(one.pointer, one.detail) for one in caught.value.violations] \
        == [('/book/stock', 'stock cannot be written by your roles')]


def test_a_role_unlocks_what_it_may_write():
    assert 'stock' in schemas.read_only(SHAPE, frozenset({'member'}))
    assert 'stock' not in schemas.read_only(
        SHAPE, frozenset({'member', 'shop'}))
    assert {'id', 'generation', 'links'} <= schemas.read_only(
        SHAPE, frozenset({'shop'}))


def test_the_schema_of_a_shape_says_what_may_be_written():
    schema = schemas.of_shape(SHAPE)
    assert schema['required'] == ['title']
    assert schema['additionalProperties'] is False
    assert schema['properties']['kind']['enum'] == ['novel']
    assert schema['properties']['cover'] == {
        'type': ['string', 'null'], 'maxLength': 255,
        'enum': ['hard', 'soft', None]}
