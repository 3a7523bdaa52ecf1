# SPDX-License-Identifier: Apache-2.0
"""Another project's record answers as one that never was: at each route and
method of the router's table, by the same bytes and the same statements.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from api.routing.router import Route
from tests.functional.harness import policy_matrix
from tests.functional.harness.daemon import SHIPPED_CONFIG, Reply, config_dir
from tests.functional.harness.in_process import Application

OURS = {'X-Project-Id': 'ours', 'X-Roles': 'member'}
THEIRS = {'X-Project-Id': 'theirs', 'X-Roles': 'member'}
LATEST = {'OpenStack-API-Version': 'pileus latest'}

#: Each route of the shipped types that is about one record of a project.
ROUTES = [one for one in policy_matrix.routes(SHIPPED_CONFIG)
          if '{id}' in one.path and one.declared and one.declared.owned]

#: Bodies by controller and action; of an action, each one there is. Whoever
#: adds a route that reads a body adds one here.
BODIES: Mapping[tuple[str, str], tuple[Any, ...]] = {
    ('records', 'patch'): ({'NAME': {}}, {'NAME': {'tags': ['x']}},
                           {'NAME': {'bogus': 1}}, {'NAME': 1}),
    ('tags', 'replace'): ({'tags': ['x']}, {'tags': 1}),
    ('metadata', 'replace'): ({'metadata': {}}, {'metadata': 1}),
    ('metadata', 'create'): ({'key': 'k', 'value': 'v'},
                             {'key': 'k', 'value': 'other'}, {}),
    ('metadata', 'set'): ({'value': 'w'}, {'value': 1}),
    ('actions', 'act'): ({'revert': {'revision': 1}}, {'retire': {}},
                         {'retire': {'reason': 'old'}}, {'revert': {}},
                         {'bogus': {}}),
}

#: What a caller may say it saw; each makes an oracle of its own.
CONDITIONS: tuple[Mapping[str, str], ...] = (
    {}, {'If-Match': '*'}, {'If-Match': 'ETAG'}, {'If-Match': '"x-y"'},
    {'If-None-Match': '*'}, {'If-None-Match': 'ETAG'})


class World:
    """A service where the other project has one record of each type."""

    def __init__(self, tmp_path: Path) -> None:
        self.served = Application(config_dir(tmp_path))
        host = self._make('hosts', {'name': 'h', 'serial': 'CZ-1001'})
        window = self._make('maintenances', {
            'title': 'm', 'host_id': host['id'],
            'starts_at': '2031-05-01T00:00:00Z'})
        self.theirs = {'hosts': host, 'maintenances': window}

    def _make(self, plural: str, values: dict[str, Any]) -> dict[str, Any]:
        reply = self.served.request('POST', f'/v1/{plural}', {plural[:-1]: {
            **values, 'tags': ['t'], 'metadata': {'k': 'v'}}},
            {**LATEST, **THEIRS, 'Idempotency-Key': f'{plural}-1'})
        assert reply.status == 201
        self.etag = reply.headers['ETag']
        return reply.json[plural[:-1]]

    def ask(self, method: str, path: str, body: Any = None,
            headers: Mapping[str, str] = OURS) -> tuple[Reply, list[str]]:
        """The reply, and the statements that it took."""
        with statements() as run:
            reply = self.served.request(method, path, body, {
                **LATEST, **headers})
        return reply, run


@contextmanager
def statements() -> Iterator[list[str]]:
    """The text of every statement, without the values it is run with; but
    for the look at the types' generation, which comes with time and not with
    what is asked."""
    found: list[str] = []

    def note(connection: Any, cursor: Any, statement: str,
             *rest: Any) -> None:
        if not re.match(r'SELECT pileus_counter\.generation\b', statement):
            found.append(statement)
    sa.event.listen(sa.Engine, 'before_cursor_execute', note)
    try:
        yield found
    finally:
        sa.event.remove(sa.Engine, 'before_cursor_execute', note)


@pytest.fixture(scope='module')
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp('idor'))


def told(reply: Reply, id: str) -> tuple[Any, ...]:
    """All of a reply that could tell an id that is there from one that is
    not: but for the id itself and what differs between any two replies."""
    headers = sorted((name, value.replace(id, 'ID'))
                     for name, value in reply.headers.items()
                     if name.lower() not in ('date',
                                             'x-openstack-request-id'))
    body = re.sub(r'req-[0-9a-f-]{36}', 'REQUEST',
                  reply.body.decode()).replace(id, 'ID')
    return reply.status, headers, body


def bodies(route: Route) -> tuple[Any, ...]:
    if not route.body:
        return (None,)
    assert route.declared is not None
    key = route.controller.rpartition('.')[2], route.action
    assert key in BODIES, f'a body for {key} is needed here'
    text = json.dumps(BODIES[key]).replace('NAME', route.declared.name)
    return tuple(json.loads(text))


def path(route: Route, id: str) -> str:
    return '/v1' + route.path.format(id=id, tag='t', key='k')


def same(world: World, method: str, route: Route, body: Any,
         headers: Mapping[str, str], query: str = '') -> Reply:
    """Ask for theirs and for what never was; both must be told alike."""
    assert route.declared is not None
    theirs = world.theirs[route.declared.plural]['id']
    never = str(uuid.uuid4())
    (met, work), (missed, less) = (
        world.ask(method, path(route, one) + query, body,
                  {**OURS, **headers}) for one in (theirs, never))
    assert told(met, theirs) == told(missed, never), (method, route.path)
    assert work == less, 'the work tells them apart'
    return met


SWEPT = [one for one in ROUTES
         if (one.method, one.controller) != ('PUT', 'records')]


@pytest.mark.parametrize('route', SWEPT,
                         ids=lambda one: f'{one.method} {one.path}')
def test_theirs_is_as_what_never_was(world, route):
    """A04, L06: status, body, headers and work; whatever the caller says it
    saw, and whether or not the body would do."""
    for method in route.methods:
        for body in bodies(route):
            for condition in CONDITIONS:
                headers = {name: value.replace('ETAG', world.etag)
                           for name, value in condition.items()}
                reply = same(world, method, route, body, headers)
                if body is None:
                    assert reply.status in (404, 400, 412), reply.body


def test_the_sweep_meets_every_route_of_a_record():
    """Each has been answered 404 for what is all right otherwise."""
    assert len(SWEPT) >= 34
    assert {one.declared.plural for one in SWEPT if one.declared} == {
        'hosts', 'maintenances'}


@pytest.mark.parametrize('query', [
    '?fields=id', '?fields=bogus', '?revision=1', '?revision=99',
    '?revision=x', '?bogus=1'])
def test_also_with_parameters(world, query):
    """A04"""
    for route in ROUTES:
        if (route.method, route.action) == ('GET', 'show'):
            same(world, 'GET', route, None, {}, query)


@pytest.mark.parametrize('query', ['?dry_run=true', '?dry_run=x'])
def test_also_where_nothing_would_be_kept(world, query):
    """A04"""
    for route in SWEPT:
        if 'dry_run' in (route.query or ()):
            same(world, route.method, route, bodies(route)[0], {}, query)


@pytest.mark.parametrize('plural', ['hosts', 'maintenances'])
def test_a_put_is_told_that_the_id_is_taken_and_nothing_else(world, plural):
    """A04: ids are unique over all projects (D17)."""
    record = world.theirs[plural]
    body = {plural[:-1]: {'name': 'mine', 'serial': 'XX-0001'}
            if plural == 'hosts' else {'title': 'mine', 'host_id': str(
                uuid.uuid4()), 'starts_at': '2031-05-01T00:00:00Z'}}
    reply, _ = world.ask('PUT', f'/v1/{plural}/{record["id"]}', body)
    assert reply.status == 409
    (error,) = reply.json['errors']
    assert error['code'] == 'pileus.id-taken'
    assert error['detail'] == (
        f'The id {record["id"]} is already taken; choose another id.')
    for condition in ({'If-Match': '*'}, {'If-Match': world.etag}):
        reply, _ = world.ask('PUT', f'/v1/{plural}/{record["id"]}', body, {
            **OURS, **condition})
        assert reply.status == 412, 'as for an id that is not there'
    again, _ = world.ask('GET', f'/v1/{plural}/{record["id"]}', None, THEIRS)
    assert again.json[plural[:-1]] == record


LISTS = ['id=ID', 'id=in:ID,NEVER', 'project_id=theirs', 'id=neq:NEVER',
         'tags=t', 'tags-any=t', 'not-tags=x', 'with_count=true',
         'with_count=true&project_id=theirs', 'sort=name:desc',
         'sort=created_at', 'name=h', 'serial=CZ-1001', 'limit=1',
         'all_projects=false']


@pytest.mark.parametrize('query', LISTS)
def test_no_list_of_ours_counts_finds_or_orders_theirs(world, query):
    """A04: nothing comes back, and it is said that nothing is there."""
    asked = query.replace('ID', world.theirs['hosts']['id']).replace(
        'NEVER', str(uuid.uuid4()))
    reply, _ = world.ask('GET', f'/v1/hosts?{asked}')
    assert reply.json['hosts'] == []
    assert reply.json.get('count', 0) == 0
    assert {one['rel'] for one in reply.json['links']} == {'self', 'first'}


def test_their_marker_is_no_marker(world):
    """A04: by the same error and the same work as one that never was."""
    theirs, never = world.theirs['hosts']['id'], str(uuid.uuid4())
    (met, work), (missed, less) = (
        world.ask('GET', f'/v1/hosts?marker={one}')
        for one in (theirs, never))
    assert met.status == 400
    assert told(met, theirs) == told(missed, never)
    assert work == less


def test_their_record_is_nothing_to_refer_to(world):
    """A04, D14: not even for an administrator's record of ours."""
    theirs, never = world.theirs['hosts']['id'], str(uuid.uuid4())
    for roles in ('member', 'admin'):
        (met, work), (missed, less) = (
            world.ask('POST', '/v1/maintenances', {'maintenance': {
                'title': 'x', 'host_id': one,
                'starts_at': '2031-05-01T00:00:00Z'}},
                {**OURS, 'X-Roles': roles}) for one in (theirs, never))
        assert met.status == 400
        assert met.json['errors'][0]['code'] == 'pileus.missing-reference'
        assert told(met, theirs) == told(missed, never)
        assert work == less


def test_what_they_hold_is_free_for_us(world):
    """A04: unique values are a project's own; no 409 tells of theirs."""
    reply, _ = world.ask('POST', '/v1/hosts?dry_run=true', {'host': {
        'name': 'h', 'serial': 'CZ-1001'}})
    assert reply.status == 200


def test_their_idempotency_key_is_a_new_one(world):
    """A04, D18: neither their reply nor a conflict with their body."""
    reply, _ = world.ask('POST', '/v1/hosts', {'host': {
        'name': 'ours', 'serial': 'OU-0001'}}, {
            **OURS, 'Idempotency-Key': 'hosts-1'})
    assert reply.status == 201
    host = reply.json['host']
    assert (host['name'], host['project_id']) == ('ours', 'ours')
    world.served.request('DELETE', f'/v1/hosts/{host["id"]}', None, OURS)


@pytest.mark.parametrize('headers', [OURS, {**OURS, 'X-Roles': 'reader'},
                                     {**OURS, 'X-Roles': 'nobody'}])
def test_quotas_are_refused_alike_whether_there_is_a_project_or_not(
        world, headers):
    """A04: their usage is not ours to see."""
    for method, body in (('GET', None), ('PUT', {'quota': {}}),
                         ('PATCH', {'quota': {}}), ('DELETE', None)):
        (met, work), (missed, less) = (
            world.ask(method, f'/v1/quotas/{one}', body, headers)
            for one in ('theirs', 'nobodys'))
        assert met.status == 403
        assert told(met, 'theirs') == told(missed, 'nobodys')
        assert work == less == []


@pytest.mark.parametrize('verb', ['POST', 'PUT', 'create', 'PATCH',
                                  'json-patch'])
@pytest.mark.parametrize('role', ['member', 'admin'])
def test_nothing_changes_hands(world, verb, role):
    """A05: an owner is given once, by an administrator's POST."""
    id = str(uuid.uuid4())
    host = {'name': id[:8], 'serial': id[:8].upper()}
    patch = {**OURS, 'X-Roles': role,
             'Content-Type': 'application/json-patch+json'}
    plain = {**OURS, 'X-Roles': role}
    stolen = {**host, 'project_id': 'theirs'}
    if verb not in ('POST', 'create'):
        made = world.served.request('PUT', f'/v1/hosts/{id}', {'host': host},
                                    OURS)
        assert made.status == 201
    asked: Mapping[str, tuple[Any, ...]] = {
        'POST': ('POST', '/v1/hosts?dry_run=true', {'host': stolen}, plain),
        'create': ('PUT', f'/v1/hosts/{id}', {'host': stolen}, plain),
        'PUT': ('PUT', f'/v1/hosts/{id}', {'host': stolen}, plain),
        'PATCH': ('PATCH', f'/v1/hosts/{id}', {'host': {
            'project_id': 'theirs'}}, plain),
        'json-patch': ('PATCH', f'/v1/hosts/{id}', [{
            'op': 'replace', 'path': '/project_id', 'value': 'theirs'}],
            patch)}
    reply, _ = world.ask(*asked[verb])
    if verb == 'POST':
        assert reply.status == (403 if role == 'member' else 200)
        return
    assert reply.status == 400, reply.body
    assert reply.json['errors'][0]['source']['pointer'].endswith(
        '/project_id')
    if verb != 'create':
        now = world.served.request('GET', f'/v1/hosts/{id}', None, OURS)
        assert now.json['host']['project_id'] == 'ours'
    world.served.request('DELETE', f'/v1/hosts/{id}', None, OURS)


def test_an_administrator_acts_for_them(world):
    """A05, D19: by id, by all_projects with a filter, and by create."""
    root = {**OURS, 'X-Roles': 'admin'}
    theirs = world.theirs['hosts']['id']
    reply, _ = world.ask('GET', f'/v1/hosts/{theirs}', None, root)
    assert reply.status == 200
    for query, found in (('', []), ('?all_projects=true', [theirs]),
                         ('?all_projects=true&project_id=theirs', [theirs]),
                         ('?all_projects=true&project_id=ours', [])):
        reply, _ = world.ask('GET', f'/v1/hosts{query}', None, root)
        assert [one['id'] for one in reply.json['hosts']] == found
    reply, _ = world.ask('POST', '/v1/hosts?dry_run=true', {'host': {
        'name': 'n', 'serial': 'NN-0001', 'project_id': 'theirs'}}, root)
    assert reply.json['host']['project_id'] == 'theirs'
