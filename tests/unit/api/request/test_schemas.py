# SPDX-License-Identifier: Apache-2.0
"""Validation of bodies against a type, and the resulting column values."""

import time

import pytest

from api.request import schemas
from api.request.schemas import Schema
from service.domain.catalogue.microversion import FIRST_VERSION, Version
from service.domain.errors import Invalid
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
SCHEMA = Schema(SHAPE)


def refused(**members):
    """Return the pointer and detail of each violation."""
    with pytest.raises(Invalid) as caught:
        SCHEMA.new_columns({'title': 'Dune', **members}, '/book')
    return [(violation.pointer, violation.detail)
            for violation in caught.value.violations]


def created(**members):
    return SCHEMA.new_columns({'title': 'Dune', **members}, '/book')


def test_an_omitted_property_gets_its_default_or_null():
    assert created() == {
        'title': 'Dune', 'isbn': None, 'pages': None, 'price': None,
        'kind': 'novel', 'cover': None, 'lent': False, 'lent_at': None,
        'due_at': None, 'url': None, 'shelf_id': None, 'stock': None,
        'parts': None, 'size': None, 'slow': None, 'tags': [],
        'metadata': {}}


@pytest.mark.parametrize(('name', 'value', 'stored_value'), [
    ('pages', 7.0, 7), ('price', 7, 7.0), ('price', 1.5, 1.5),
    ('lent_at', '2026-01-01T01:00+01:00', '2026-01-01T00:00:00.000000Z'),
    ('isbn', '9780441013593', '9780441013593'), ('lent', True, True),
    ('cover', None, None), ('url', 'https://example.org/a',
                            'https://example.org/a'),
    ('parts', [{'n': 1}], [{'n': 1}]), ('tags', ['a', 'A'], ['a', 'A']),
    ('metadata', {'k': 'v'}, {'k': 'v'})])
def test_a_value_is_stored_in_its_normal_form(name, value, stored_value):
    column = created(**{name: value})[name]
    assert (column, type(column)) == (stored_value, type(stored_value))


@pytest.mark.parametrize(('name', 'value', 'place', 'detail'), [
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
def test_an_invalid_value_is_reported_with_its_place(name, value, place,
                                                     detail):
    violations = refused(**{name: value})
    assert {pointer for pointer, _ in violations} == {f'/book/{place}'}
    assert any(detail in text for _, text in violations)


def test_all_mistakes_are_reported_at_once():
    violations = refused(title='', pages=0, lent_at='today', colour=1,
                         kind='x')
    assert sorted(place for place, _ in violations) == [
        '/book/colour', '/book/kind', '/book/lent_at', '/book/pages',
        '/book/title']


def test_a_mistake_is_reported_once():
    assert [place for place, _ in refused(lent_at='today')] == [
        '/book/lent_at']


def test_the_number_of_reported_mistakes_is_limited():
    assert len(refused(**{f'n{n}': 1 for n in range(200)})) == (
        schemas.MAX_VIOLATIONS)


def test_the_error_of_a_long_value_is_short():
    for _, detail in refused(isbn='x' * 100_000):
        assert len(detail) < 250


def test_a_missing_required_property_is_reported_with_its_place():
    with pytest.raises(Invalid) as caught:
        SCHEMA.new_columns({}, '/book')
    assert [(violation.pointer, violation.detail)
            for violation in caught.value.violations] == [
        ('/book/title', 'title is required')]


def test_a_period_must_end_after_it_starts():
    for end in ('2026-01-01T00:00:00Z', '2025-12-31T23:59:59Z'):
        assert refused(lent_at='2026-01-01T00:00:00Z', due_at=end) == [
            ('/book/due_at', 'due_at must be later than lent_at')]
    assert created(due_at='2026-01-01T00:00:00Z')['lent_at'] is None


def test_a_later_version_has_more_properties_and_choices():
    later = Schema(DECLARED.at(Version(1, 2)))
    columns = later.new_columns(
        {'title': 'a', 'kind': 'comic', 'size': 'A5'}, '/book')
    assert (columns['kind'], columns['size']) == ('comic', 'A5')
    with pytest.raises(Invalid):
        later.new_columns({'title': 'a', 'format': 'A5'}, '/book')


def test_an_older_name_of_a_property_writes_the_same_column():
    assert created(format='A5')['size'] == 'A5'


def test_a_pattern_with_nested_repetition_matches_in_linear_time():
    slow = 'a' * 200 + '!'
    start = time.perf_counter()
    refused(slow=slow)
    assert time.perf_counter() - start < 0.1


def test_fifty_thousand_tags_are_rejected_within_two_seconds():
    start = time.perf_counter()
    refused(tags=[str(n) for n in range(50_000)])
    assert time.perf_counter() - start < 2


def test_the_schema_of_a_shape_has_the_writable_properties():
    schema = schemas.of_shape(SHAPE)
    assert schema['required'] == ['title']
    assert schema['additionalProperties'] is False
    assert schema['properties']['kind']['enum'] == ['novel']
    assert schema['properties']['cover'] == {
        'type': ['string', 'null'], 'maxLength': 255,
        'enum': ['hard', 'soft', None]}
