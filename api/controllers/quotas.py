# SPDX-License-Identifier: Apache-2.0
"""What a project may have of each type, and has."""

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

    Any project has quotas, also one that nobody has heard of: whoever may
    not see another's is refused alike, whether it is there or not.
    """

    def __init__(self, stored: quotas.Quotas, types: Iterable[ResourceType],
                 *, require_if_match: bool) -> None:
        self._quotas = stored
        self._types = tuple(one for one in types if one.owned)
        self._require_if_match = require_if_match

    def show(self, call: Call, project_id: str) -> webob.Response:
        if call.caller.owner not in (None, project_id):
            raise Forbidden(rule=f'{enforcement.NAMESPACE}:quotas:show')
        found = self._quotas.show(_project(project_id))
        match = preconditions.if_match(call.environ)
        if match is not None:
            quotas.check_precondition(match, project_id, found.state_token)
        return self._reply(call, found)

    def replace(self, call: Call, project_id: str) -> webob.Response:
        """Set all limits: of what is left out, that of the type file."""
        sent = self._sent(call, quota_schemas.LIMIT)
        return self._change(call, project_id, {
            one.name: sent.get(one.plural) for one in self._known(call)})

    def patch(self, call: Call, project_id: str) -> webob.Response:
        """Set the limits that are sent; null is that of the type file."""
        sent = self._sent(call, quota_schemas.CHANGE)
        return self._change(call, project_id, {
            one.name: sent[one.plural] for one in self._known(call)
            if one.plural in sent})

    def reset(self, call: Call, project_id: str) -> webob.Response:
        """Every limit is that of the type file again."""
        self._change(call, project_id, {
            one.name: None for one in self._known(call)})
        return replies.empty(204)

    def _change(self, call: Call, project_id: str,
                changes: LimitChanges) -> webob.Response:
        seen = preconditions.for_write(call.environ,
                                  required=self._require_if_match)
        return self._reply(call, self._quotas.change(
            call.caller, _project(project_id), seen, changes,
            dry_run=call.flag('dry_run')))

    def _sent(self, call: Call, limit: Mapping[str, Any]
              ) -> Mapping[str, int | None]:
        """The limits of a body by plural; Invalid names every mistake."""
        known = [one.plural for one in self._known(call)]
        schema = quota_schemas.body(known, limit)
        schemas.check(schemas.compiled(schema), call.body)
        sent: dict[str, int | None] = call.body['quota']
        bad = values.normalize_integer_members(sent, '/quota')
        if bad:
            raise Invalid(bad)
        return sent

    def _known(self, call: Call) -> list[ResourceType]:
        return [one for one in self._types if one.known(call.version)]

    def _reply(self, call: Call, allowed: ProjectQuotas) -> webob.Response:
        document = {'project_id': allowed.project_id, **{
            one.plural: allowed.types[one]._asdict()
            for one in self._known(call)}}
        etag = _etag(allowed, document)
        if call.environ['REQUEST_METHOD'] in ('GET', 'HEAD') and (
                preconditions.unchanged(call.environ, etag)):
            return replies.empty(304, [('ETag', etag)])
        return replies.document(200, {'quota': document}, [('ETag', etag)])


def _project(id: str) -> str:
    if not caller.is_project_id(id):
        raise Invalid([Violation(f'{values.quoted(id)} is no project\'s id: '
                                 f'one has {caller.PROJECT_ID_FORMAT}')])
    return id


def _etag(allowed: ProjectQuotas, document: Mapping[str, Any]) -> str:
    """The limits that were set, which a write may depend on, then the rest:
    what is used changes with each record."""
    rest = hashlib.blake2b(orjson.dumps(document), digest_size=4)
    return f'"{allowed.state_token}-{rest.hexdigest()}"'
