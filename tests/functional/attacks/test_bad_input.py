# SPDX-License-Identifier: Apache-2.0
"""Invalid input at every endpoint: each gets an error, nothing is written.

Stories cannot send bodies that are not JSON, so the bodies here are bytes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from tests.functional.harness.daemon import Daemon, Reply, config_dir
from tests.functional.harness.in_process import Application

OTHER = '0d1f0b9c-58a8-4c2b-9a44-000000000002'


class Kind(NamedTuple):
    """A shipped type, a valid record, and a property that is a text."""

    plural: str
    name: str
    record: dict[str, Any]
    text: str


RACK = Kind('racks', 'rack', {'name': 'ams-1-r07'}, 'name')
HOST = Kind('hosts', 'host', {'name': 'web-1', 'serial': 'CZ-1001'}, 'name')
MAINTENANCE = Kind('maintenances', 'maintenance', {
    'title': 'new disks', 'starts_at': '2031-05-01T22:00:00Z'}, 'title')
KINDS = (RACK, HOST, MAINTENANCE)

#: Invalid JSON values of the text property.
VALUES = {
    'a number': b'1', 'true': b'true', 'null': b'null', 'a list': b'[]',
    'an object': b'{}', 'an empty text': b'""',
    'a text of 10 kB': json.dumps('x' * 10_000).encode(),
    'a text of 10 kB beyond ASCII': json.dumps('\U0001f600' * 2_500).encode(),
    'NUL': rb'"a\u0000b"', 'a raw NUL': b'"a\0b"',
    'half a surrogate pair': rb'"a\ud800b"',
    'invalid UTF-8': b'"a\xffb"', 'overlong UTF-8': b'"\xc0\xaf"',
    'a surrogate in UTF-8': b'"\xed\xa0\x80"',
    'NaN': b'NaN', 'minus Infinity': b'-Infinity', '1e999': b'1e999',
    '2^63': b'9223372036854775808', '5000 digits': b'9' * 5000,
    'nested 33 deep': b'[' * 33 + b']' * 33,
    'nested 100 thousand deep': b'[' * 100_000 + b']' * 100_000,
    'nested for ever': b'[' * 100_000,
}

#: Bodies that contain no record.
BODIES = {
    'nothing': b'', 'blanks': b' \n\t', 'no JSON': b'{"host": ',
    'a word': b'host', 'a byte order mark': b'\xef\xbb\xbf{}',
    'UTF-16': '{}'.encode('utf-16'), 'two documents': b'{} {}',
    'a comment': b'{} // nothing', 'a text': b'"host"', 'a number': b'7',
    'an empty object': b'{}', 'an empty list': b'[]', 'null': b'null',
    'quotes of the wrong kind': b"{'host': {}}",
    'a trailing comma': b'{"host": {},}',
}


def record_body(kind: Kind, raw: bytes) -> bytes:
    """Return a valid record, except that its text is ``raw``."""
    rest = json.dumps({name: value for name, value in kind.record.items()
                       if name != kind.text})[1:-1].encode()
    return b'{"%s": {%s%s "%s": %s}}' % (
        kind.name.encode(), rest, b',' if rest else b'', kind.text.encode(),
        raw)


def patch_body(kind: Kind, raw: bytes) -> bytes:
    return b'[{"op": "replace", "path": "/%s", "value": %s}]' % (
        kind.text.encode(), raw)


class Write(NamedTuple):
    """A kind of write; ``body`` makes its body from a kind and a raw value.
    """

    method: str
    path: str
    media_type: str
    body: Callable[[Kind, bytes], bytes]


WRITES = {
    'POST': Write('POST', '', 'application/json', record_body),
    'PUT': Write('PUT', '/{id}', 'application/json', record_body),
    'PUT of a new record': Write('PUT', f'/{OTHER}', 'application/json',
                                 record_body),
    'PATCH': Write('PATCH', '/{id}', 'application/merge-patch+json',
                   record_body),
    'JSON Patch': Write('PATCH', '/{id}', 'application/json-patch+json',
                        patch_body),
}


class Service:
    """A service with one record of each kind, and its initial records."""

    def __init__(self, api: Any) -> None:
        self.api = api
        self.ids: dict[str, str] = {}
        for kind in KINDS:
            record = dict(kind.record)
            if kind is MAINTENANCE:
                record['host_id'] = self.ids['hosts']
            created = api.request('POST', f'/v1/{kind.plural}',
                                  {kind.name: record})
            self.ids[kind.plural] = created.json[kind.name]['id']
        self.initial = self.records()

    def records(self) -> list[Any]:
        return [self.api.request('GET', f'/v1/{kind.plural}').json[
            kind.plural] for kind in KINDS]

    def send(self, write: Write, kind: Kind, body: bytes,
             media_type: str | None = None) -> Reply:
        path = f'/v1/{kind.plural}' + write.path.format(
            id=self.ids[kind.plural])
        return self.api.request(
            write.method, path, body,
            {'Content-Type': media_type or write.media_type})


@pytest.fixture(scope='module', params=['in process', 'daemon'])
def service(request: pytest.FixtureRequest,
            tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    directory = config_dir(tmp_path_factory.mktemp('bad'))
    if request.param == 'in process':
        yield Service(Application(directory))
        return
    with Daemon(directory) as daemon:
        yield Service(daemon)


@pytest.fixture(autouse=True)
def assert_nothing_is_written(service: Service) -> Iterator[None]:
    yield
    assert service.records() == service.initial


def assert_error(reply: Reply, *statuses: int) -> Any:
    """Check the shape of an error, and return its document."""
    assert reply.status in statuses, reply.body
    assert reply.headers['Content-Type'] == 'application/json'
    assert reply.json['error']['code'] == reply.status
    for item in reply.json['errors']:
        assert item['status'] == reply.status
        assert len(item['detail']) < 2000
    return reply.json


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize('write', WRITES)
@pytest.mark.parametrize('value', VALUES)
def test_an_invalid_value_of_a_text_is_rejected(service: Service, kind: Kind,
                                                write: str, value: str
                                                ) -> None:
    chosen = WRITES[write]
    assert_error(service.send(chosen, kind, chosen.body(kind, VALUES[value])),
                 400)


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize('write', WRITES)
def test_a_body_that_is_no_record_is_rejected(service: Service, kind: Kind,
                                              write: str) -> None:
    for name, body in BODIES.items():
        if (write, name) != ('JSON Patch', 'an empty list'):
            assert_error(service.send(WRITES[write], kind, body), 400)


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize('write', WRITES)
def test_a_duplicate_member_is_rejected_with_its_pointer(
        service: Service, kind: Kind, write: str) -> None:
    body = b'{"%s": {"%s": "a", "%s": "b"}}' % (
        kind.name.encode(), kind.text.encode(), kind.text.encode())
    document = assert_error(service.send(WRITES[write], kind, body), 400)
    assert document['errors'][0]['source'] == {
        'pointer': f'/{kind.name}/{kind.text}'}


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize('write', ['POST', 'PUT', 'PUT of a new record',
                                   'PATCH'])
def test_an_undeclared_member_is_rejected_with_its_pointer(
        service: Service, kind: Kind, write: str) -> None:
    body = json.dumps({kind.name: {**kind.record, 'a/b': 1}}).encode()
    document = assert_error(service.send(WRITES[write], kind, body), 400)
    assert f'/{kind.name}/a~1b' in [
        item['source']['pointer'] for item in document['errors']]


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
def test_a_json_patch_cannot_add_an_undeclared_member(service: Service,
                                                      kind: Kind) -> None:
    document = assert_error(service.send(
        WRITES['JSON Patch'], kind,
        b'[{"op": "add", "path": "/colour", "value": 1}]'), 400)
    assert document['errors'][0]['source'] == {'pointer': '/colour'}


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize('write', WRITES)
@pytest.mark.parametrize('media_type', [
    'text/plain', 'application/xml', 'application/json; charset=latin-1',
    'application/x-www-form-urlencoded', 'nonsense', 'application/json;;;='])
def test_a_body_of_another_media_type_is_rejected(service: Service, kind: Kind,
                                                  write: str, media_type: str
                                                  ) -> None:
    chosen = WRITES[write]
    assert_error(service.send(chosen, kind, chosen.body(kind, b'"right"'),
                             media_type), 415)


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize('write', WRITES)
def test_a_body_above_the_size_limit_is_rejected(service: Service, kind: Kind,
                                                 write: str) -> None:
    chosen = WRITES[write]
    body = chosen.body(kind, json.dumps('x' * 2 ** 20).encode())
    assert_error(service.send(chosen, kind, body), 413)


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize('query', [
    'limit=0', 'limit=-1', 'limit=1.5', 'limit=', 'limit=NaN',
    'limit=1&limit=2', 'marker=nobody', 'marker=%00', 'sort=nothing',
    'sort=id:up', 'fields=nothing', 'created_at=yesterday', 'created_at=%00',
    'id=%ff', 'id=%00', '%ff=1', '%00=1', 'nothing=1', 'with_count=maybe',
    'tags=a,,b', f'id={"x" * 10_000}', f'{"x" * 10_000}=1',
    'id=in:' + ','.join(['a'] * 5_000), '&'.join(['tags-any=a'] * 60)])
def test_an_invalid_list_query_is_rejected(service: Service, kind: Kind,
                                           query: str) -> None:
    assert_error(service.api.request('GET', f'/v1/{kind.plural}?{query}'),
                 400, 414)


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize('id', ['%00', '%ff', '%0a', "'%20OR%201=1",
                                '%F0%9F%98%80', 'x' * 5_000])
def test_an_id_with_unusual_characters_is_not_found(service: Service,
                                                    kind: Kind, id: str
                                                    ) -> None:
    for method in ('GET', 'DELETE'):
        assert_error(service.api.request(method, f'/v1/{kind.plural}/{id}'),
                     404)
    assert_error(service.api.request('GET', f'/v1/{kind.plural}{id}'), 404)
