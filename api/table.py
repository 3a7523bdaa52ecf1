# SPDX-License-Identifier: Apache-2.0
"""The API as a table: every path, its methods, actions and policy rules."""

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

#: Tags and metadata, below the URL of every record:
#: path, method, controller, action, parameters, body.
_TAGS_METADATA = (
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


def api(conf: cfg.ConfigOpts, service: Service, policy: Policy,
        versions: Versions, extensions: Sequence[Extension]) -> APIRouter:
    """Return the router of the versioned API."""
    route_map = RouteMap(_with_rules(routes(service.catalogue, extensions),
                                     policy))
    history = RecordHistory(service.store)
    required = conf.api.require_if_match
    records = RecordsController(
        service.records, history, policy, conf.api.max_limit,
        require_if_match=required, max_record=conf.api.max_body)
    tags_metadata = TagsMetadataActions(service.records,
                                        require_if_match=required)
    revisions = RevisionsController(history, records, conf.api.max_limit)
    controllers: dict[str, object] = {
        'versions': DiscoveryController(versions),
        'methods': MethodsController(route_map),
        'records': records,
        'tags': TagsController(tags_metadata),
        'metadata': MetadataController(tags_metadata),
        'revisions': revisions,
        'quotas': QuotasController(service.quotas, service.catalogue.live,
                                   require_if_match=required),
        'types': TypesController(service, policy, extensions),
        'docs': OpenAPIController(OpenAPI(route_map.table, extensions,
                                          versions.service_type))}
    own = {extension.declared.name: extension.controller(records)
           for extension in extensions}
    controllers.update({f'{name}.own': controller
                        for name, controller in own.items()})
    for declared in service.catalogue.live:
        additional = [own[declared.name]] if declared.name in own else []
        controllers[f'{declared.name}.actions'] = ActionsController(
            declared, policy, revisions, *additional)
    return APIRouter(route_map, controllers)


def routes(catalogue: Catalogue, extensions: Sequence[Extension]
           ) -> list[Route]:
    """Return every Route of the versioned API."""
    builtin = [*_service(), *_types(catalogue)]
    added = _controller_paths(extensions, builtin)
    return [*_with_options([*builtin, *added])]


def _with_rules(table: Iterable[Route], policy: Policy) -> Iterator[Route]:
    """Yield the Routes; raise StartError for an undefined policy rule (A03).

    Each request on a Route with an undefined rule would fail.
    """
    for route in table:
        if route.rule is not OPEN:
            try:
                policy.text(route.rule)
            except KeyError as exc:
                raise StartError(f'{route.method} {route.path}: the policy '
                                 f'rule {route.rule} is not defined') from exc
        yield route


def discovery(versions: Versions) -> APIRouter:
    """Return the router of ``/``, outside ``/v1``."""
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
        yield from _tags_metadata(declared)
        yield from _revisions_and_actions(declared)


def _collection(declared: ResourceType) -> Iterator[Route]:
    """Yield the Routes of a type's collection and of its records."""
    collection = f'/{declared.path}'
    record = f'{collection}/{{id}}'

    def route(path: str, method: str, action: str,
              query: frozenset[str] | None,
              body: tuple[str, ...] = ()) -> Route:
        return Route(path, method, 'records', action,
                     enforcement.name(declared, action), body, query, declared)

    yield route(collection, 'GET', 'list', None)
    yield route(collection, 'POST', 'create', _WRITE, JSON)
    yield route(record, 'GET', 'show', _SHOW)
    yield route(record, 'PUT', 'replace', _WRITE, JSON)
    yield route(record, 'PATCH', 'patch', _WRITE, PATCH)
    yield route(record, 'DELETE', 'delete', _WRITE)


def _tags_metadata(declared: ResourceType) -> Iterator[Route]:
    """Yield the Routes of the tags and metadata of a type's records."""
    for path, method, controller, action, query, body in _TAGS_METADATA:
        rule = f'{"show" if method == "GET" else "update"}_{controller}'
        yield Route(f'/{declared.path}/{{id}}/{path}', method, controller,
                    action, enforcement.name(declared, rule), body, query,
                    declared, tail=path.endswith('}'))


def _revisions_and_actions(declared: ResourceType) -> Iterator[Route]:
    """Yield the Routes of the revisions and actions of a type's records.

    The Route of actions has the rule for reading the record. Each action also
    has a rule of its own, which the controller checks after it has read the
    action's name in the body.
    """
    record = f'/{declared.path}/{{id}}'
    yield Route(f'{record}/revisions', 'GET', 'revisions', 'list',
                enforcement.name(declared, 'list_revisions'), (), _PAGE,
                declared)
    yield Route(f'{record}/action', 'POST', f'{declared.name}.actions', 'act',
                enforcement.name(declared, 'show'), JSON, _WRITE, declared)


def _controller_paths(extensions: Iterable[Extension],
                      builtin: Iterable[Route]) -> Iterator[Route]:
    """Yield the Routes that Python controllers add to their types.

    Raises StartError for a path that every type has: the controller would
    replace the built-in action, and its policy rule, for this type alone.
    """
    taken = {(route.method, route.path) for route in builtin}
    for extension in extensions:
        declared = extension.declared
        for added in extension.paths:
            path = f'/{declared.path}{added.path}'
            if (added.verb, path) in taken:
                raise StartError(
                    f'the type {declared.name}: controller: '
                    f'{declared.controller}: {added.verb} {added.path} is a '
                    f'path that every type has; give {added.method} another '
                    f'path')
            yield Route(path, added.verb, f'{declared.name}.own',
                        added.method, enforcement.name(declared, added.name),
                        added.body, added.query, declared, added.since)


def _with_options(table: Iterable[Route]) -> Iterator[Route]:
    """Yield the Routes, then a Route for OPTIONS on each of their paths."""
    first: dict[str, Route] = {}
    for route in table:
        yield route
        first.setdefault(route.path, route)
    for path, route in first.items():
        yield Route(path, 'OPTIONS', 'methods', 'options', OPEN,
                    declared=route.declared, since=route.since,
                    tail=route.tail)
