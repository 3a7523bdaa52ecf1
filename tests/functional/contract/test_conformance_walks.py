# SPDX-License-Identifier: Apache-2.0
"""Rules that hold for every reply of the service.

``REQUESTS`` has a request for each kind of answer. The tests check the
replies of a running daemon to all of them.
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
HOST_BODY = {'host': {'name': 'web-1', 'serial': 'CZ-1001',
                      'warranty_until': '2031-05-01T00:00:00+02:00',
                      'labels': {'Any Key': 'x'},
                      'metadata': {'Any Key': 'x'}}}
NEWEST_VERSION = {VERSION: 'pileus latest'}


class Request(NamedTuple):
    """A request and the status of its reply."""

    status: int
    method: str
    path: str
    body: Any = None
    headers: Any = None


REQUESTS = [
    Request(201, 'PUT', RACK, {'rack': {'name': 'r1'}}),
    Request(201, 'PUT', HOST, HOST_BODY),
    Request(201, 'POST', '/v1/racks', {'rack': {'name': 'r2'}}),
    Request(201, 'POST', '/v1/racks', {'racks': [{'name': 'r3'}]}),
    Request(200, 'PATCH', HOST, {'host': {'status': 'active'}}),
    Request(200, 'GET', '/'),
    Request(200, 'GET', '/v1'),
    Request(300, 'GET', '/v1/test'),
    Request(200, 'GET', '/v1/hosts'),
    Request(200, 'GET', '/v1/racks?limit=1&sort=name&with_count=true'),
    Request(200, 'GET', '/v1/maintenances'),
    Request(200, 'GET', HOST),
    Request(200, 'GET', HOST, None, NEWEST_VERSION),
    Request(200, 'HEAD', HOST),
    Request(200, 'GET', f'{HOST}/revisions?limit=1'),
    Request(400, 'POST', f'{HOST}/action', {'revert': {'revision': 10 ** 9}}),
    Request(404, 'GET', f'{HOST}?revision={10 ** 9}'),
    Request(400, 'GET', f'{HOST}/revisions?marker={10 ** 9}'),
    Request(200, 'GET', '/v1/types'),
    Request(200, 'GET', '/v1/types/host', None, NEWEST_VERSION),
    Request(200, 'GET', '/v1/errors/not-found'),
    Request(204, 'OPTIONS', '/v1/hosts'),
    Request(304, 'GET', HOST, None, {'If-None-Match': '*'}),
    Request(400, 'GET', '/v1/hosts?nmae=x'),
    Request(400, 'GET', '/v1/hosts', None, {VERSION: 'pileus 1'}),
    Request(400, 'POST', '/v1/hosts', b'{bad',
            {'Content-Type': 'application/json'}),
    Request(400, 'POST', '/v1/hosts', {'host': {'bogus': 1}}),
    Request(403, 'POST', '/v1/hosts', HOST_BODY, {'X-Roles': 'reader'}),
    Request(404, 'GET', '/v1/hosts/none'),
    Request(404, 'HEAD', '/v1/hosts/none'),
    Request(404, 'GET', '/v1/hostz'),
    Request(404, 'GET', '/nowhere'),
    Request(404, 'GET', '/v1/errors/none'),
    Request(405, 'DELETE', '/v1/hosts'),
    Request(405, 'POST', HOST),
    Request(406, 'GET', '/v1/hosts', None, {VERSION: 'pileus 9.9'}),
    Request(406, 'GET', '/v1/hosts', None, {'Accept': 'text/html'}),
    Request(409, 'POST', '/v1/racks', {'rack': {'name': 'r1'}}),
    Request(412, 'PUT', HOST, HOST_BODY, {'If-Match': '"x"'}),
    Request(413, 'POST', '/v1/hosts', b' ' * (1024 * 1024 + 1),
            {'Content-Type': 'application/json'}),
    Request(414, 'GET', '/v1/hosts?name=' + 'x' * 9000),
    Request(415, 'POST', '/v1/hosts', b'x', {'Content-Type': 'text/plain'}),
    Request(431, 'GET', '/', None, {'X-Long': 'x' * 9000}),
    Request(204, 'DELETE', HOST),
]


@pytest.fixture(scope='module')
def exchanges(daemon: Daemon) -> list[tuple[Request, Reply]]:
    return [(request, daemon.request(*request[1:])) for request in REQUESTS]


def errors(exchanges: list[tuple[Request, Reply]]
           ) -> Iterator[tuple[Request, Reply]]:
    """Return the requests and replies of errors with a body."""
    return ((request, reply) for request, reply in exchanges
            if reply.status >= 400 and request.method != 'HEAD')


def documents(exchanges: list[tuple[Request, Reply]]
              ) -> Iterator[tuple[Request, Any]]:
    return ((request, reply.json) for request,
            reply in exchanges if reply.body)


def members(value: Any, name: str = '') -> Iterator[tuple[str, Any]]:
    """Yield the members of a document at any depth.

    The members of free objects are left out, because clients or JSON Schema
    choose their names.
    """
    if isinstance(value, dict) and name not in ('labels', 'metadata',
                                                'schema'):
        for child, item in value.items():
            yield child, item
            yield from members(item, child)
    if isinstance(value, list):
        for item in value:
            yield from members(item, name)


def test_each_request_gets_its_status(exchanges):
    """CODE-4: success is 200 unless a record was created or deleted."""
    assert [(request.method, request.path[:40], reply.status)
            for request, reply in exchanges] == [
                (request.method, request.path[:40], request.status)
                for request in REQUESTS]


def test_every_reply_has_its_version_and_vary(exchanges):
    """MV-8, MV-9: this includes errors before a version is chosen, except
    for a head that is too long to parse."""
    for request, reply in exchanges:
        if reply.status in (414, 431):
            continue
        versions = reply.headers.get_all(VERSION)
        newest = request.headers is NEWEST_VERSION
        assert versions == ['pileus 1.2' if newest else 'pileus 1.0'], request
        assert VERSION in reply.headers['Vary'], request


def test_every_error_has_the_same_shape(exchanges):
    """ERR-1, ERR-2, ERR-3, ERR-4, ERR-5, ERR-9: each layer answers alike."""
    for request, reply in errors(exchanges):
        assert reply.headers['Content-Type'] == 'application/json', request
        assert reply.json['errors'], request
        assert reply.json['error']['code'] == request.status
        for item in reply.json['errors']:
            assert item['status'] == request.status
            assert re.fullmatch(r'pileus\.[a-z0-9._-]+', item['code'])
            assert item['title'] and item['detail'], request
            assert {'rel', 'href'} == set(item['links'][0])
            assert item['links'][0]['rel'] == 'help'


def test_an_error_has_the_request_id_of_its_reply(exchanges):
    """ERR-6: an operator finds the log line by the id of the error."""
    for request, reply in errors(exchanges):
        ids = {item['request_id'] for item in reply.json['errors']}
        assert ids == {reply.headers['X-Openstack-Request-Id']}, request


def test_every_help_link_has_a_page_about_its_code(daemon, exchanges):
    """ERR-5: the link leads to this service."""
    for request, reply in errors(exchanges):
        for item in reply.json['errors']:
            href = urljoin(daemon.url, item['links'][0]['href'])
            assert href.startswith(daemon.url), request
            page = daemon.request('GET', href[len(daemon.url):])
            assert page.status == 200, href
            assert page.json['error_code']['code'] == item['code']


def test_a_code_has_the_same_title_everywhere(exchanges):
    """ERR-8: each code has one title."""
    titles: dict[str, set[str]] = {}
    for _, reply in errors(exchanges):
        for item in reply.json['errors']:
            titles.setdefault(item['code'], set()).add(item['title'])
    assert {code for code in titles if len(titles[code]) > 1} == set()


def test_server_and_application_use_the_same_title_for_a_code():
    """ERR-8: a client cannot tell which of them rejected a request."""
    shared = {reason.code: reason.title for reason in refusals.REASONS.values()
              if reason.code in error_help.CODES}
    assert 'body-too-large' in shared
    assert shared == {code: error_help.CODES[code].title
                      for code in shared}


def test_no_reply_reveals_source_code(exchanges):
    """CODE-6: no reply contains a traceback, a file or a class."""
    for request, reply in exchanges:
        for leak in (b'Traceback', b'File "', b'.py', b'sqlalchemy'):
            assert leak not in reply.body, request


CACHEABLE = (200, 203, 204, 206, 300, 301, 404, 405, 410, 414, 501)


def test_every_cacheable_reply_must_be_revalidated(exchanges):
    """CACHE-1, CACHE-2, CACHE-3: Cache-Control has no-cache, not max-age."""
    for request, reply in exchanges:
        if (request.method in ('GET', 'HEAD', 'POST')
                and reply.status in CACHEABLE):
            assert 'no-cache' in reply.headers['Cache-Control'], request
            assert 'max-age' not in reply.headers['Cache-Control'], request


#: Registered names, and names that are older than the rule.
HEADERS = {'allow', 'cache-control', 'connection', 'content-length',
           'content-type', 'date', 'etag', 'keep-alive', 'location',
           'vary', 'x-openstack-request-id', 'openstack-api-version'}


def test_every_header_is_registered_or_listed(exchanges):
    """HDR-1, HDR-2, MV-13: no other header exists, and no header name
    contains data."""
    for request, reply in exchanges:
        names = {name.lower() for name in reply.headers}
        assert names <= HEADERS, request


def test_every_link_is_an_object_with_rel_and_href_in_a_list(exchanges):
    """LINK-1: rel is a registered name, or help."""
    rels = set()
    for request, document in documents(exchanges):
        for name, value in members(document):
            if name != 'links' and not name.endswith('_links'):
                continue
            assert isinstance(value, list), request
            for link in value:
                assert set(link) == {'rel', 'href'}, request
                rels.add(link['rel'])
    assert rels <= {'self', 'first', 'prev', 'next', 'collection', 'help'}
    assert {'self', 'next', 'help'} <= rels


def test_every_document_is_an_object(exchanges):
    """REPR-1: a list is a member of its document."""
    for request, document in documents(exchanges):
        assert isinstance(document, dict), request
    lists = {request.path.partition('?')[0].rpartition('/')[2]: document
             for request, document in documents(exchanges)
             if request.method == 'GET' and 'links' in document}
    assert {'hosts', 'racks', 'maintenances'} <= set(lists)
    for name, document in lists.items():
        assert isinstance(document[name], list)


def test_member_names_are_snake_case(exchanges):
    """NAME-2, TERM-1: no name contains the words tenant or instance."""
    for request, document in documents(exchanges):
        for name, _ in members(document):
            assert re.fullmatch(r'[a-z][a-z0-9]*(_[a-z0-9]+)*', name), request
            assert 'tenant' not in name and 'instance' not in name


def test_the_name_of_a_boolean_is_a_positive_adjective(exchanges):
    """NAME-3"""
    names = {name for _, document in documents(exchanges)
             for name, value in members(document) if isinstance(value, bool)}
    assert 'ipmi_enabled' in names
    for name in names:
        assert not re.match('(is|enable|disable|not|no)_', name), name
        assert 'disabled' not in name


def test_every_time_is_iso_8601_in_utc(exchanges):
    """TIME-1: a time has seconds, optional fractions and Z."""
    times = [value for _, document in documents(exchanges)
             for name, value in members(document)
             if re.search('_(at|until)$', name) and value is not None]
    assert times
    for value in times:
        assert re.fullmatch(
            r'\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z', value)


def test_the_code_name_occurs_only_as_the_service_type(exchanges):
    """TERM-2: [api] service_type is its only source in replies, except in
    the names of policy rules, which policy files need."""
    for request, reply in exchanges:
        text = reply.body.decode().lower() + str(reply.headers).lower()
        rest = re.sub(r'"policy":\{[^{}]*\}|pileus:[a-z]+:[a-z]+|'
                      r'"code": ?"pileus\.|openstack-api-version: pileus ',
                      '', text)
        assert 'pileus' not in rest, request


@pytest.mark.parametrize('path', ['/', '/v1', '/v1/racks', RACK,
                                  '/v1/racks/none', '/v1/test', '/v1/types',
                                  '/nowhere', '/v1/racks?limit=abc'])
def test_head_has_the_status_and_headers_of_get(daemon, exchanges, path):
    """METH-1: HEAD has no body."""
    get, head = (daemon.request(method, path) for method in ('GET', 'HEAD'))
    assert head.body == b'' and get.body
    assert head.status == get.status
    assert constant_headers(head) == constant_headers(get)


def constant_headers(reply: Reply) -> list[tuple[str, str]]:
    """Return the headers that are equal in repeated replies."""
    return sorted((name.lower(), value)
                  for name, value in reply.headers.items()
                  if name.lower() not in ('date', 'x-openstack-request-id'))


@pytest.mark.parametrize('path', ['/', '/v1', '/v1/test', '/v1/types',
                                  '/v1/types/host', '/v1/racks', RACK])
def test_allow_lists_exactly_the_supported_methods(daemon, exchanges, path):
    """CODE-13: a method that Allow lacks gets 405, and no other does."""
    allow = daemon.request('OPTIONS', path).headers['Allow'].split(', ')
    for method in ('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'OPTIONS',
                   'DELETE'):
        reply = daemon.request(method, path)
        assert (reply.status == 405) == (method not in allow), method
        if reply.status == 405:
            assert reply.headers['Allow'].split(', ') == allow


def test_paths_are_lower_case_and_plural():
    """NAME-1: a path has only letters, digits and hyphens."""
    catalogue = type_files.read(str(SHIPPED_CONFIG / 'resources.d'))
    for declared in catalogue.live:
        assert re.fullmatch('[a-z0-9]+(-[a-z0-9]+)*', declared.path)
        assert declared.path.endswith('s') and declared.path != declared.name


def test_the_item_for_this_service_counts_in_either_of_two_headers(daemon):
    """MV-10: two headers are equal to one header with a list."""
    for lines in (['compute 2.11', 'pileus 1.1'],
                  ['pileus 1.1', 'compute 2.11']):
        with daemon.connect() as connection:
            fields = ''.join(f'{VERSION}: {value}\r\n' for value in lines)
            connection.sendall(f'GET /v1/racks HTTP/1.1\r\nHost: x\r\n{fields}'
                               'Host: 127.0.0.1\r\n\r\n'
                               .replace('Host: x\r\n', '').encode())
            head = connection.recv(65536).partition(b'\r\n\r\n')[0].decode()
        assert head.startswith('HTTP/1.1 200')
        assert f'{VERSION}: pileus 1.1' in head


def test_a_bug_gets_the_same_shape_without_its_exception(tmp_path):
    """ERR-9, CODE-6, MV-8, MV-9: the reply has no text of the exception."""
    application = Application(config_dir(tmp_path, {'thing': '''
name: thing
plural: things
controller: tests.functional.controllers.failing_controller:FailingController
properties:
  name: {type: string, since: "1.1"}
'''}))
    reply = application.request('GET', '/v1/things/x/failure', None,
                                {VERSION: 'pileus 1.1'})
    assert reply.status == 500
    assert reply.headers[VERSION] == 'pileus 1.1'
    assert VERSION in reply.headers['Vary']
    (error,) = reply.json['errors']
    assert error['code'] == 'pileus.internal-error'
    assert error['request_id'] == reply.headers['X-Openstack-Request-Id']
    for leak in (b'hunter2', b'RuntimeError', b'failing_controller'):
        assert leak not in reply.body
