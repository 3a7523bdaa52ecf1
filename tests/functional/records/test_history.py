# SPDX-License-Identifier: Apache-2.0
"""A revision is looked at as its record would be: by whom, and by what the
type has become since (D26)."""

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
    """The oldest first."""
    reply = served.request('GET', f'{PATH}/revisions', None, headers)
    assert reply.status == 200, reply.body
    return reply.json['revisions'][::-1]


def revert(served: Application, number: int, headers: Any = MEMBER) -> Reply:
    return served.request('POST', f'{PATH}/action', {
        'revert': {'revision': number}}, headers)


# Who looks

GUARDED = book('''
  title: {type: string}
  price: {type: integer, default: 1, read_roles: [owner]}
  shelf: {type: string, write_roles: [owner]}
''')


@pytest.fixture
def guarded(tmp_path: Path) -> Application:
    """A book of two revisions, whose price and shelf are the owner's."""
    served = Application(config_dir(tmp_path, GUARDED))
    for title, price, shelf in (('a', 5, 'x'), ('b', 6, 'y')):
        assert served.request('PUT', PATH, {'book': {
            'title': title, 'price': price, 'shelf': shelf}}, OWNER
            ).status in (200, 201)
    return served


def test_who_may_not_read_a_property_may_not_read_what_it_was(guarded):
    """A05: in the list and in each revision alone."""
    assert [one['book']['price'] for one in revisions(guarded, OWNER)] == [
        5, 6]
    first = revisions(guarded)[0]
    assert 'price' not in first['book']
    alone = f'{PATH}?revision={first["number"]}'
    assert 'price' not in guarded.request('GET', alone, None,
                                          MEMBER).json['book']
    refused = guarded.request('GET', f'{alone}&fields=price', None, MEMBER)
    assert refused.status == 400


def test_each_view_of_a_revision_has_a_tag_of_its_own(guarded):
    """C03: by version, roles and fields."""
    number = revisions(guarded)[0]['number']
    tags = {guarded.request('GET', f'{PATH}?revision={number}{fields}', None,
                            headers).headers['ETag']
            for headers in (MEMBER, OWNER) for fields in ('', '&fields=id')}
    assert len(tags) == 3


def test_a_revert_leaves_alone_what_the_caller_cannot_read(guarded):
    assert guarded.request('PATCH', PATH, {'book': {'shelf': 'x'}},
                           OWNER).status == 200
    first = revisions(guarded)[0]['number']
    assert revert(guarded, first).status == 200
    told = guarded.request('GET', PATH, None, OWNER).json['book']
    assert (told['title'], told['price']) == ('a', 6)


def test_a_revert_changes_nothing_where_a_property_is_not_the_callers(
        guarded):
    """J07: a PUT of that document would be refused as well."""
    first = revisions(guarded)[0]['number']
    sent = {'title': 'a', 'shelf': 'x'}
    refused = guarded.request('PUT', PATH, {'book': sent}, MEMBER)
    reply = revert(guarded, first)
    assert reply.status == refused.status in (400, 403)
    assert 'shelf' in reply.json['error']['message']
    assert guarded.request('GET', PATH, None, MEMBER
                           ).json['book']['title'] == 'b'
    assert revert(guarded, first, OWNER).json['book']['price'] == 5


def test_a_record_made_anew_elsewhere_has_a_history_of_its_own(guarded):
    """A04: nobody meets what another project did under the same id."""
    assert guarded.request('DELETE', PATH, None, OWNER).status == 204
    other = {**MEMBER, 'X-Project-Id': 'other'}
    assert guarded.request('PUT', PATH, {'book': {'title': 'c'}},
                           other).status == 201
    mine, = revisions(guarded, other)
    assert mine['book']['title'] == 'c'
    theirs = revisions(guarded)
    assert [one['action'] for one in theirs] == ['create', 'update', 'delete']
    assert {one['project_id'] for one in theirs} == {'demo'}
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


# What the type has become

def test_a_revision_has_what_records_of_its_time_were_given_since(tmp_path):
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
    told = revert(served, first['number']).json['book']
    assert (told['pages'], told['kind']) == (None, 'old')


HELD = {'id': 'x', 'title': 'a', 'gone': 1}


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
def test_each_column_of_now_has_a_value_for_a_record_of_then(properties,
                                                             expected):
    types = type_files.parse({'book.yaml': book(f'  {properties}\n')['book']})
    told = record_revisions.with_current_columns(types.types['book'], HELD)
    assert {name: told[name] for name in expected} == expected


def test_a_null_of_before_null_was_refused_is_what_came_in_its_place():
    types = type_files.parse({'book.yaml': book(
        '  title: {type: string, default: none}\n')['book']})
    assert record_revisions.with_current_columns(types.types['book'],
                                                 {'title': None}) == {
        'title': 'none'}


# How much at once

def test_a_page_of_large_revisions_is_a_short_page(tmp_path):
    """R10: a thousand of a megabyte each were a gigabyte at once."""
    served = Application(config_dir(tmp_path, book(
        '  title: {type: string}\n  text: {type: object}\n')))
    for number in range(12):
        assert served.request('PUT', PATH, {'book': {
            'title': str(number), 'text': {'x': 'y' * 900_000}}}
            ).status in (200, 201)
    met, path = [], f'{PATH}/revisions'
    while path:
        reply = served.request('GET', path)
        assert len(reply.body) < bounded_fetch.MAX_PAGE_BYTES + 2 ** 21
        met += [one['book']['title'] for one in reply.json['revisions']]
        path = ''.join(one['href'].partition(':8088')[2]
                       for one in reply.json.get('revisions_links', []))
    assert met == [str(number) for number in range(11, -1, -1)]
