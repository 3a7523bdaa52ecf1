# SPDX-License-Identifier: Apache-2.0
"""Fifty changes of the types under load (D24, D25).

Each reply comes from one catalogue, and each write is stored or refused.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from service.commands import schema
from service.config import files as config_files
from service.domain.typefiles import type_files
from tests.functional.harness import databases
from tests.functional.harness.daemon import (
    WAIT_SECONDS,
    Daemon,
    Reply,
    config_dir,
)

LATEST = {'OpenStack-API-Version': 'pileus latest'}
COMMON = {'id', 'project_id', 'generation', 'created_at', 'updated_at',
          'tags', 'metadata', 'links'}
APPLIES = 50

#: The properties in the five files of a round. The column label is renamed
#: to name, and dropped under that name.
ROUND: tuple[tuple[str, ...], ...] = (
    ('label_{0}: {{type: string, default: red}}',),
    ('label_{0}: {{type: string, default: red}}',
     'pages_{0}: {{type: integer, default: 1}}'),
    ('name_{0}: {{type: string, default: red, renamed_from: label_{0}, '
     'since: "1.1"}}',
     'pages_{0}: {{type: integer, default: 1}}'),
    ('name_{0}: {{type: string, default: red, renamed_from: label_{0}, '
     'since: "1.1"}}',
     'pages_{0}: {{type: integer, default: 2}}',
     'shelf_{0}: {{type: string}}'),
    ('name_{0}: {{dropped: true}}', 'pages_{0}: {{dropped: true}}',
     'shelf_{0}: {{dropped: true}}'),
)


def texts() -> Iterator[str]:
    """The type file of each catalogue number, in order."""
    for number in itertools.count():
        for lines in ROUND:
            yield '\n  '.join([
                'name: book\nplural: books\nproperties:',
                'code: {type: string}',
                *(line.format(number) for line in lines),
            ]) + '\nrequired: [code]\nunique: [[code]]\n'


def seen(number: int) -> tuple[set[str], dict[str, Any]]:
    """The properties in replies of catalogue ``number``, and the values of a
    new record."""
    turn, place = divmod(number - 1, len(ROUND))
    properties = ({'label': 'red'}, {'label': 'red', 'pages': 1},
                  {'name': 'red', 'pages': 1},
                  {'name': 'red', 'pages': 2, 'shelf': None}, {})[place]
    values = {f'{name}_{turn}': value for name, value in properties.items()}
    return {'code', *values}, values


#: The valid sets of properties in a reply.
SETS = [seen(number)[0] for number in range(1, APPLIES + 2)]


class Clients:
    """Clients that write and read until the end of the block.

    ``wrong`` lists invalid replies, ``written`` the codes of acknowledged
    writes, and ``met`` counts the statuses.
    """

    def __init__(self, daemon: Daemon, digests: dict[int, str]) -> None:
        self._daemon = daemon
        self._digests = digests
        self._over = threading.Event()
        self._changed = threading.Condition()
        self._codes = itertools.count()
        #: The catalogue number in force; the next one may be in force already.
        self.published = 1
        self._answered = 0
        self.written: list[str] = []
        self.wrong: list[str] = []
        self.met: Counter[int] = Counter()
        self._threads = [
            threading.Thread(target=self._run, args=(work,))
            for work in (self._write, self._write, self._read, self._types)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, count: int) -> None:
        with self._changed:
            until = self._answered + count
            assert self._changed.wait_for(
                lambda: self._answered >= until or self.wrong, WAIT_SECONDS)

    def _run(self, work: Callable[[], None]) -> None:
        while not self._over.is_set():
            try:
                work()
            except Exception as exc:
                self.wrong.append(repr(exc))
            with self._changed:
                self._answered += 1
                self._changed.notify_all()

    def _asked(self, method: str, path: str, body: object = None
               ) -> Reply | None:
        """Return the reply; None for an error, after recording a wrong one."""
        reply = self._daemon.request(method, path, body, LATEST)
        self.met[reply.status] += 1
        if reply.status == 503:
            code = reply.json['errors'][0]['code']
            if (code != 'pileus.types-changing'
                    or not reply.headers['Retry-After']):
                self.wrong.append(repr(reply))
            return None
        if reply.status >= 400:
            self.wrong.append(repr(reply))
            return None
        return reply

    def _write(self) -> None:
        """Write, and check that the reply is of the current types or newer."""
        code = f'{next(self._codes)}'
        before = self.published
        reply = self._asked('POST', '/v1/books', {'book': {'code': code}})
        if reply is None:
            return
        self.written.append(code)
        book = reply.json['book']
        values = {name: book[name] for name in book
                  if name not in COMMON and name != 'code'}
        of = [number for number in range(1, APPLIES + 2)
              if seen(number)[1] == values]
        if not of or of[-1] < before:
            self.wrong.append(f'{values} is of {of}, written at {before}')

    def _read(self) -> None:
        reply = self._asked('GET', '/v1/books?limit=20')
        if reply is None:
            return
        sets = [set(book) - COMMON for book in reply.json['books']]
        if any(names != sets[0] or names not in SETS for names in sets):
            self.wrong.append(f'of two catalogues: {sets}')

    def _types(self) -> None:
        reply = self._asked('GET', '/v1/types')
        if reply is None:
            return
        number, digest = reply.json['generation'], reply.json['digest']
        if self._digests[number] != digest:
            self.wrong.append(
                f'{digest} is not the digest of catalogue {number}')


@pytest.fixture(params=['sqlite', *databases.SERVERS])
def daemon(request: pytest.FixtureRequest, tmp_path: Path
           ) -> Iterator[Daemon]:
    chosen = {} if request.param == 'sqlite' else {'database': {
        'connection': databases.config_url(databases.create(request.param))}}
    directory = config_dir(tmp_path, {'book': next(texts())},
                           {'api': {'workers': 4}, **chosen})
    with Daemon(directory) as running:
        yield running


@pytest.mark.timeout(300)
def test_fifty_applies_under_load_cause_no_failure(daemon: Daemon) -> None:
    """S03: the only error is 503 with Retry-After, each reply comes from one
    catalogue, and each acknowledged write is stored."""
    conf = config_files.load(['--config-dir', str(daemon.directory)])
    file = daemon.directory / 'resources.d' / 'book.yaml'
    changes = texts()
    digests = {1: type_files.parse({'book.yaml': next(changes)}).digest}
    with Clients(daemon, digests) as clients:
        for number in range(2, APPLIES + 2):
            text = next(changes)
            digests[number] = type_files.parse({'book.yaml': text}).digest
            file.write_text(text)
            clients.published = schema.apply_configured(conf).catalogue_number
            assert clients.published == number
            clients.wait_for(8)
    assert clients.wrong == []
    assert clients.met[201] > APPLIES and clients.met[200] > APPLIES
    wait_until_all_serve(daemon, APPLIES + 1)
    assert stored(daemon) >= set(clients.written)


def wait_until_all_serve(daemon: Daemon, number: int) -> None:
    """Wait until all workers serve a catalogue; they check once a second."""
    end = time.monotonic() + WAIT_SECONDS
    while {daemon.request('GET', '/v1/types').json['generation']
           for _ in range(20)} != {number}:
        assert time.monotonic() < end


def stored(daemon: Daemon) -> set[str]:
    """The codes of all books."""
    codes: set[str] = set()
    path = '/v1/books?limit=1000'
    while path:
        page = daemon.request('GET', path, None, LATEST).json
        codes |= {book['code'] for book in page['books']}
        following = [link['href'] for link in page['links']
                     if link['rel'] == 'next']
        path = following[0].removeprefix(daemon.url) if following else ''
    return codes


