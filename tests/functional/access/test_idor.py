# SPDX-License-Identifier: Apache-2.0
"""A record of another project gets the same answer as a missing record.

This holds at each route and method, for the bytes of the reply and for the
SQL statements that it takes.
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

#: Each route of the shipped types to one record of a project.
ROUTES = [route for route in policy_matrix.routes(SHIPPED_CONFIG)
          if '{id}' in route.path and route.declared and route.declared.owned]

#: (controller, action) -> valid and invalid bodies. A new route with a body
#: needs an entry here.
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

#: Preconditions of a request. Each could reveal whether a record exists.
CONDITIONS: tuple[Mapping[str, str], ...] = (
    {}, {'If-Match': '*'}, {'If-Match': 'ETAG'}, {'If-Match': '"x-y"'},
    {'If-None-Match': '*'}, {'If-None-Match': 'ETAG'})


class SharedService:
    """A service in which the other project has one record of each type."""

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
        """Return the reply, and the SQL statements that it took."""
        with statements() as executed:
            reply = self.served.request(method, path, body, {
                **LATEST, **headers})
        return reply, executed


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect the text of the statements that run in this context.

    The check of the catalogue number is left out: it runs at intervals and
    does not depend on the request.
    """
    executed: list[str] = []

    def add(connection: Any, cursor: Any, statement: str,
            *rest: Any) -> None:
        if not re.match(r'SELECT pileus_counter\.generation\b', statement):
            executed.append(statement)
    sa.event.listen(sa.Engine, 'before_cursor_execute', add)
    try:
        yield executed
    finally:
        sa.event.remove(sa.Engine, 'before_cursor_execute', add)


@pytest.fixture(scope='module')
def shared(tmp_path_factory: pytest.TempPathFactory) -> SharedService:
    return SharedService(tmp_path_factory.mktemp('idor'))


def comparable(reply: Reply, id: str) -> tuple[Any, ...]:
    """Return all parts of a reply that could reveal whether ``id`` exists.

    The id and the parts that differ between any two replies are replaced.
    """
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
    assert key in BODIES, f'BODIES needs an entry for {key}'
    text = json.dumps(BODIES[key]).replace('NAME', route.declared.name)
    return tuple(json.loads(text))


def path(route: Route, id: str) -> str:
    return '/v1' + route.path.format(id=id, tag='t', key='k')


def assert_alike(shared: SharedService, method: str, route: Route, body: Any,
                 headers: Mapping[str, str], query: str = '') -> Reply:
    """Request a record of the other project and a missing one; assert that
    the replies and the statements are equal."""
    assert route.declared is not None
    theirs = shared.theirs[route.declared.plural]['id']
    missing = str(uuid.uuid4())
    (existing, sql), (absent, absent_sql) = (
        shared.ask(method, path(route, id) + query, body,
                   {**OURS, **headers}) for id in (theirs, missing))
    assert comparable(existing, theirs) == comparable(absent, missing), (
        method, route.path)
    assert sql == absent_sql, 'the statements differ'
    return existing


CHECKED = [route for route in ROUTES
           if (route.method, route.controller) != ('PUT', 'records')]


@pytest.mark.parametrize('route', CHECKED,
                         ids=lambda route: f'{route.method} {route.path}')
def test_a_record_of_another_project_answers_as_a_missing_record(shared,
                                                                 route):
    """A04, L06: status, body, headers and statements are equal, with each
    precondition, for valid and invalid bodies."""
    for method in route.methods:
        for body in bodies(route):
            for condition in CONDITIONS:
                headers = {name: value.replace('ETAG', shared.etag)
                           for name, value in condition.items()}
                reply = assert_alike(shared, method, route, body, headers)
                if body is None:
                    assert reply.status in (404, 400, 412), reply.body


def test_all_routes_of_a_record_are_checked():
    """The list of routes includes both types of the other project."""
    assert len(CHECKED) >= 34
    assert {route.declared.plural for route in CHECKED if route.declared} == {
        'hosts', 'maintenances'}


@pytest.mark.parametrize('query', [
    '?fields=id', '?fields=bogus', '?revision=1', '?revision=99',
    '?revision=x', '?bogus=1'])
def test_query_parameters_do_not_reveal_a_record(shared, query):
    """A04"""
    for route in ROUTES:
        if (route.method, route.action) == ('GET', 'show'):
            assert_alike(shared, 'GET', route, None, {}, query)


@pytest.mark.parametrize('query', ['?dry_run=true', '?dry_run=x'])
def test_a_dry_run_does_not_reveal_a_record(shared, query):
    """A04"""
    for route in CHECKED:
        if 'dry_run' in (route.query or ()):
            assert_alike(shared, route.method, route, bodies(route)[0], {},
                         query)


@pytest.mark.parametrize('plural', ['hosts', 'maintenances'])
def test_a_put_learns_only_that_the_id_is_taken(shared, plural):
    """A04: ids are unique over all projects (D17)."""
    record = shared.theirs[plural]
    body = {plural[:-1]: {'name': 'mine', 'serial': 'XX-0001'}
            if plural == 'hosts' else {'title': 'mine', 'host_id': str(
                uuid.uuid4()), 'starts_at': '2031-05-01T00:00:00Z'}}
    reply, _ = shared.ask('PUT', f'/v1/{plural}/{record["id"]}', body)
    assert reply.status == 409
    (error,) = reply.json['errors']
    assert error['code'] == 'pileus.id-taken'
    assert error['detail'] == (
        f'The id {record["id"]} is already taken; choose another id.')
    for condition in ({'If-Match': '*'}, {'If-Match': shared.etag}):
        reply, _ = shared.ask('PUT', f'/v1/{plural}/{record["id"]}', body, {
            **OURS, **condition})
        assert reply.status == 412, 'as for an id that is not there'
    again, _ = shared.ask('GET', f'/v1/{plural}/{record["id"]}', None, THEIRS)
    assert again.json[plural[:-1]] == record


LIST_QUERIES = ['id=ID', 'id=in:ID,NEVER', 'project_id=theirs', 'id=neq:NEVER',
                'tags=t', 'tags-any=t', 'not-tags=x', 'with_count=true',
                'with_count=true&project_id=theirs', 'sort=name:desc',
                'sort=created_at', 'name=h', 'serial=CZ-1001', 'limit=1',
                'all_projects=false']


@pytest.mark.parametrize('query', LIST_QUERIES)
def test_lists_neither_show_nor_count_records_of_another_project(shared, query
                                                                 ):
    """A04: the list is empty, and so is the count."""
    filled = query.replace('ID', shared.theirs['hosts']['id']).replace(
        'NEVER', str(uuid.uuid4()))
    reply, _ = shared.ask('GET', f'/v1/hosts?{filled}')
    assert reply.json['hosts'] == []
    assert reply.json.get('count', 0) == 0
    assert {link['rel'] for link in reply.json['links']} == {'self', 'first'}


def test_a_marker_of_another_project_is_a_missing_marker(shared):
    """A04: the error and the statements are equal."""
    theirs, missing = shared.theirs['hosts']['id'], str(uuid.uuid4())
    (existing, sql), (absent, absent_sql) = (
        shared.ask('GET', f'/v1/hosts?marker={id}')
        for id in (theirs, missing))
    assert existing.status == 400
    assert comparable(existing, theirs) == comparable(absent, missing)
    assert sql == absent_sql


def test_a_record_of_another_project_cannot_be_referenced(shared):
    """A04, D14: an administrator of our project cannot refer to it either."""
    theirs, missing = shared.theirs['hosts']['id'], str(uuid.uuid4())
    for roles in ('member', 'admin'):
        (existing, sql), (absent, absent_sql) = (
            shared.ask('POST', '/v1/maintenances', {'maintenance': {
                'title': 'x', 'host_id': id,
                'starts_at': '2031-05-01T00:00:00Z'}},
                {**OURS, 'X-Roles': roles}) for id in (theirs, missing))
        assert existing.status == 400
        assert existing.json['errors'][0]['code'] == 'pileus.missing-reference'
        assert comparable(existing, theirs) == comparable(absent, missing)
        assert sql == absent_sql


def test_unique_values_of_another_project_are_available(shared):
    """A04: values are unique in a project, so no 409 reveals theirs."""
    reply, _ = shared.ask('POST', '/v1/hosts?dry_run=true', {'host': {
        'name': 'h', 'serial': 'CZ-1001'}})
    assert reply.status == 200


def test_an_idempotency_key_of_another_project_is_unused(shared):
    """A04, D18: we get neither their reply nor a conflict with their body."""
    reply, _ = shared.ask('POST', '/v1/hosts', {'host': {
        'name': 'ours', 'serial': 'OU-0001'}}, {
            **OURS, 'Idempotency-Key': 'hosts-1'})
    assert reply.status == 201
    host = reply.json['host']
    assert (host['name'], host['project_id']) == ('ours', 'ours')
    shared.served.request('DELETE', f'/v1/hosts/{host["id"]}', None, OURS)


@pytest.mark.parametrize('headers', [OURS, {**OURS, 'X-Roles': 'reader'},
                                     {**OURS, 'X-Roles': 'nobody'}])
def test_the_quotas_of_existing_and_missing_projects_answer_alike(
        shared, headers):
    """A04: a caller sees no usage of another project."""
    for method, body in (('GET', None), ('PUT', {'quota': {}}),
                         ('PATCH', {'quota': {}}), ('DELETE', None)):
        (existing, sql), (absent, absent_sql) = (
            shared.ask(method, f'/v1/quotas/{project}', body, headers)
            for project in ('theirs', 'nobodys'))
        assert existing.status == 403
        assert comparable(existing, 'theirs') == comparable(absent, 'nobodys')
        assert sql == absent_sql == []


@pytest.mark.parametrize('verb', ['POST', 'PUT', 'create', 'PATCH',
                                  'json-patch'])
@pytest.mark.parametrize('role', ['member', 'admin'])
def test_no_write_changes_the_project_of_a_record(shared, verb, role):
    """A05: only an administrator's POST sets the project."""
    id = str(uuid.uuid4())
    host = {'name': id[:8], 'serial': id[:8].upper()}
    patch = {**OURS, 'X-Roles': role,
             'Content-Type': 'application/json-patch+json'}
    plain = {**OURS, 'X-Roles': role}
    stolen = {**host, 'project_id': 'theirs'}
    if verb not in ('POST', 'create'):
        created = shared.served.request('PUT', f'/v1/hosts/{id}',
                                        {'host': host},
                                        OURS)
        assert created.status == 201
    filled: Mapping[str, tuple[Any, ...]] = {
        'POST': ('POST', '/v1/hosts?dry_run=true', {'host': stolen}, plain),
        'create': ('PUT', f'/v1/hosts/{id}', {'host': stolen}, plain),
        'PUT': ('PUT', f'/v1/hosts/{id}', {'host': stolen}, plain),
        'PATCH': ('PATCH', f'/v1/hosts/{id}', {'host': {
            'project_id': 'theirs'}}, plain),
        'json-patch': ('PATCH', f'/v1/hosts/{id}', [{
            'op': 'replace', 'path': '/project_id', 'value': 'theirs'}],
            patch)}
    reply, _ = shared.ask(*filled[verb])
    if verb == 'POST':
        assert reply.status == (403 if role == 'member' else 200)
        return
    assert reply.status == 400, reply.body
    assert reply.json['errors'][0]['source']['pointer'].endswith(
        '/project_id')
    if verb != 'create':
        after = shared.served.request('GET', f'/v1/hosts/{id}', None, OURS)
        assert after.json['host']['project_id'] == 'ours'
    shared.served.request('DELETE', f'/v1/hosts/{id}', None, OURS)


def test_an_administrator_reads_and_creates_for_another_project(shared):
    """A05, D19: reads are by id, or with all_projects and a filter."""
    root = {**OURS, 'X-Roles': 'admin'}
    theirs = shared.theirs['hosts']['id']
    reply, _ = shared.ask('GET', f'/v1/hosts/{theirs}', None, root)
    assert reply.status == 200
    for query, ids in (('', []), ('?all_projects=true', [theirs]),
                       ('?all_projects=true&project_id=theirs', [theirs]),
                       ('?all_projects=true&project_id=ours', [])):
        reply, _ = shared.ask('GET', f'/v1/hosts{query}', None, root)
        assert [host['id'] for host in reply.json['hosts']] == ids
    reply, _ = shared.ask('POST', '/v1/hosts?dry_run=true', {'host': {
        'name': 'n', 'serial': 'NN-0001', 'project_id': 'theirs'}}, root)
    assert reply.json['host']['project_id'] == 'theirs'
