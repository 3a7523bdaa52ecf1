# SPDX-License-Identifier: Apache-2.0
"""Compare ``pileus-manage policy matrix`` with the answers of a service.

``Matrix`` creates a record of each shipped type. It then sends, as each
persona, each request that a rule guards: the requests of the rule's routes,
and those that reach the rule through the route of another rule. Each GET is
repeated as HEAD, and each creation of one record as a creation of two. Writes
are dry runs, so that one record serves all of them.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import service
from api import table
from api.routing import extensions
from api.routing.router import Route
from service.config import files as config_files
from tests.functional.harness.daemon import Reply

Headers = Mapping[str, str]
#: method, path, body, headers -> reply
SendRequest = Callable[[str, str, Any, Headers], Reply]

NEWEST_VERSION = {'OpenStack-API-Version': 'pileus latest'}

#: Cell of the matrix -> the valid statuses of an answer.
STATUSES = {'allowed': range(200, 300), 'denied': [403], 'hidden': [404]}

#: (controller, action) -> a valid body of the route.
BODIES: Mapping[tuple[str, str], Any] = {
    ('tags', 'replace'): {'tags': ['x']},
    ('metadata', 'replace'): {'metadata': {'x': 'y'}},
    ('metadata', 'create'): {'key': 'l', 'value': 'w'},
    ('metadata', 'set'): {'value': 'w'},
    ('quotas', 'replace'): {'quota': {}},
    ('quotas', 'patch'): {'quota': {}},
}


class Request(NamedTuple):
    """One request; ``body`` may be a function of the persona."""

    method: str
    path: str
    body: Any = None

    @property
    def label(self) -> str:
        return f'{self.method} {self.path} {json.dumps(self.body)}'


class Matrix:
    """The printed matrix of a config directory, and its service.

    ``headers`` maps each persona to its headers. The key ``no_role:guest``
    is a caller named guest that the row of no_role must hold for as well.
    ``admin_headers`` are those of an administrator who creates the records.
    ``own`` and ``other`` are the ids of two projects.
    """

    def __init__(self, directory: Path, request: SendRequest,
                 headers: Mapping[str, Headers], admin_headers: Headers,
                 own: str, other: str) -> None:
        self._send_request = request
        self._headers = headers
        self._admin_headers = admin_headers
        self._own, self._other = own, other
        self._numbers = itertools.count(1)
        self._serials = itertools.count(1)
        self.rows = printed_matrix(directory)
        self._routes = routes(directory)
        self._records = self._create_records()

    def mismatches(self) -> list[str]:
        """Return the cells that differ from the service, for all rows."""
        mismatches: list[str] = []
        for row in self.rows:
            count = 0
            for request, persona in itertools.product(
                    self._requests(row['rule']), self._headers):
                count += 1
                mismatches += self._compare(row, request, persona)
            assert count, f'no request is sent for the rule {row["rule"]}'
        return mismatches

    def options_mismatches(self) -> list[str]:
        """Return the paths and personas whose OPTIONS is not 204.

        The answer to OPTIONS says nothing of records, so it must be the same
        for all callers.
        """
        requests = {Request('OPTIONS', self._path(route))
                    for route in self._routes}
        return [f'OPTIONS {request.path}: {persona}'
                for request, (persona, headers) in itertools.product(
                    requests, self._headers.items())
                if self._send(request, headers).status != 204]

    def _compare(self, row: Mapping[str, str], request: Request,
                 persona: str) -> Iterator[str]:
        if callable(request.body):
            request = request._replace(body=request.body(persona))
        status = self._send(request, self._headers[persona]).status
        cell = row[persona.partition(':')[0]]
        valid = STATUSES[cell]
        if row['rule'].endswith(':replace') and cell == 'hidden':
            valid = [409]     # D17: a hidden record's id is only "taken"
        if status not in valid:
            yield (f'{row["rule"]}: {persona} is {cell} but '
                   f'{request.label} is {status}')

    def _send(self, request: Request, headers: Headers) -> Reply:
        return self._send_request(
            request.method, request.path, request.body,
            {**NEWEST_VERSION, **headers})

    # Records

    def _create_records(self) -> dict[str, str]:
        """Create a record of each type; return the ids by collection.

        The id at ``elsewhere`` is that of a host of the other project.
        """
        ids = {'elsewhere': self._create('hosts', self._host() | {
            'project_id': self._other})}
        ids['hosts'] = self._create('hosts', self._host() | {
            'project_id': self._own})
        ids['racks'] = self._create('racks', self._rack())
        ids['maintenances'] = self._create('maintenances', self._window(
            ids['hosts']) | {'project_id': self._own})
        return ids

    def _create(self, plural: str, values: Mapping[str, Any]) -> str:
        reply = self._send(Request('POST', f'/v1/{plural}', {
            plural: [{**values, 'tags': ['t'], 'metadata': {'k': 'v'}}]}),
            self._admin_headers)
        assert reply.status == 201, reply.body
        return reply.json[plural][0]['id']

    def _host(self) -> dict[str, Any]:
        return {'name': f'm-{next(self._numbers)}',
                'serial': f'MX-{next(self._serials):06}'}

    def _rack(self) -> dict[str, Any]:
        return {'name': f'm-{next(self._numbers)}'}

    def _window(self, host: str) -> dict[str, Any]:
        day = next(self._numbers)
        return {'title': 'm', 'host_id': host,
                'starts_at': f'{2031 + day // 300}-01-01T00:00:00Z',
                'ends_at': f'{2031 + day // 300}-01-01T00:00:00.000001Z',
                'state': 'done'}

    def _new(self, plural: str, project: str) -> dict[str, Any]:
        """Return properties of a new record that the project may create."""
        host = self._records['hosts' if project == self._own else 'elsewhere']
        return {'hosts': self._host, 'racks': self._rack,
                'maintenances': lambda: self._window(host)}[plural]()

    # Requests that a rule guards

    def _requests(self, rule: str) -> Iterator[Request]:
        _, plural, action = (*rule.split(':'), '')[:3]
        for request in self._base_requests(rule, plural, action):
            yield request
            if request.method == 'GET':
                yield request._replace(method='HEAD')
            if action in ('create', 'create_any'):
                yield request._replace(body=_two_records(
                    plural, request.body))

    def _base_requests(self, rule: str, plural: str, action: str
                       ) -> Iterator[Request]:
        for route in self._routes:
            if route.rule == rule and route.action != 'act':
                yield self._of_route(route)
        special = _SPECIAL.get(action)
        if special is not None:
            yield special(self, plural)

    def _of_route(self, route: Route) -> Request:
        path = self._path(route)
        if 'dry_run' in (route.query or ()):
            path += '?dry_run=true'
        return Request(route.method, path, self._body(route))

    def _path(self, route: Route) -> str:
        plural = route.declared.plural if route.declared else ''
        return '/v1' + route.path.format(
            id=self._records.get(plural), tag='t', key='k', name='host',
            project_id=self._own, code='not-found')

    def _body(self, route: Route) -> Any:
        """Return a valid body, or a function from persona to body."""
        if not route.body:
            return None
        if route.controller != 'records':
            return BODIES[route.controller, route.action]
        assert route.declared is not None
        name, plural = route.declared.name, route.declared.plural
        return {
            'create': lambda: lambda persona: {
                name: self._new(plural, self._project(persona))
                | self._project_id(route, persona)},
            'replace': lambda: {name: self._stored(plural)},
            'patch': lambda: {name: {}}}[route.action]()

    def _stored(self, plural: str) -> dict[str, Any]:
        """Return the record as the service shows it."""
        reply = self._send(Request('GET', self._record_path(plural)),
                           self._admin_headers)
        (record,) = reply.json.values()
        return record

    def _project(self, persona: str) -> str:
        return self._other if persona.startswith('other') else self._own

    def _project_id(self, route: Route, persona: str) -> dict[str, str]:
        """Return the project_id that a caller without project must give."""
        assert route.declared is not None
        needed = persona == 'system_admin' and route.declared.owned
        return {'project_id': self._own} if needed else {}

    def _create_any(self, plural: str) -> Request:
        """Create a record for a project other than the caller's."""
        name = plural[:-1]

        def body(persona: str) -> Any:
            target = (self._other if self._project(persona) == self._own
                      else self._own)
            return {name: self._new(plural, target) | {'project_id': target}}
        return Request('POST', f'/v1/{plural}?dry_run=true', body)

    def _list_any(self, plural: str) -> Request:
        return Request('GET', f'/v1/{plural}?all_projects=true')

    def _show_revision(self, plural: str) -> Request:
        number = self._revision_number(plural)
        return Request('GET', f'{self._record_path(plural)}?revision={number}')

    def _revert(self, plural: str) -> Request:
        return self._act(plural, 'revert', {
            'revision': self._revision_number(plural)})

    def _retire(self, plural: str) -> Request:
        return self._act(plural, 'retire', {})

    def _act(self, plural: str, name: str, arguments: Any) -> Request:
        path = f'{self._record_path(plural)}/action?dry_run=true'
        return Request('POST', path, {name: arguments})

    def _revision_number(self, plural: str) -> int:
        """Return the number of the record's only revision."""
        path = f'{self._record_path(plural)}/revisions'
        reply = self._send(Request('GET', path), self._admin_headers)
        return int(reply.json['revisions'][0]['number'])

    def _record_path(self, plural: str) -> str:
        return f'/v1/{plural}/{self._records[plural]}'


def _two_records(plural: str, body: Callable[[str], Any]
                 ) -> Callable[[str], Any]:
    """Return a body function for two records instead of one."""
    return lambda persona: {plural: [
        record for _ in range(2) for record in body(persona).values()]}


#: Action of a rule -> its request through the route of another rule.
_SPECIAL: Mapping[str, Callable[[Matrix, str], Request]] = {
    'create_any': Matrix._create_any, 'list_any': Matrix._list_any,
    'show_revision': Matrix._show_revision, 'revert': Matrix._revert,
    'retire': Matrix._retire}


def printed_matrix(directory: Path) -> list[dict[str, str]]:
    """Return the rows that ``pileus-manage policy matrix`` prints."""
    script = Path(sys.executable).with_name('pileus-manage')
    done = subprocess.run(
        [script, '--config-dir', str(directory), 'policy', 'matrix',
         '--format', 'json'], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def routes(directory: Path) -> list[Route]:
    """Return the routes of a config directory, without OPTIONS."""
    catalogue = service.catalogue(
        config_files.load(['--config-dir', str(directory)]))
    return [route for route in table.routes(catalogue,
                                            extensions.load(catalogue))
            if route.method != 'OPTIONS']
