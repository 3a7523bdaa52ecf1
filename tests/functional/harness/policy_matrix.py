# SPDX-License-Identifier: Apache-2.0
"""Every cell of ``pileus-manage policy matrix``, asked of a running service.

``Matrix`` makes a record of each shipped type, and then each request that a
rule guards, as each persona: first what the router's table binds to the rule,
then what is asked at the URL of another rule; HEAD wherever GET, and records
that are made by one and by more. Writes are dry runs, so that one record
serves all of them.
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
Request = Callable[[str, str, Any, Headers], Reply]

NEWEST = {'OpenStack-API-Version': 'pileus latest'}

#: What a caller is answered that the matrix says this of.
MEANS = {'allowed': range(200, 300), 'denied': [403], 'hidden': [404]}

#: The body of a route that takes one, by controller and action.
BODIES: Mapping[tuple[str, str], Any] = {
    ('tags', 'replace'): {'tags': ['x']},
    ('metadata', 'replace'): {'metadata': {'x': 'y'}},
    ('metadata', 'create'): {'key': 'l', 'value': 'w'},
    ('metadata', 'set'): {'value': 'w'},
    ('quotas', 'replace'): {'quota': {}},
    ('quotas', 'patch'): {'quota': {}},
}


class Asked(NamedTuple):
    """One request, of a persona or of all of them."""

    method: str
    path: str
    body: Any = None

    @property
    def label(self) -> str:
        return f'{self.method} {self.path} {json.dumps(self.body)}'


class Matrix:
    """What is printed for a config directory, and what its service says.

    ``headers`` are those of each persona that is asked; of another that is
    to be answered as one, by a name behind its (``no_role:guest``).
    ``maker`` are those of an administrator who makes what is asked for;
    ``own`` and ``other`` are the ids of two projects.
    """

    def __init__(self, directory: Path, request: Request,
                 headers: Mapping[str, Headers], maker: Headers, own: str,
                 other: str) -> None:
        self._request = request
        self._headers = headers
        self._maker = maker
        self._own, self._other = own, other
        self._number = itertools.count(1)
        self._serial = itertools.count(1)
        self.rows = printed(directory)
        self._routes = routes(directory)
        self._records = self._made()

    def wrong(self) -> list[str]:
        """The cells that are not as printed; none is left out."""
        found = []
        for row in self.rows:
            asked = 0
            for one, persona in itertools.product(
                    self._asked(row['rule']), self._headers):
                asked += 1
                found += self._compared(row, one, persona)
            assert asked, f'nothing is asked by the rule {row["rule"]}'
        return found

    def options(self) -> list[str]:
        """The paths whose OPTIONS depends on who asks; that says nothing of
        records, so it should be none."""
        asked = {Asked('OPTIONS', self._path(route))
                 for route in self._routes}
        return [f'OPTIONS {one.path}: {persona}'
                for one, (persona, headers) in itertools.product(
                    asked, self._headers.items())
                if self._ask(one, headers).status != 204]

    def _compared(self, row: Mapping[str, str], one: Asked,
                  persona: str) -> Iterator[str]:
        asked = one
        if callable(one.body):
            asked = one._replace(body=one.body(persona))
        status = self._ask(asked, self._headers[persona]).status
        cell = row[persona.partition(':')[0]]
        means = MEANS[cell]
        if row['rule'].endswith(':replace') and cell == 'hidden':
            means = [409]     # D17: the id is taken, which is all that is told
        if status not in means:
            yield (f'{row["rule"]}: {persona} is {cell} but '
                   f'{asked.label} is {status}')

    def _ask(self, one: Asked, headers: Headers) -> Reply:
        return self._request(one.method, one.path, one.body, {
            **NEWEST, **headers})

    # What is there to be asked for

    def _made(self) -> dict[str, str]:
        """The id of a record of each type, and of a host elsewhere."""
        made = {'elsewhere': self._make('hosts', self._host() | {
            'project_id': self._other})}
        made['hosts'] = self._make('hosts', self._host() | {
            'project_id': self._own})
        made['racks'] = self._make('racks', self._rack())
        made['maintenances'] = self._make('maintenances', self._window(
            made['hosts']) | {'project_id': self._own})
        return made

    def _make(self, plural: str, values: Mapping[str, Any]) -> str:
        reply = self._ask(Asked('POST', f'/v1/{plural}', {
            plural: [{**values, 'tags': ['t'], 'metadata': {'k': 'v'}}]}),
            self._maker)
        assert reply.status == 201, reply.body
        return reply.json[plural][0]['id']

    def _host(self) -> dict[str, Any]:
        return {'name': f'm-{next(self._number)}',
                'serial': f'MX-{next(self._serial):06}'}

    def _rack(self) -> dict[str, Any]:
        return {'name': f'm-{next(self._number)}'}

    def _window(self, host: str) -> dict[str, Any]:
        day = next(self._number)
        return {'title': 'm', 'host_id': host,
                'starts_at': f'{2031 + day // 300}-01-01T00:00:00Z',
                'ends_at': f'{2031 + day // 300}-01-01T00:00:00.000001Z',
                'state': 'done'}

    def _new(self, plural: str, project: str) -> dict[str, Any]:
        """What a project can make of a type."""
        host = self._records['hosts' if project == self._own
                             else 'elsewhere']
        return {'hosts': self._host, 'racks': self._rack,
                'maintenances': lambda: self._window(host)}[plural]()

    # What a rule guards

    def _asked(self, rule: str) -> Iterator[Asked]:
        _, plural, action = (*rule.split(':'), '')[:3]
        for one in self._single(rule, plural, action):
            yield one
            if one.method == 'GET':
                yield one._replace(method='HEAD')
            if action in ('create', 'create_any'):
                yield one._replace(body=_bulk(plural, one.body))

    def _single(self, rule: str, plural: str, action: str
                ) -> Iterator[Asked]:
        for route in self._routes:
            if route.rule == rule and route.action != 'act':
                yield self._of(route)
        special = _SPECIAL.get(action)
        if special is not None:
            yield special(self, plural)

    def _of(self, route: Route) -> Asked:
        path = self._path(route)
        if 'dry_run' in (route.query or ()):
            path += '?dry_run=true'
        return Asked(route.method, path, self._body(route))

    def _path(self, route: Route) -> str:
        plural = route.declared.plural if route.declared else ''
        return '/v1' + route.path.format(
            id=self._records.get(plural), tag='t', key='k', name='host',
            project_id=self._own, code='not-found')

    def _body(self, route: Route) -> Any:
        """A body that is all right, of who may ask; a callable where it
        depends on who asks."""
        if not route.body:
            return None
        if route.controller != 'records':
            return BODIES[route.controller, route.action]
        assert route.declared is not None
        name, plural = route.declared.name, route.declared.plural
        return {
            'create': lambda: lambda persona: {name: self._new(
                plural, self._home(persona)) | self._owner(route, persona)},
            'replace': lambda: {name: self._stored(plural)},
            'patch': lambda: {name: {}}}[route.action]()

    def _stored(self, plural: str) -> dict[str, Any]:
        """A record as it is, as one would send it back."""
        reply = self._ask(Asked(
            'GET', f'/v1/{plural}/{self._records[plural]}'), self._maker)
        (record,) = reply.json.values()
        return record

    def _home(self, persona: str) -> str:
        return self._other if persona.startswith('other') else self._own

    def _owner(self, route: Route, persona: str) -> dict[str, str]:
        """Who has no project must say for which one a record is made."""
        assert route.declared is not None
        homeless = persona == 'system_admin' and route.declared.owned
        return {'project_id': self._own} if homeless else {}

    def _abroad(self, plural: str) -> Asked:
        """Make something for a project that is not one's own."""
        name = plural[:-1]

        def body(persona: str) -> Any:
            home = self._home(persona)
            there = self._other if home == self._own else self._own
            return {name: self._new(plural, there) | {'project_id': there}}
        return Asked('POST', f'/v1/{plural}?dry_run=true', body)

    def _all(self, plural: str) -> Asked:
        return Asked('GET', f'/v1/{plural}?all_projects=true')

    def _past(self, plural: str) -> Asked:
        number = self._numbered(plural)
        return Asked('GET', f'{self._one(plural)}?revision={number}')

    def _back(self, plural: str) -> Asked:
        return self._act(plural, 'revert', {
            'revision': self._numbered(plural)})

    def _retired(self, plural: str) -> Asked:
        return self._act(plural, 'retire', {})

    def _act(self, plural: str, name: str, arguments: Any) -> Asked:
        return Asked('POST', f'{self._one(plural)}/action?dry_run=true',
                     {name: arguments})

    def _numbered(self, plural: str) -> int:
        """The number of the record's one revision."""
        reply = self._ask(Asked('GET', f'{self._one(plural)}/revisions'),
                          self._maker)
        return int(reply.json['revisions'][0]['number'])

    def _one(self, plural: str) -> str:
        return f'/v1/{plural}/{self._records[plural]}'


def _bulk(plural: str, body: Callable[[str], Any]) -> Callable[[str], Any]:
    """As ``body``, but two records at once."""
    return lambda persona: {plural: [
        one for _ in range(2) for one in body(persona).values()]}


#: What is asked at a URL that has another rule of its own.
_SPECIAL: Mapping[str, Callable[[Matrix, str], Asked]] = {
    'create_any': Matrix._abroad, 'list_any': Matrix._all,
    'show_revision': Matrix._past, 'revert': Matrix._back,
    'retire': Matrix._retired}


def printed(directory: Path) -> list[dict[str, str]]:
    """What ``pileus-manage policy matrix`` prints, as an operator runs it."""
    script = Path(sys.executable).with_name('pileus-manage')
    done = subprocess.run(
        [script, '--config-dir', str(directory), 'policy', 'matrix',
         '--format', 'json'], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def routes(directory: Path) -> list[Route]:
    """The router's table of a config directory, but for OPTIONS."""
    catalogue = service.catalogue(config_files.load(['--config-dir',
                                               str(directory)]))
    return [one for one in table.routes(catalogue,
                                        extensions.load(catalogue))
            if one.method != 'OPTIONS']
