# SPDX-License-Identifier: Apache-2.0
"""Quotas: the limit and the usage of each type in a project."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import orjson
import webob

from api.policy import enforcement
from api.request import preconditions, quota_schemas, schemas
from api.request.call import Call
from api.response import replies
from service.domain import caller
from service.domain.catalogue.types import ResourceType
from service.domain.documents import values
from service.domain.errors import Forbidden, Invalid, Violation
from service.domain.records import quotas
from service.domain.records.quotas import LimitChanges, ProjectQuotas


class QuotasController:
    """The actions on ``/quotas/{project_id}``.

    Every project id has quotas, because this service does not know which
    projects exist. A caller who may not read another project's quotas gets
    the same error for existing and for invented projects.
    """

    def __init__(self, stored: quotas.Quotas, types: Iterable[ResourceType],
                 *, require_if_match: bool) -> None:
        self._quotas = stored
        self._types = tuple(declared for declared in types if declared.owned)
        self._require_if_match = require_if_match

    def show(self, call: Call, project_id: str) -> webob.Response:
        if call.caller.owner not in (None, project_id):
            raise Forbidden(rule=f'{enforcement.NAMESPACE}:quotas:show')
        allowed = self._quotas.show(_checked_project(project_id))
        match = preconditions.if_match(call.environ)
        if match is not None:
            quotas.check_precondition(match, project_id, allowed.state_token)
        return self._reply(call, allowed)

    def replace(self, call: Call, project_id: str) -> webob.Response:
        """Set all limits; reset omitted limits to those of the type files."""
        limits = self._limits(call, quota_schemas.LIMIT)
        return self._change(call, project_id, {
            declared.name: limits.get(declared.plural)
            for declared in self._known(call)})

    def patch(self, call: Call, project_id: str) -> webob.Response:
        """Set the limits in the body; null resets to that of the type file."""
        limits = self._limits(call, quota_schemas.CHANGE)
        return self._change(call, project_id, {
            declared.name: limits[declared.plural]
            for declared in self._known(call) if declared.plural in limits})

    def reset(self, call: Call, project_id: str) -> webob.Response:
        """Reset every limit to that of the type file."""
        self._change(call, project_id, {
            declared.name: None for declared in self._known(call)})
        return replies.empty(204)

    def _change(self, call: Call, project_id: str,
                changes: LimitChanges) -> webob.Response:
        condition = preconditions.for_write(call.environ,
                                            required=self._require_if_match)
        return self._reply(call, self._quotas.change(
            call.caller, _checked_project(project_id), condition, changes,
            dry_run=call.flag('dry_run')))

    def _limits(self, call: Call, limit: Mapping[str, Any]
                ) -> Mapping[str, int | None]:
        """Return the body's limits by plural; raise Invalid for all mistakes.
        """
        plurals = [declared.plural for declared in self._known(call)]
        schema = quota_schemas.body(plurals, limit)
        schemas.check(schemas.compile_schema(schema), call.body)
        limits: dict[str, int | None] = call.body['quota']
        bad = values.normalize_integer_members(limits, '/quota')
        if bad:
            raise Invalid(bad)
        return limits

    def _known(self, call: Call) -> list[ResourceType]:
        """Return the types with quotas at the version of the call."""
        return [declared for declared in self._types
                if declared.known(call.version)]

    def _reply(self, call: Call, allowed: ProjectQuotas) -> webob.Response:
        document = {'project_id': allowed.project_id, **{
            declared.plural: allowed.types[declared]._asdict()
            for declared in self._known(call)}}
        etag = _etag(allowed, document)
        if call.environ['REQUEST_METHOD'] in ('GET', 'HEAD') and (
                preconditions.unchanged(call.environ, etag)):
            return replies.empty(304, [('ETag', etag)])
        return replies.document(200, {'quota': document}, [('ETag', etag)])


def _checked_project(id: str) -> str:
    if not caller.is_project_id(id):
        raise Invalid([Violation(
            f'{values.quoted(id)} is not a project id; a project id has '
            f'{caller.PROJECT_ID_FORMAT}')])
    return id


def _etag(allowed: ProjectQuotas, document: Mapping[str, Any]) -> str:
    """Return the ETag of a project's quotas.

    Its first part stands for the limits, and If-Match compares only that
    part: the second part also covers the usage, which each record changes.
    """
    whole = hashlib.blake2b(orjson.dumps(document), digest_size=4)
    return f'"{allowed.state_token}-{whole.hexdigest()}"'
