# SPDX-License-Identifier: Apache-2.0
"""Revisions obey the access rules and the present type of a record (D26)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from service.domain.records import revisions as record_revisions
from service.domain.typefiles import type_files
from service.storage.lists import bounded_fetch
from tests.functional.harness.daemon import Reply, config_dir
from tests.functional.harness.in_process import Application

PATH = '/v1/books/7bd6bd13-2c4b-4d6a-9b27-0123456789ab'
LATEST = {'OpenStack-API-Version': 'pileus latest'}
MEMBER = {**LATEST, 'X-Roles': 'member'}
OWNER = {**LATEST, 'X-Roles': 'member,owner'}


def book(properties: str, rest: str = '') -> dict[str, str]:
    return {'book': f'name: book\nplural: books\n{rest}\nproperties:\n'
                    + properties}


def revisions(served: Application, headers: Any = MEMBER
              ) -> list[dict[str, Any]]:
    """Return the revisions of PATH, oldest first."""
    reply = served.request('GET', f'{PATH}/revisions', None, headers)
    assert reply.status == 200, reply.body
    return reply.json['revisions'][::-1]


def revert(served: Application, number: int, headers: Any = MEMBER) -> Reply:
    return served.request('POST', f'{PATH}/action', {
        'revert': {'revision': number}}, headers)


# Access rules

GUARDED = book('''
  title: {type: string}
  price: {type: integer, default: 1, read_roles: [owner]}
  shelf: {type: string, write_roles: [owner]}
''')


@pytest.fixture
def guarded(tmp_path: Path) -> Application:
    """A book with two revisions; only owners access price and shelf."""
    served = Application(config_dir(tmp_path, GUARDED))
    for title, price, shelf in (('a', 5, 'x'), ('b', 6, 'y')):
        assert served.request('PUT', PATH, {'book': {
            'title': title, 'price': price, 'shelf': shelf}}, OWNER
            ).status in (200, 201)
    return served


def test_a_property_that_is_hidden_is_hidden_in_revisions(guarded):
    """A05: in the list and in a single revision."""
    assert [revision['book']['price']
            for revision in revisions(guarded, OWNER)] == [5, 6]
    first = revisions(guarded)[0]
    assert 'price' not in first['book']
    single = f'{PATH}?revision={first["number"]}'
    assert 'price' not in guarded.request('GET', single, None,
                                          MEMBER).json['book']
    refused = guarded.request('GET', f'{single}&fields=price', None, MEMBER)
    assert refused.status == 400


def test_each_view_of_a_revision_has_its_own_etag(guarded):
    """C03: views differ by version, roles and fields."""
    number = revisions(guarded)[0]['number']
    tags = {guarded.request('GET', f'{PATH}?revision={number}{fields}', None,
                            headers).headers['ETag']
            for headers in (MEMBER, OWNER) for fields in ('', '&fields=id')}
    assert len(tags) == 3


def test_a_revert_keeps_properties_that_the_caller_cannot_read(guarded):
    assert guarded.request('PATCH', PATH, {'book': {'shelf': 'x'}},
                           OWNER).status == 200
    first = revisions(guarded)[0]['number']
    assert revert(guarded, first).status == 200
    record = guarded.request('GET', PATH, None, OWNER).json['book']
    assert (record['title'], record['price']) == ('a', 6)


def test_a_revert_of_a_property_that_the_caller_cannot_write_is_refused(
        guarded):
    """J07: a PUT of the same document is refused as well."""
    first = revisions(guarded)[0]['number']
    sent = {'title': 'a', 'shelf': 'x'}
    refused = guarded.request('PUT', PATH, {'book': sent}, MEMBER)
    reply = revert(guarded, first)
    assert reply.status == refused.status in (400, 403)
    assert 'shelf' in reply.json['error']['message']
    assert guarded.request('GET', PATH, None, MEMBER
                           ).json['book']['title'] == 'b'
    assert revert(guarded, first, OWNER).json['book']['price'] == 5


def test_each_project_sees_only_its_own_revisions_of_an_id(guarded):
    """A04: an id is deleted in one project and created again in another."""
    assert guarded.request('DELETE', PATH, None, OWNER).status == 204
    other = {**MEMBER, 'X-Project-Id': 'other'}
    assert guarded.request('PUT', PATH, {'book': {'title': 'c'}},
                           other).status == 201
    mine, = revisions(guarded, other)
    assert mine['book']['title'] == 'c'
    theirs = revisions(guarded)
    assert [revision['action'] for revision in theirs] == [
        'create', 'update', 'delete']
    assert {revision['project_id'] for revision in theirs} == {'demo'}
    for headers, number in ((other, theirs[0]['number']),
                            (MEMBER, mine['number'])):
        reply = guarded.request('GET', f'{PATH}?revision={number}', None,
                                headers)
        assert reply.status == 404
        page = guarded.request('GET', f'{PATH}/revisions?marker={number}',
                               None, headers)
        assert page.status == 400
    assert revert(guarded, theirs[0]['number'], other).status == 400
    assert revert(guarded, theirs[0]['number']).status == 404


# Changes of the type

def test_a_revision_shows_the_backfill_of_later_properties(tmp_path):
    directory = config_dir(tmp_path, book('  title: {type: string}\n'))
    served = Application(directory)
    served.request('PUT', PATH, {'book': {'title': 'a'}})
    (directory / 'resources.d' / 'book.yaml').write_text(book('''
  title: {type: string}
  pages: {type: integer, since: "1.1"}
  kind: {type: string, since: "1.1", default: new, backfill: old}
''')['book'])
    served = Application(directory)
    first, = revisions(served)
    assert (first['book']['pages'], first['book']['kind']) == (None, 'old')
    assert served.request('PATCH', PATH, {'book': {'kind': 'x', 'pages': 3}},
                          LATEST).status == 200
    reverted = revert(served, first['number']).json['book']
    assert (reverted['pages'], reverted['kind']) == (None, 'old')


DOCUMENT = {'id': 'x', 'title': 'a', 'gone': 1}


@pytest.mark.parametrize(('properties', 'expected'), [
    ('title: {type: string}', {'title': 'a'}),
    ('title: {type: integer}', {'title': None}),
    ('title: {type: integer, default: 7}', {'title': 7}),
    ('gone: {type: number}', {'gone': 1}),
    ('gone: {type: boolean}', {'gone': None}),
    ('name: {type: string, since: "1.1", renamed_from: title}',
     {'name': 'a'}),
    ('name: {type: string}', {'name': None}),
    ('name: {type: string, default: x}', {'name': 'x'}),
    ('name: {type: string, default: x, backfill: y}', {'name': 'y'})])
def test_each_present_column_has_a_value_in_an_old_document(properties,
                                                            expected):
    types = type_files.parse({'book.yaml': book(f'  {properties}\n')['book']})
    document = record_revisions.with_current_columns(types.types['book'],
                                                     DOCUMENT)
    assert {name: document[name] for name in expected} == expected


def test_an_old_null_that_is_no_longer_valid_becomes_the_default():
    types = type_files.parse({'book.yaml': book(
        '  title: {type: string, default: none}\n')['book']})
    assert record_revisions.with_current_columns(types.types['book'],
                                                 {'title': None}) == {
        'title': 'none'}


# Size of a page

def test_a_page_of_large_revisions_has_fewer_revisions(tmp_path):
    """R10: a thousand revisions of a megabyte each would be a gigabyte."""
    served = Application(config_dir(tmp_path, book(
        '  title: {type: string}\n  text: {type: object}\n')))
    for number in range(12):
        assert served.request('PUT', PATH, {'book': {
            'title': str(number), 'text': {'x': 'y' * 900_000}}}
            ).status in (200, 201)
    titles, path = [], f'{PATH}/revisions'
    while path:
        reply = served.request('GET', path)
        assert len(reply.body) < bounded_fetch.MAX_PAGE_BYTES + 2 ** 21
        titles += [revision['book']['title']
                   for revision in reply.json['revisions']]
        path = ''.join(link['href'].partition(':8088')[2]
                       for link in reply.json.get('revisions_links', []))
    assert titles == [str(number) for number in range(11, -1, -1)]
