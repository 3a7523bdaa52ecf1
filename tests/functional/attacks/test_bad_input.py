# SPDX-License-Identifier: Apache-2.0
"""Whatever is sent to whichever endpoint: refused with a reason, and nothing
is written.

Stories cannot send what is no JSON, so the bodies here are bytes.
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
    """A shipped type: a record of it, and one of its texts."""

    plural: str
    name: str
    record: dict[str, Any]
    text: str


RACK = Kind('racks', 'rack', {'name': 'ams-1-r07'}, 'name')
HOST = Kind('hosts', 'host', {'name': 'web-1', 'serial': 'CZ-1001'}, 'name')
MAINTENANCE = Kind('maintenances', 'maintenance', {
    'title': 'new disks', 'starts_at': '2031-05-01T22:00:00Z'}, 'title')
KINDS = (RACK, HOST, MAINTENANCE)

#: What one text of a record is sent as.
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

#: Bodies that are wrong as a whole.
BODIES = {
    'nothing': b'', 'blanks': b' \n\t', 'no JSON': b'{"host": ',
    'a word': b'host', 'a byte order mark': b'\xef\xbb\xbf{}',
    'UTF-16': '{}'.encode('utf-16'), 'two documents': b'{} {}',
    'a comment': b'{} // nothing', 'a text': b'"host"', 'a number': b'7',
    'an empty object': b'{}', 'an empty list': b'[]', 'null': b'null',
    'quotes of the wrong kind': b"{'host': {}}",
    'a trailing comma': b'{"host": {},}',
}


def one(kind: Kind, raw: bytes) -> bytes:
    """A record of the kind, its text as given and the rest right."""
    rest = json.dumps({name: value for name, value in kind.record.items()
                       if name != kind.text})[1:-1].encode()
    return b'{"%s": {%s%s "%s": %s}}' % (
        kind.name.encode(), rest, b',' if rest else b'', kind.text.encode(),
        raw)


def operation(kind: Kind, raw: bytes) -> bytes:
    return b'[{"op": "replace", "path": "/%s", "value": %s}]' % (
        kind.text.encode(), raw)


class Ask(NamedTuple):
    """A way to write: method, where, media type and what the body is."""

    method: str
    path: str
    media_type: str
    body: Callable[[Kind, bytes], bytes]


ASKS = {
    'POST': Ask('POST', '', 'application/json', one),
    'PUT': Ask('PUT', '/{id}', 'application/json', one),
    'PUT of a new one': Ask('PUT', f'/{OTHER}', 'application/json', one),
    'PATCH': Ask('PATCH', '/{id}', 'application/merge-patch+json', one),
    'JSON Patch': Ask('PATCH', '/{id}', 'application/json-patch+json',
                      operation),
}


class World:
    """A service with one record of each kind, and how it stood at first."""

    def __init__(self, served: Any) -> None:
        self.served = served
        self.ids: dict[str, str] = {}
        for kind in KINDS:
            record = dict(kind.record)
            if kind is MAINTENANCE:
                record['host_id'] = self.ids['hosts']
            made = served.request('POST', f'/v1/{kind.plural}',
                                  {kind.name: record})
            self.ids[kind.plural] = made.json[kind.name]['id']
        self.first = self.records()

    def records(self) -> list[Any]:
        return [self.served.request('GET', f'/v1/{kind.plural}').json[
            kind.plural] for kind in KINDS]

    def ask(self, ask: Ask, kind: Kind, body: bytes,
            media_type: str | None = None) -> Reply:
        path = f'/v1/{kind.plural}' + ask.path.format(
            id=self.ids[kind.plural])
        return self.served.request(
            ask.method, path, body,
            {'Content-Type': media_type or ask.media_type})


@pytest.fixture(scope='module', params=['in process', 'daemon'])
def world(request: pytest.FixtureRequest,
          tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = config_dir(tmp_path_factory.mktemp('bad'))
    if request.param == 'in process':
        yield World(Application(directory))
        return
    with Daemon(directory) as daemon:
        yield World(daemon)


@pytest.fixture(autouse=True)
def nothing_is_written(world: World) -> Iterator[None]:
    yield
    assert world.records() == world.first


def refused(reply: Reply, *statuses: int) -> Any:
    """The error document of a refusal, after a look at its shape."""
    assert reply.status in statuses, reply.body
    assert reply.headers['Content-Type'] == 'application/json'
    assert reply.json['error']['code'] == reply.status
    for item in reply.json['errors']:
        assert item['status'] == reply.status
        assert len(item['detail']) < 2000
    return reply.json


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize('ask', ASKS)
@pytest.mark.parametrize('value', VALUES)
def test_no_text_can_be(world: World, kind: Kind, ask: str,
                        value: str) -> None:
    how = ASKS[ask]
    refused(world.ask(how, kind, how.body(kind, VALUES[value])), 400)


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize('ask', ASKS)
def test_no_body_can_be_any_of_these(world: World, kind: Kind,
                                     ask: str) -> None:
    for name, body in BODIES.items():
        if (ask, name) != ('JSON Patch', 'an empty list'):
            refused(world.ask(ASKS[ask], kind, body), 400)


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize('ask', ASKS)
def test_a_name_that_stands_twice_is_told_with_its_place(
        world: World, kind: Kind, ask: str) -> None:
    body = b'{"%s": {"%s": "a", "%s": "b"}}' % (
        kind.name.encode(), kind.text.encode(), kind.text.encode())
    told = refused(world.ask(ASKS[ask], kind, body), 400)
    assert told['errors'][0]['source'] == {
        'pointer': f'/{kind.name}/{kind.text}'}


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize('ask', ['POST', 'PUT', 'PUT of a new one', 'PATCH'])
def test_a_member_that_is_not_declared_is_told_with_its_place(
        world: World, kind: Kind, ask: str) -> None:
    body = json.dumps({kind.name: {**kind.record, 'a/b': 1}}).encode()
    told = refused(world.ask(ASKS[ask], kind, body), 400)
    assert f'/{kind.name}/a~1b' in [
        item['source']['pointer'] for item in told['errors']]


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
def test_a_patch_adds_no_member_that_is_not_declared(world: World,
                                                     kind: Kind) -> None:
    told = refused(world.ask(
        ASKS['JSON Patch'], kind,
        b'[{"op": "add", "path": "/colour", "value": 1}]'), 400)
    assert told['errors'][0]['source'] == {'pointer': '/colour'}


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize('ask', ASKS)
@pytest.mark.parametrize('media_type', [
    'text/plain', 'application/xml', 'application/json; charset=latin-1',
    'application/x-www-form-urlencoded', 'nonsense', 'application/json;;;='])
def test_no_other_media_type_is_read(world: World, kind: Kind, ask: str,
                                     media_type: str) -> None:
    how = ASKS[ask]
    refused(world.ask(how, kind, how.body(kind, b'"right"'), media_type), 415)


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize('ask', ASKS)
def test_no_body_is_above_the_limit(world: World, kind: Kind,
                                    ask: str) -> None:
    how = ASKS[ask]
    body = how.body(kind, json.dumps('x' * 2 ** 20).encode())
    refused(world.ask(how, kind, body), 413)


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize('query', [
    'limit=0', 'limit=-1', 'limit=1.5', 'limit=', 'limit=NaN',
    'limit=1&limit=2', 'marker=nobody', 'marker=%00', 'sort=nothing',
    'sort=id:up', 'fields=nothing', 'created_at=yesterday', 'created_at=%00',
    'id=%ff', 'id=%00', '%ff=1', '%00=1', 'nothing=1', 'with_count=maybe',
    'tags=a,,b', f'id={"x" * 10_000}', f'{"x" * 10_000}=1',
    'id=in:' + ','.join(['a'] * 5_000), '&'.join(['tags-any=a'] * 60)])
def test_no_list_is_asked_for_like_this(world: World, kind: Kind,
                                        query: str) -> None:
    refused(world.served.request('GET', f'/v1/{kind.plural}?{query}'),
            400, 414)


@pytest.mark.parametrize('kind', KINDS, ids=lambda kind: kind.plural)
@pytest.mark.parametrize('id', ['%00', '%ff', '%0a', "'%20OR%201=1",
                                '%F0%9F%98%80', 'x' * 5_000])
def test_nothing_has_such_an_id(world: World, kind: Kind, id: str) -> None:
    for method in ('GET', 'DELETE'):
        refused(world.served.request(method, f'/v1/{kind.plural}/{id}'), 404)
    refused(world.served.request('GET', f'/v1/{kind.plural}{id}'), 404)
