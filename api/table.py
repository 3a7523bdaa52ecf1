# SPDX-License-Identifier: Apache-2.0
"""The API, line by line: every path, its methods, actions and rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from oslo_config import cfg

from api import policy
from api.body import JSON, PATCH
from api.controllers.actions import Actions
from api.controllers.discovery import Discovery
from api.controllers.docs import Docs
from api.controllers.metadata import Metadata
from api.controllers.methods import Methods
from api.controllers.records import Records
from api.controllers.tags import Tags
from api.controllers.types import Types
from api.extensions import Extension
from api.openapi import OpenAPI
from api.parts import Parts
from api.policy import Policy
from api.router import OPEN, APIRouter, Route
from api.versions import Versions
from service.domain.types import Catalogue, ResourceType
from service.opened import Service

_WRITE = frozenset({'dry_run'})
_SHOW = frozenset({'fields'})
_NONE: frozenset[str] = frozenset()

#: Below every record: path, method, controller, action, whose rule it has,
#: parameters, body. What shows or changes a part of a record is guarded as
#: what shows or changes the record.
_PARTS = (
    ('tags', 'GET', 'tags', 'list', 'show', _NONE, ()),
    ('tags', 'PUT', 'tags', 'replace', 'patch', _WRITE, JSON),
    ('tags', 'DELETE', 'tags', 'clear', 'patch', _WRITE, ()),
    ('tags/{tag}', 'GET', 'tags', 'show', 'show', _NONE, ()),
    ('tags/{tag}', 'PUT', 'tags', 'add', 'patch', _WRITE, ()),
    ('tags/{tag}', 'DELETE', 'tags', 'remove', 'patch', _WRITE, ()),
    ('metadata', 'GET', 'metadata', 'list', 'show', _NONE, ()),
    ('metadata', 'PUT', 'metadata', 'replace', 'patch', _WRITE, JSON),
    ('metadata', 'POST', 'metadata', 'create', 'patch', _WRITE, JSON),
    ('metadata', 'DELETE', 'metadata', 'clear', 'patch', _WRITE, ()),
    ('metadata/{key}', 'GET', 'metadata', 'show', 'show', _NONE, ()),
    ('metadata/{key}', 'PUT', 'metadata', 'set', 'patch', _WRITE, JSON),
    ('metadata/{key}', 'DELETE', 'metadata', 'remove', 'patch', _WRITE, ()),
)


def api(conf: cfg.ConfigOpts, opened: Service, rules: Policy,
        versions: Versions, extended: Sequence[Extension]) -> APIRouter:
    """The versioned API over the declared types."""
    methods, docs = Methods(), Docs()
    records = Records(opened.records, rules, conf.api.max_limit,
                      require_if_match=conf.api.require_if_match,
                      max_record=conf.api.max_body)
    parts = Parts(opened.records, require_if_match=conf.api.require_if_match)
    controllers: dict[str, object] = {
        'versions': Discovery(versions), 'methods': methods,
        'records': records, 'tags': Tags(parts), 'metadata': Metadata(parts),
        'types': Types(opened.catalogue, rules, extended), 'docs': docs}
    for one in extended:
        own = one.controller(records)
        controllers[one.declared.name] = own
        controllers[f'{one.declared.name}.actions'] = Actions(one, own, rules)
    made = APIRouter(routes(opened.catalogue, extended), controllers)
    methods.router = made
    docs.openapi_of = OpenAPI(made.table, extended, versions.service_type)
    return made


def routes(catalogue: Catalogue, extended: Sequence[Extension]
           ) -> list[Route]:
    """Every Route of the versioned API."""
    return [*_with_options([*_service(), *_types(catalogue),
                            *_extended(extended)])]


def discovery(versions: Versions) -> APIRouter:
    """What stands outside ``/v1``."""
    methods = Methods()
    made = APIRouter(
        [*_with_options([Route('/', 'GET', 'versions', 'show', OPEN)])],
        {'versions': Discovery(versions), 'methods': methods})
    methods.router = made
    return made


def _service() -> Iterator[Route]:
    yield Route('/', 'GET', 'versions', 'show', OPEN)
    yield Route('/test', 'GET', 'versions', 'index', OPEN)
    yield Route('/docs/openapi', 'GET', 'docs', 'openapi',
                policy.READER)
    yield Route('/types', 'GET', 'types', 'list', policy.READER)
    yield Route('/types/{name}', 'GET', 'types', 'show', policy.READER)
    yield Route('/errors/{code}', 'GET', 'versions', 'error', OPEN)


def _types(catalogue: Catalogue) -> Iterator[Route]:
    for declared in catalogue.live:
        yield from _collection(declared)
        yield from _parts(declared)


def _collection(declared: ResourceType) -> Iterator[Route]:
    """The collection of a type and its records."""
    many = f'/{declared.path}'
    one = f'{many}/{{id}}'

    def route(path: str, method: str, action: str,
              query: frozenset[str] | None,
              body: tuple[str, ...] = ()) -> Route:
        return Route(path, method, 'records', action,
                     policy.name(declared, action), body, query, declared)

    yield route(many, 'GET', 'list', None)
    yield route(many, 'POST', 'create', _WRITE, JSON)
    yield route(one, 'GET', 'show', _SHOW)
    yield route(one, 'PUT', 'replace', _WRITE, JSON)
    yield route(one, 'PATCH', 'patch', _WRITE, PATCH)
    yield route(one, 'DELETE', 'delete', _WRITE)


def _parts(declared: ResourceType) -> Iterator[Route]:
    """The tags and the metadata of a type's records."""
    for path, method, controller, action, rule, query, body in _PARTS:
        yield Route(f'/{declared.path}/{{id}}/{path}', method, controller,
                    action, policy.name(declared, rule), body, query,
                    declared, tail=path.endswith('}'))


def _extended(extended: Iterable[Extension]) -> Iterator[Route]:
    """What Python controllers add to their types.

    An action has a rule of its own, checked once the body has named it; the
    Route's is that of reading the record.
    """
    for extension in extended:
        declared = extension.declared
        if extension.actions:
            yield Route(f'/{declared.path}/{{id}}/action', 'POST',
                        f'{declared.name}.actions', 'act',
                        policy.name(declared, 'show'), JSON, _WRITE, declared,
                        min(one.since for one in extension.actions.values()))
        for one in extension.paths:
            yield Route(f'/{declared.path}{one.path}', one.verb,
                        declared.name, one.method,
                        policy.name(declared, one.name), one.body, one.query,
                        declared, one.since)


def _with_options(table: Iterable[Route]) -> Iterator[Route]:
    """The table, and OPTIONS on each of its paths."""
    first: dict[str, Route] = {}
    for route in table:
        yield route
        first.setdefault(route.path, route)
    for path, route in first.items():
        yield Route(path, 'OPTIONS', 'methods', 'options', OPEN,
                    declared=route.declared, since=route.since,
                    tail=route.tail)
