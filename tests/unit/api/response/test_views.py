# SPDX-License-Identifier: Apache-2.0
"""A record as a client reads it: at its version, by its roles."""

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


def test_a_document_has_all_members_in_one_order():
    assert list(view(roles=['shop']).document(RECORD, MOUNT).items()) == [
        ('id', '1'), ('project_id', 'demo'), ('title', 'Dune'),
        ('length', 412), ('price', 9.5),
        ('lent_at', '2026-02-03T04:05:06Z'), ('generation', 3),
        ('created_at', '2026-01-01T00:00:00Z'),
        ('updated_at', '2026-01-02T00:00:00.250000Z'), ('tags', ['a']),
        ('metadata', {'k': 'v'}),
        ('links', [{'rel': 'self', 'href': f'{MOUNT}/paper-books/1'}])]


def test_a_time_that_was_never_set_is_null():
    document = view().document({**RECORD, 'lent_at': None}, MOUNT)
    assert document['lent_at'] is None


@pytest.mark.parametrize(('version', 'name'), [
    (FIRST_VERSION, 'length'), (Version(1, 2), 'pages')])
def test_a_member_has_the_name_of_the_version(version, name):
    members = view(version).document(RECORD, MOUNT)
    assert {'length', 'pages'} & members.keys() == {name}


@pytest.mark.parametrize(('roles', 'shown'), [
    ((), False), (['member'], False), (['shop'], True),
    (['x', 'admin'], True)])
def test_a_member_that_a_role_may_not_read_is_not_there(roles, shown):
    made = view(roles=roles)
    assert ('price' in made.document(RECORD, MOUNT)) is shown
    assert made.hidden == (() if shown else ('price',))


def test_only_the_fields_asked_for():
    assert view(fields=['title', 'links']).document(RECORD, MOUNT) == {
        'title': 'Dune',
        'links': [{'rel': 'self', 'href': f'{MOUNT}/paper-books/1'}]}
    assert view(fields=['id']).document(RECORD, MOUNT) == {'id': '1'}


def test_a_record_of_the_cloud_shows_no_project():
    record = {name: RECORD[name] for name in (
        'id', 'generation', 'created_at', 'updated_at', 'tags', 'metadata')}
    view = View(SHELF.at(FIRST_VERSION), frozenset())
    assert 'project_id' not in view.document(record, MOUNT)


def test_every_view_and_every_state_has_an_etag_of_its_own():
    tags = [view().etag(RECORD), view(Version(1, 2)).etag(RECORD),
            view(roles=['shop']).etag(RECORD),
            view(fields=['id']).etag(RECORD),
            view(fields=['id', 'links']).etag(RECORD),
            view().etag({**RECORD, 'generation': 4}),
            view().etag({**RECORD, 'created_at': RECORD['updated_at']})]
    assert len(set(tags)) == len(tags)
    assert all(tag.startswith('"') and tag.endswith('"') for tag in tags)


def test_views_of_one_state_begin_alike():
    """What If-Match compares is the state, whatever was seen of it."""
    tags = {view().etag(RECORD), view(Version(1, 2)).etag(RECORD)}
    assert len({tag.rpartition('-')[0] for tag in tags}) == 1


def test_the_same_view_made_again_has_the_same_etag():
    assert view().etag(RECORD) == view().etag(RECORD)


# Pages

def links(more=False, previous=None, parameters=()):
    document = views.page(view(), Page([RECORD], more, previous, None),
                          MOUNT, list(parameters))
    return {one['rel']: one['href'].removeprefix(MOUNT)
            for one in document['links']}


def test_the_only_page_links_to_itself():
    assert links() == {'self': '/paper-books', 'first': '/paper-books'}


def test_links_keep_what_was_asked_for_but_the_marker():
    asked = [('limit', '1'), ('title', 'in:a,b'), ('marker', '0')]
    assert links(more=True, previous='9', parameters=asked) == {
        'self': '/paper-books?limit=1&title=in:a,b&marker=0',
        'first': '/paper-books?limit=1&title=in:a,b',
        'prev': '/paper-books?limit=1&title=in:a,b&marker=9',
        'next': '/paper-books?limit=1&title=in:a,b&marker=1'}


def test_the_page_before_may_be_the_first():
    assert links(previous='')['prev'] == '/paper-books'


def test_older_clients_find_the_next_page_beside_the_list():
    document = views.page(view(), Page([RECORD], True, None, 7), MOUNT, [])
    assert document['paper_books_links'] == [
        {'rel': 'next', 'href': f'{MOUNT}/paper-books?marker=1'}]
    assert document['count'] == 7


def test_a_list_says_no_count_and_no_next_where_there_is_none():
    document = views.page(view(), Page([], False, None, None), MOUNT, [])
    assert document == {'paper_books': [], 'links': document['links']}
