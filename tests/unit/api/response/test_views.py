# SPDX-License-Identifier: Apache-2.0
"""The document of a record at a version, for the roles of a caller."""

import pytest

from api.response import views
from api.response.views import View
from service.domain.catalogue.microversion import FIRST_VERSION, Version
from service.domain.catalogue.types import Property, ResourceType
from service.domain.records.paging import Page

MOUNT = 'https://example.org/v1'
BOOK = ResourceType('book', 'paper_books', properties={
    'title': Property('title', 'string', required=True),
    'pages': Property('pages', 'integer', since=Version(1, 2),
                      renamed_from='length'),
    'price': Property('price', 'number', read_roles=('shop', 'admin')),
    'lent_at': Property('lent_at', 'string', format='date-time'),
})
SHELF = ResourceType('shelf', 'shelves', scope='cloud')
RECORD = {
    'id': '1', 'project_id': 'demo', 'generation': 3,
    'created_at': '2026-01-01T00:00:00.000000Z',
    'updated_at': '2026-01-02T00:00:00.250000Z', 'tags': ['a'],
    'metadata': {'k': 'v'}, 'title': 'Dune', 'pages': 412, 'price': 9.5,
    'lent_at': '2026-02-03T04:05:06.000000Z'}


def view(version=FIRST_VERSION, roles=(), fields=None):
    return View(BOOK.at(version), frozenset(roles), fields)


def test_a_document_has_all_members_in_a_fixed_order():
    assert list(view(roles=['shop']).document(RECORD, MOUNT).items()) == [
        ('id', '1'), ('project_id', 'demo'), ('title', 'Dune'),
        ('length', 412), ('price', 9.5),
        ('lent_at', '2026-02-03T04:05:06Z'), ('generation', 3),
        ('created_at', '2026-01-01T00:00:00Z'),
        ('updated_at', '2026-01-02T00:00:00.250000Z'), ('tags', ['a']),
        ('metadata', {'k': 'v'}),
        ('links', [{'rel': 'self', 'href': f'{MOUNT}/paper-books/1'}])]


def test_a_time_without_a_value_is_null():
    document = view().document({**RECORD, 'lent_at': None}, MOUNT)
    assert document['lent_at'] is None


@pytest.mark.parametrize(('version', 'name'), [
    (FIRST_VERSION, 'length'), (Version(1, 2), 'pages')])
def test_a_member_has_its_name_at_the_version(version, name):
    members = view(version).document(RECORD, MOUNT)
    assert {'length', 'pages'} & members.keys() == {name}


@pytest.mark.parametrize(('roles', 'shown'), [
    ((), False), (['member'], False), (['shop'], True),
    (['x', 'admin'], True)])
def test_a_property_is_shown_only_to_its_read_roles(roles, shown):
    callers_view = view(roles=roles)
    assert ('price' in callers_view.document(RECORD, MOUNT)) is shown
    assert callers_view.hidden == (() if shown else ('price',))


def test_a_document_has_only_the_requested_fields():
    assert view(fields=['title', 'links']).document(RECORD, MOUNT) == {
        'title': 'Dune',
        'links': [{'rel': 'self', 'href': f'{MOUNT}/paper-books/1'}]}
    assert view(fields=['id']).document(RECORD, MOUNT) == {'id': '1'}


def test_a_record_of_a_cloud_type_has_no_project_id():
    record = {name: RECORD[name] for name in (
        'id', 'generation', 'created_at', 'updated_at', 'tags', 'metadata')}
    view = View(SHELF.at(FIRST_VERSION), frozenset())
    assert 'project_id' not in view.document(record, MOUNT)


def test_etags_differ_between_views_and_between_states():
    tags = [view().etag(RECORD), view(Version(1, 2)).etag(RECORD),
            view(roles=['shop']).etag(RECORD),
            view(fields=['id']).etag(RECORD),
            view(fields=['id', 'links']).etag(RECORD),
            view().etag({**RECORD, 'generation': 4}),
            view().etag({**RECORD, 'created_at': RECORD['updated_at']})]
    assert len(set(tags)) == len(tags)
    assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)


def test_etags_of_one_state_have_the_same_first_part():
    """If-Match compares only the first part, which stands for the state."""
    tags = {view().etag(RECORD), view(Version(1, 2)).etag(RECORD)}
    assert len({tag.rpartition('-')[0] for tag in tags}) == 1


def test_equal_views_have_equal_etags():
    assert view().etag(RECORD) == view().etag(RECORD)


# Pages

def links(more=False, previous=None, parameters=()):
    document = views.page(view(), Page([RECORD], more, previous, None),
                          MOUNT, list(parameters))
    return {link['rel']: link['href'].removeprefix(MOUNT)
            for link in document['links']}


def test_a_single_page_has_no_links_to_other_pages():
    assert links() == {'self': '/paper-books', 'first': '/paper-books'}


def test_links_keep_all_parameters_except_the_marker():
    parameters = [('limit', '1'), ('title', 'in:a,b'), ('marker', '0')]
    assert links(more=True, previous='9', parameters=parameters) == {
        'self': '/paper-books?limit=1&title=in:a,b&marker=0',
        'first': '/paper-books?limit=1&title=in:a,b',
        'prev': '/paper-books?limit=1&title=in:a,b&marker=9',
        'next': '/paper-books?limit=1&title=in:a,b&marker=1'}


def test_the_link_to_the_first_page_has_no_marker():
    assert links(previous='')['prev'] == '/paper-books'


def test_older_clients_find_the_next_page_in_a_member_of_its_own():
    document = views.page(view(), Page([RECORD], True, None, 7), MOUNT, [])
    assert document['paper_books_links'] == [
        {'rel': 'next', 'href': f'{MOUNT}/paper-books?marker=1'}]
    assert document['count'] == 7


def test_a_list_without_count_and_next_page_has_no_such_members():
    document = views.page(view(), Page([], False, None, None), MOUNT, [])
    assert document == {'paper_books': [], 'links': document['links']}
