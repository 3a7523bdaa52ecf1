# SPDX-License-Identifier: Apache-2.0
"""What holds for every reply, whoever gave it and whatever became of it.

``ASKED`` is a request for each way in which the service answers; the tests
walk over all the replies of a running daemon.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import urljoin

import pytest

from api.response import error_help
from service.domain.typefiles import type_files
from service.process import refusals
from tests.functional.harness.daemon import (
    SHIPPED_CONFIG,
    Daemon,
    Reply,
    config_dir,
)
from tests.functional.harness.in_process import Application

RACK = '/v1/racks/0c9e0d5e-7a37-4d7e-8f58-0123456789ab'
HOST = '/v1/hosts/7bd6bd13-2c4b-4d6a-9b27-0123456789ab'
VERSION = 'OpenStack-API-Version'
MADE = {'host': {'name': 'web-1', 'serial': 'CZ-1001',
                 'warranty_until': '2031-05-01T00:00:00+02:00',
                 'labels': {'Any Key': 'x'}, 'metadata': {'Any Key': 'x'}}}
NEWEST = {VERSION: 'pileus latest'}


class Asked(NamedTuple):
    """A request and the status of its reply."""

    status: int
    method: str
    path: str
    body: Any = None
    headers: Any = None


ASKED = [
    Asked(201, 'PUT', RACK, {'rack': {'name': 'r1'}}),
    Asked(201, 'PUT', HOST, MADE),
    Asked(201, 'POST', '/v1/racks', {'rack': {'name': 'r2'}}),
    Asked(201, 'POST', '/v1/racks', {'racks': [{'name': 'r3'}]}),
    Asked(200, 'PATCH', HOST, {'host': {'status': 'active'}}),
    Asked(200, 'GET', '/'),
    Asked(200, 'GET', '/v1'),
    Asked(300, 'GET', '/v1/test'),
    Asked(200, 'GET', '/v1/hosts'),
    Asked(200, 'GET', '/v1/racks?limit=1&sort=name&with_count=true'),
    Asked(200, 'GET', '/v1/maintenances'),
    Asked(200, 'GET', HOST),
    Asked(200, 'GET', HOST, None, NEWEST),
    Asked(200, 'HEAD', HOST),
    Asked(200, 'GET', f'{HOST}/revisions?limit=1'),
    Asked(400, 'POST', f'{HOST}/action', {'revert': {'revision': 10 ** 9}}),
    Asked(404, 'GET', f'{HOST}?revision={10 ** 9}'),
    Asked(400, 'GET', f'{HOST}/revisions?marker={10 ** 9}'),
    Asked(200, 'GET', '/v1/types'),
    Asked(200, 'GET', '/v1/types/host', None, NEWEST),
    Asked(200, 'GET', '/v1/errors/not-found'),
    Asked(204, 'OPTIONS', '/v1/hosts'),
    Asked(304, 'GET', HOST, None, {'If-None-Match': '*'}),
    Asked(400, 'GET', '/v1/hosts?nmae=x'),
    Asked(400, 'GET', '/v1/hosts', None, {VERSION: 'pileus 1'}),
    Asked(400, 'POST', '/v1/hosts', b'{bad',
          {'Content-Type': 'application/json'}),
    Asked(400, 'POST', '/v1/hosts', {'host': {'bogus': 1}}),
    Asked(403, 'POST', '/v1/hosts', MADE, {'X-Roles': 'reader'}),
    Asked(404, 'GET', '/v1/hosts/none'),
    Asked(404, 'HEAD', '/v1/hosts/none'),
    Asked(404, 'GET', '/v1/hostz'),
    Asked(404, 'GET', '/nowhere'),
    Asked(404, 'GET', '/v1/errors/none'),
    Asked(405, 'DELETE', '/v1/hosts'),
    Asked(405, 'POST', HOST),
    Asked(406, 'GET', '/v1/hosts', None, {VERSION: 'pileus 9.9'}),
    Asked(406, 'GET', '/v1/hosts', None, {'Accept': 'text/html'}),
    Asked(409, 'POST', '/v1/racks', {'rack': {'name': 'r1'}}),
    Asked(412, 'PUT', HOST, MADE, {'If-Match': '"x"'}),
    Asked(413, 'POST', '/v1/hosts', b' ' * (1024 * 1024 + 1),
          {'Content-Type': 'application/json'}),
    Asked(414, 'GET', '/v1/hosts?name=' + 'x' * 9000),
    Asked(415, 'POST', '/v1/hosts', b'x', {'Content-Type': 'text/plain'}),
    Asked(431, 'GET', '/', None, {'X-Long': 'x' * 9000}),
    Asked(204, 'DELETE', HOST),
]


@pytest.fixture(scope='module')
def answered(daemon: Daemon) -> list[tuple[Asked, Reply]]:
    return [(one, daemon.request(*one[1:])) for one in ASKED]


def failed(answered: list[tuple[Asked, Reply]]
           ) -> Iterator[tuple[Asked, Reply]]:
    """The errors that have a body."""
    return ((asked, reply) for asked, reply in answered
            if reply.status >= 400 and asked.method != 'HEAD')


def documents(answered: list[tuple[Asked, Reply]]
              ) -> Iterator[tuple[Asked, Any]]:
    return ((asked, reply.json) for asked, reply in answered if reply.body)


def members(value: Any, name: str = '') -> Iterator[tuple[str, Any]]:
    """Every member of a document at any depth; not those of free objects,
    whose names are the client's or JSON Schema's."""
    if isinstance(value, dict) and name not in ('labels', 'metadata',
                                                'schema'):
        for child, one in value.items():
            yield child, one
            yield from members(one, child)
    if isinstance(value, list):
        for one in value:
            yield from members(one, name)


def test_each_request_has_the_status_it_is_asked_for(answered):
    """CODE-4: what is neither made nor gone is 200."""
    assert [(asked.method, asked.path[:40], reply.status)
            for asked, reply in answered] == [
                (asked.method, asked.path[:40], asked.status)
                for asked in ASKED]


def test_every_reply_names_its_version_and_varies_by_it(answered):
    """MV-8, MV-9: also where no version was carried out; but for a head too
    long to be read, whose version nobody knows."""
    for asked, reply in answered:
        if reply.status in (414, 431):
            continue
        stamps = reply.headers.get_all(VERSION)
        newest = asked.headers is NEWEST
        assert stamps == ['pileus 1.2' if newest else 'pileus 1.0'], asked
        assert VERSION in reply.headers['Vary'], asked


def test_every_error_has_the_one_shape(answered):
    """ERR-1, ERR-2, ERR-3, ERR-4, ERR-5, ERR-9: from every layer."""
    for asked, reply in failed(answered):
        assert reply.headers['Content-Type'] == 'application/json', asked
        assert reply.json['errors'], asked
        assert reply.json['error']['code'] == asked.status
        for item in reply.json['errors']:
            assert item['status'] == asked.status
            assert re.fullmatch(r'pileus\.[a-z0-9._-]+', item['code'])
            assert item['title'] and item['detail'], asked
            assert {'rel', 'href'} == set(item['links'][0])
            assert item['links'][0]['rel'] == 'help'


def test_an_error_is_told_under_the_request_id_of_its_reply(answered):
    """ERR-6: who sends the id in finds the line in the log."""
    for asked, reply in failed(answered):
        told = {item['request_id'] for item in reply.json['errors']}
        assert told == {reply.headers['X-Openstack-Request-Id']}, asked


def test_every_help_link_leads_somewhere(daemon, answered):
    """ERR-5: on this service, and about this code."""
    for asked, reply in failed(answered):
        for item in reply.json['errors']:
            href = urljoin(daemon.url, item['links'][0]['href'])
            assert href.startswith(daemon.url), asked
            told = daemon.request('GET', href[len(daemon.url):])
            assert told.status == 200, href
            assert told.json['error_code']['code'] == item['code']


def test_the_same_mistake_has_one_title(answered):
    """ERR-8: code and title go together, whoever says it."""
    titles: dict[str, set[str]] = {}
    for _, reply in failed(answered):
        for item in reply.json['errors']:
            titles.setdefault(item['code'], set()).add(item['title'])
    assert {code for code in titles if len(titles[code]) > 1} == set()


def test_the_server_gives_a_code_the_title_that_the_application_gives_it():
    """ERR-8: who refuses a request is not the client's business."""
    shared = {one.code: one.title for one in refusals.REASONS.values()
              if one.code in error_help.CODES}
    assert 'body-too-large' in shared
    assert shared == {code: error_help.CODES[code].title
                      for code in shared}


def test_no_reply_tells_of_the_code_that_made_it(answered):
    """CODE-6: no traceback, file or class."""
    for asked, reply in answered:
        for leak in (b'Traceback', b'File "', b'.py', b'sqlalchemy'):
            assert leak not in reply.body, asked


CACHEABLE = (200, 203, 204, 206, 300, 301, 404, 405, 410, 414, 501)


def test_every_reply_that_could_be_cached_says_how(answered):
    """CACHE-1, CACHE-2, CACHE-3: none may be used without asking again."""
    for asked, reply in answered:
        if (asked.method in ('GET', 'HEAD', 'POST')
                and reply.status in CACHEABLE):
            assert 'no-cache' in reply.headers['Cache-Control'], asked
            assert 'max-age' not in reply.headers['Cache-Control'], asked


#: Registered names, and the two X- names that are older than the rule.
HEADERS = {'allow', 'cache-control', 'connection', 'content-length',
           'content-type', 'date', 'etag', 'keep-alive', 'location',
           'vary', 'x-openstack-request-id', 'openstack-api-version'}


def test_every_header_has_a_known_name(answered):
    """HDR-1, HDR-2, MV-13: none of our own but by the rule, none with data
    in its name."""
    for asked, reply in answered:
        names = {name.lower() for name in reply.headers}
        assert names <= HEADERS, asked


def test_every_link_is_an_object_in_a_list(answered):
    """LINK-1: with rel, of the registered names or our one, and href."""
    met = set()
    for asked, document in documents(answered):
        for name, value in members(document):
            if name != 'links' and not name.endswith('_links'):
                continue
            assert isinstance(value, list), asked
            for link in value:
                assert set(link) == {'rel', 'href'}, asked
                met.add(link['rel'])
    assert met <= {'self', 'first', 'prev', 'next', 'collection', 'help'}
    assert {'self', 'next', 'help'} <= met


def test_no_list_is_bare(answered):
    """REPR-1: a document is an object, the list is one of its members."""
    for asked, document in documents(answered):
        assert isinstance(document, dict), asked
    lists = {asked.path.partition('?')[0].rpartition('/')[2]: document
             for asked, document in documents(answered)
             if asked.method == 'GET' and 'links' in document}
    assert {'hosts', 'racks', 'maintenances'} <= set(lists)
    for name, document in lists.items():
        assert isinstance(document[name], list)


def test_every_member_has_a_name_as_names_are_written(answered):
    """NAME-2, TERM-1: snake_case; a project is no tenant, a machine no
    instance."""
    for asked, document in documents(answered):
        for name, _ in members(document):
            assert re.fullmatch(r'[a-z][a-z0-9]*(_[a-z0-9]+)*', name), asked
            assert 'tenant' not in name and 'instance' not in name


def test_every_boolean_reads_as_a_claim(answered):
    """NAME-3: an adjective, and a positive one."""
    met = {name for _, document in documents(answered)
           for name, value in members(document) if isinstance(value, bool)}
    assert 'ipmi_enabled' in met
    for name in met:
        assert not re.match('(is|enable|disable|not|no)_', name), name
        assert 'disabled' not in name


def test_every_time_is_iso_8601_in_utc(answered):
    """TIME-1: to the second at least, with Z."""
    times = [value for _, document in documents(answered)
             for name, value in members(document)
             if re.search('_(at|until)$', name) and value is not None]
    assert times
    for value in times:
        assert re.fullmatch(
            r'\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z', value)


def test_the_code_name_is_nowhere_but_as_the_service_type(answered):
    """TERM-2: it is what [api] service_type says; policy rules have it in
    their names, as policy files need them."""
    for asked, reply in answered:
        text = reply.body.decode().lower() + str(reply.headers).lower()
        rest = re.sub(r'"policy":\{[^{}]*\}|pileus:[a-z]+:[a-z]+|'
                      r'"code": ?"pileus\.|openstack-api-version: pileus ',
                      '', text)
        assert 'pileus' not in rest, asked


@pytest.mark.parametrize('path', ['/', '/v1', '/v1/racks', RACK,
                                  '/v1/racks/none', '/v1/test', '/v1/types',
                                  '/nowhere', '/v1/racks?limit=abc'])
def test_head_answers_as_get_does(daemon, answered, path):
    """METH-1: the same status and headers, and no body."""
    get, head = (daemon.request(method, path) for method in ('GET', 'HEAD'))
    assert head.body == b'' and get.body
    assert head.status == get.status
    assert lasting(head) == lasting(get)


def lasting(reply: Reply) -> list[tuple[str, str]]:
    """The headers that do not change from one request to the next."""
    return sorted((name.lower(), value)
                  for name, value in reply.headers.items()
                  if name.lower() not in ('date', 'x-openstack-request-id'))


@pytest.mark.parametrize('path', ['/', '/v1', '/v1/test', '/v1/types',
                                  '/v1/types/host', '/v1/racks', RACK])
def test_allow_is_the_truth(daemon, answered, path):
    """CODE-13: what it names is no 405, what it does not name is one."""
    allow = daemon.request('OPTIONS', path).headers['Allow'].split(', ')
    for method in ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'OPTIONS',
                   'DELETE'):
        reply = daemon.request(method, path)
        assert (reply.status == 405) == (method not in allow), method
        if reply.status == 405:
            assert reply.headers['Allow'].split(', ') == allow


def test_every_path_is_written_as_paths_are():
    """NAME-1: small letters, digits and hyphens, and collections plural."""
    catalogue = type_files.read(str(SHIPPED_CONFIG / 'resources.d'))
    for one in catalogue.live:
        assert re.fullmatch('[a-z0-9]+(-[a-z0-9]+)*', one.path)
        assert one.path.endswith('s') and one.path != one.name


def test_two_headers_are_one_list(daemon):
    """MV-10: the item for this service counts in either line."""
    for lines in (['compute 2.11', 'pileus 1.1'],
                  ['pileus 1.1', 'compute 2.11']):
        with daemon.connect() as wire:
            heads = ''.join(f'{VERSION}: {one}\r\n' for one in lines)
            wire.sendall(f'GET /v1/racks HTTP/1.1\r\nHost: x\r\n{heads}'
                         'Host: 127.0.0.1\r\n\r\n'
                         .replace('Host: x\r\n', '').encode())
            head = wire.recv(65536).partition(b'\r\n\r\n')[0].decode()
        assert head.startswith('HTTP/1.1 200')
        assert f'{VERSION}: pileus 1.1' in head


def test_a_bug_is_told_in_the_one_shape_and_without_what_it_says(tmp_path):
    """ERR-9, CODE-6, MV-8, MV-9: nothing of the exception gets out."""
    served = Application(config_dir(tmp_path, {'thing': '''
name: thing
plural: things
controller: tests.functional.controllers.failing_controller:FailingController
properties:
  name: {type: string, since: "1.1"}
'''}))
    reply = served.request('GET', '/v1/things/x/failure', None,
                           {VERSION: 'pileus 1.1'})
    assert reply.status == 500
    assert reply.headers[VERSION] == 'pileus 1.1'
    assert VERSION in reply.headers['Vary']
    (told,) = reply.json['errors']
    assert told['code'] == 'pileus.internal-error'
    assert told['request_id'] == reply.headers['X-Openstack-Request-Id']
    for leak in (b'hunter2', b'RuntimeError', b'broken'):
        assert leak not in reply.body
