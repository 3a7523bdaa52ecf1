# SPDX-License-Identifier: Apache-2.0
"""The API, line by line: every path, its methods, actions and rules."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from oslo_config import cfg

from api.controllers.actions import ActionsController
from api.controllers.discovery import DiscoveryController
from api.controllers.metadata import MetadataController
from api.controllers.methods import MethodsController
from api.controllers.quotas import QuotasController
from api.controllers.records import RecordsController
from api.controllers.revisions import RevisionsController
from api.controllers.tags import TagsController
from api.controllers.tags_metadata import TagsMetadataActions
from api.controllers.types import TypesController
from api.openapi.controller import OpenAPIController
from api.openapi.document import OpenAPI
from api.policy import enforcement
from api.policy.enforcement import Policy
from api.request.json_body import JSON, MERGE, PATCH
from api.request.microversions import Versions
from api.routing.extensions import Extension
from api.routing.router import OPEN, APIRouter, Route, RouteMap
from service.assembly import Service
from service.domain.catalogue.types import Catalogue, ResourceType
from service.domain.records.revisions import RecordHistory
from service.errors import StartError

_WRITE = frozenset({'dry_run'})
_SHOW = frozenset({'fields', 'revision'})
_PAGE = frozenset({'limit', 'marker'})
_NONE: frozenset[str] = frozenset()

#: Below every record: path, method, controller, action, parameters, body.
_PARTS = (
    ('tags', 'GET', 'tags', 'list', _NONE, ()),
    ('tags', 'PUT', 'tags', 'replace', _WRITE, JSON),
    ('tags', 'DELETE', 'tags', 'clear', _WRITE, ()),
    ('tags/{tag}', 'GET', 'tags', 'show', _NONE, ()),
    ('tags/{tag}', 'PUT', 'tags', 'add', _WRITE, ()),
    ('tags/{tag}', 'DELETE', 'tags', 'remove', _WRITE, ()),
    ('metadata', 'GET', 'metadata', 'list', _NONE, ()),
    ('metadata', 'PUT', 'metadata', 'replace', _WRITE, JSON),
    ('metadata', 'POST', 'metadata', 'create', _WRITE, JSON),
    ('metadata', 'DELETE', 'metadata', 'clear', _WRITE, ()),
    ('metadata/{key}', 'GET', 'metadata', 'show', _NONE, ()),
    ('metadata/{key}', 'PUT', 'metadata', 'set', _WRITE, JSON),
    ('metadata/{key}', 'DELETE', 'metadata', 'remove', _WRITE, ()),
)


def api(conf: cfg.ConfigOpts, opened: Service, rules: Policy,
        versions: Versions, extended: Sequence[Extension]) -> APIRouter:
    """The versioned API over the declared types."""
    route_map = RouteMap(_ruled(routes(opened.catalogue, extended), rules))
    past = RecordHistory(opened.store)
    required = conf.api.require_if_match
    records = RecordsController(
        opened.records, past, rules, conf.api.max_limit,
        require_if_match=required, max_record=conf.api.max_body)
    tags_metadata = TagsMetadataActions(opened.records,
                                        require_if_match=required)
    revisions = RevisionsController(past, records, conf.api.max_limit)
    controllers: dict[str, object] = {
        'versions': DiscoveryController(versions),
        'methods': MethodsController(route_map),
        'records': records,
        'tags': TagsController(tags_metadata),
        'metadata': MetadataController(tags_metadata),
        'revisions': revisions,
        'quotas': QuotasController(opened.quotas, opened.catalogue.live,
                                   require_if_match=required),
        'types': TypesController(opened, rules, extended),
        'docs': OpenAPIController(OpenAPI(route_map.table, extended,
                                          versions.service_type))}
    own = {one.declared.name: one.controller(records) for one in extended}
    controllers.update({f'{name}.own': one for name, one in own.items()})
    for declared in opened.catalogue.live:
        added = [own[declared.name]] if declared.name in own else []
        controllers[f'{declared.name}.actions'] = ActionsController(
            declared, rules, revisions, *added)
    return APIRouter(route_map, controllers)


def routes(catalogue: Catalogue, extended: Sequence[Extension]
           ) -> list[Route]:
    """Every Route of the versioned API."""
    known = [*_service(), *_types(catalogue)]
    return [*_with_options([*known, *_extended(extended, known)])]


def _ruled(table: Iterable[Route], rules: Policy) -> Iterator[Route]:
    """The table; StartError for a Route with a rule that nobody knows (A03):
    each request on it would fail, or worse."""
    for route in table:
        if route.rule is not OPEN:
            try:
                rules.text(route.rule)
            except KeyError as exc:
                raise StartError(f'{route.method} {route.path}: there is no '
                                 f'policy rule {route.rule}') from exc
        yield route


def discovery(versions: Versions) -> APIRouter:
    """What stands outside ``/v1``."""
    route_map = RouteMap(
        _with_options([Route('/', 'GET', 'versions', 'show', OPEN)]))
    return APIRouter(route_map, {'versions': DiscoveryController(versions),
                                 'methods': MethodsController(route_map)})


def _service() -> Iterator[Route]:
    yield Route('/', 'GET', 'versions', 'show', OPEN)
    yield Route('/test', 'GET', 'versions', 'index', OPEN)
    yield Route('/docs/openapi', 'GET', 'docs', 'openapi',
                enforcement.READER)
    yield Route('/types', 'GET', 'types', 'list', enforcement.READER)
    yield Route('/types/{name}', 'GET', 'types', 'show', enforcement.READER)
    for method, action, rule, body, query in (
            ('GET', 'show', 'show', (), _NONE),
            ('PUT', 'replace', 'update', JSON, _WRITE),
            ('PATCH', 'patch', 'update', MERGE, _WRITE),
            ('DELETE', 'reset', 'delete', (), _WRITE)):
        yield Route('/quotas/{project_id}', method, 'quotas', action,
                    f'{enforcement.NAMESPACE}:quotas:{rule}', body, query)
    yield Route('/errors/{code}', 'GET', 'versions', 'error', OPEN)


def _types(catalogue: Catalogue) -> Iterator[Route]:
    for declared in catalogue.live:
        yield from _collection(declared)
        yield from _parts(declared)
        yield from _past(declared)


def _collection(declared: ResourceType) -> Iterator[Route]:
    """The collection of a type and its records."""
    many = f'/{declared.path}'
    one = f'{many}/{{id}}'

    def route(path: str, method: str, action: str,
              query: frozenset[str] | None,
              body: tuple[str, ...] = ()) -> Route:
        return Route(path, method, 'records', action,
                     enforcement.name(declared, action), body, query, declared)

    yield route(many, 'GET', 'list', None)
    yield route(many, 'POST', 'create', _WRITE, JSON)
    yield route(one, 'GET', 'show', _SHOW)
    yield route(one, 'PUT', 'replace', _WRITE, JSON)
    yield route(one, 'PATCH', 'patch', _WRITE, PATCH)
    yield route(one, 'DELETE', 'delete', _WRITE)


def _parts(declared: ResourceType) -> Iterator[Route]:
    """The tags and the metadata of a type's records."""
    for path, method, controller, action, query, body in _PARTS:
        rule = f'{"show" if method == "GET" else "update"}_{controller}'
        yield Route(f'/{declared.path}/{{id}}/{path}', method, controller,
                    action, enforcement.name(declared, rule), body, query,
                    declared, tail=path.endswith('}'))


def _past(declared: ResourceType) -> Iterator[Route]:
    """What was done to a type's records, and what may be done to one.

    An action has a rule of its own, checked once the body has named it; the
    Route's is that of reading the record.
    """
    one = f'/{declared.path}/{{id}}'
    yield Route(f'{one}/revisions', 'GET', 'revisions', 'list',
                enforcement.name(declared, 'list_revisions'), (), _PAGE,
                declared)
    yield Route(f'{one}/action', 'POST', f'{declared.name}.actions', 'act',
                enforcement.name(declared, 'show'), JSON, _WRITE, declared)


def _extended(extended: Iterable[Extension],
              known: Iterable[Route]) -> Iterator[Route]:
    """The paths that Python controllers add to their types.

    StartError for one that every type has: it would be answered otherwise
    for this type alone, and by another rule.
    """
    taken = {(one.method, one.path) for one in known}
    for extension in extended:
        declared = extension.declared
        for one in extension.paths:
            path = f'/{declared.path}{one.path}'
            if (one.verb, path) in taken:
                raise StartError(
                    f'the type {declared.name}: controller: '
                    f'{declared.controller}: {one.verb} {one.path} is what '
                    f'every type has; give {one.method} another path')
            yield Route(path, one.verb, f'{declared.name}.own', one.method,
                        enforcement.name(declared, one.name), one.body,
                        one.query, declared, one.since)


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
