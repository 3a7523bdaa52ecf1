# SPDX-License-Identifier: Apache-2.0
"""Show and set the quotas of a project."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import NamedTuple

from service.domain import errors
from service.domain.caller import Caller
from service.domain.catalogue.types import QUOTA_TYPE, Catalogue, ResourceType
from service.domain.documents import timestamps
from service.domain.records import dry_run as dry_runs
from service.domain.records import limits
from service.domain.records.limits import QuotaLimits
from service.domain.records.preconditions import Precondition
from service.domain.records.store import Revision, Rows, Store

#: UUID namespace of the ids that a project's limits have in history.
_LIMITS_NAMESPACE = uuid.UUID('ba0c1f4e-6a57-4f0d-9d43-1c2a7e5b8f60')

#: Type name -> new limit; None restores the default of the type file.
LimitChanges = Mapping[str, int | None]


class Quota(NamedTuple):
    """A project's limit for one type, its usage and the default limit."""

    limit: int
    used: int
    default: int


class ProjectQuotas(NamedTuple):
    """A project's quotas; ``state_token`` identifies the limits it has set."""

    project_id: str
    types: Mapping[ResourceType, Quota]
    state_token: str


class Quotas:
    """Shows quotas, and sets limits that are stored in the database."""

    def __init__(self, catalogue: Catalogue, store: Store,
                 quota_limits: QuotaLimits) -> None:
        self._types = tuple(declared for declared in catalogue.live
                            if declared.owned)
        self._store = store
        self._limits = quota_limits

    def show(self, project_id: str) -> ProjectQuotas:
        external = self._limits.fetch(project_id, self._types)
        return self._store.read(
            lambda rows: self._quotas(rows, project_id, external))

    def change(self, caller: Caller, project_id: str,
               precondition: Precondition, changes: LimitChanges, *,
               dry_run: bool = False) -> ProjectQuotas:
        """Set limits.

        A limit may be below the usage: no record is deleted, but none can
        be created until the usage is below the limit again. Raises
        QuotaKeptElsewhere if limits come from an external source.
        """
        if self._limits.external_source:
            raise errors.QuotaKeptElsewhere(
                keeper=self._limits.external_source)

        def work(rows: Rows) -> ProjectQuotas:
            stored = rows.limits(project_id, hold=True)
            check_precondition(precondition, project_id, _state_token(stored))
            changed = {type: limit for type, limit in changes.items()
                       if limit != stored.get(type)}
            if changed:
                rows.limit(project_id, changed)
                _add_revision(rows, caller, project_id, stored, changed)
            return self._quotas(rows, project_id, {})
        return dry_runs.write(self._store, work, dry_run)

    def _quotas(self, rows: Rows, project_id: str,
                external: limits.LimitsByType) -> ProjectQuotas:
        stored = rows.limits(project_id)
        quotas = {declared: Quota(
            limits.effective_limit(declared, external,
                                   stored.get(declared.name)),
            rows.used(declared, project_id), limits.default_limit(declared))
            for declared in self._types}
        return ProjectQuotas(project_id, quotas, _state_token(stored))


def _add_revision(rows: Rows, caller: Caller, project_id: str,
                  before: Mapping[str, int], changed: LimitChanges) -> None:
    """Add a revision with the project's limits to the history.

    Limits are not a record and have no id; the id in their history is
    derived from the project's. Resetting the last limit is a ``delete``,
    setting the first one a ``create``.
    """
    after = {type: limit for type, limit in {**before, **changed}.items()
             if limit is not None}
    id = str(uuid.uuid5(_LIMITS_NAMESPACE, project_id))
    action = 'delete' if not after else 'update' if before else 'create'
    rows.revise([Revision(
        QUOTA_TYPE, id, rows.changes(QUOTA_TYPE, id) + 1, action,
        {'limits': after}, project_id, caller.user_id, caller.request_id,
        caller.global_request_id, timestamps.now())], **{
            f'limit.{type}': 'default' if limit is None else limit
            for type, limit in sorted(changed.items())})


def check_precondition(precondition: Precondition, project_id: str,
                       token: str) -> None:
    """Raise Stale if the limits are not in a state that the caller names."""
    reason = precondition.failure([token], present=True)
    if reason is not None:
        raise errors.Stale(type='quota', id=errors.shorten(project_id),
                           reason=reason)


def _state_token(stored: Mapping[str, int]) -> str:
    text = ' '.join(f'{type}={limit}'
                    for type, limit in sorted(stored.items()))
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()
