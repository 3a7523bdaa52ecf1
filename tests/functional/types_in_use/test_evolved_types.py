# SPDX-License-Identifier: Apache-2.0
"""New properties of a type with existing and deleted records."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.functional.harness.daemon import Daemon, config_dir
from tests.functional.harness.in_process import Application

BEFORE = '''
name: book
plural: books
properties:
  title: {type: string}
required: [title]
indexes: [[title]]
'''
AFTER = '''
name: book
plural: books
properties:
  title: {type: string}
  pages: {type: integer, default: 100}
  shelf: {type: string, since: "1.1"}
  kind: {type: string, since: "1.1", default: new, backfill: old}
required: [title]
indexes: [[title], [pages, title], [shelf, title], [kind, title]]
'''
LATEST = {'OpenStack-API-Version': 'pileus latest'}


@pytest.fixture
def books(tmp_path: Path) -> tuple[Application, list[str]]:
    """A service with the new type, and the ids of three books of the old type.

    The second book is deleted.
    """
    directory = config_dir(tmp_path, {'book': BEFORE})
    served = Application(directory)
    ids = [served.request('POST', '/v1/books', {'book': {
        'title': title}}).json['book']['id'] for title in 'abc']
    assert served.request('DELETE', f'/v1/books/{ids[1]}').status == 204
    (directory / 'resources.d' / 'book.yaml').write_text(AFTER)
    return Application(directory), ids


@pytest.mark.parametrize('name', ['pages', 'shelf', 'kind'])
@pytest.mark.parametrize(('direction', 'after'), [('asc', ['c']),
                                                  ('desc', ['a'])])
def test_a_page_can_start_after_a_record_deleted_before_the_change(
        books, name, direction, after):
    """D21: the deleted record sorts like other records of the old type."""
    served, ids = books
    reply = served.request(
        'GET', f'/v1/books?sort={name}:{direction}&marker={ids[1]}', None,
        LATEST)
    assert reply.status == 200
    assert [book['title'] for book in reply.json['books']] == after


def test_no_write_fails_during_a_reload(tmp_path: Path):
    """S03: old and new workers write at the same time."""
    directory = config_dir(tmp_path, {'book': BEFORE},
                           {'api': {'workers': 2}})
    with Daemon(directory) as daemon, ThreadPoolExecutor(3) as pool:
        reloaded = threading.Event()

        def write(number: int) -> list[int]:
            statuses = []
            while not (reloaded.is_set() and statuses):
                statuses.append(daemon.request('POST', '/v1/books', {
                    'book': {'title': f'b{number}'}}).status)
            return statuses
        writers = [pool.submit(write, number) for number in range(3)]
        (directory / 'resources.d' / 'book.yaml').write_text(AFTER)
        daemon.reload()
        reloaded.set()
        statuses = [status for future in writers for status in future.result()]
        reply = daemon.request('GET', '/v1/books?with_count=true&limit=1',
                               None, LATEST)
    assert set(statuses) == {201}
    assert reply.json['count'] == len(statuses)
    assert reply.json['books'][0]['pages'] == 100
