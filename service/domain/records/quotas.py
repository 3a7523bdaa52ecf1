# SPDX-License-Identifier: Apache-2.0
"""What a project may have of each type, shown and set."""

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

#: Whose names of projects the ids are that history has for their limits.
_LIMITS_NAMESPACE = uuid.UUID('ba0c1f4e-6a57-4f0d-9d43-1c2a7e5b8f60')

#: Limits by type name; None is that of the type file.
LimitChanges = Mapping[str, int | None]


class Quota(NamedTuple):
    """What one project may have of one type, and has."""

    limit: int
    used: int
    default: int


class ProjectQuotas(NamedTuple):
    """A project's quotas by type; ``state_token`` names its limits."""

    project_id: str
    types: Mapping[ResourceType, Quota]
    state_token: str


class Quotas:
    """Shows quotas, and sets them where they are kept in the database."""

    def __init__(self, catalogue: Catalogue, store: Store,
                 ceilings: QuotaLimits) -> None:
        self._types = tuple(one for one in catalogue.live if one.owned)
        self._store = store
        self._limits = ceilings

    def show(self, project_id: str) -> ProjectQuotas:
        given = self._limits.fetch(project_id, self._types)
        return self._store.read(
            lambda rows: self._shown(rows, project_id, given))

    def change(self, caller: Caller, project_id: str, seen: Precondition,
               changes: LimitChanges, *,
               dry_run: bool = False) -> ProjectQuotas:
        """Set limits; a limit may be below what the project has already:
        nothing goes, and nothing can be made until there is room again."""
        if self._limits.external_source:
            raise errors.QuotaKeptElsewhere(
                keeper=self._limits.external_source)

        def work(rows: Rows) -> ProjectQuotas:
            stored = rows.limits(project_id, hold=True)
            check_precondition(seen, project_id, _state_token(stored))
            changed = {type: limit for type, limit in changes.items()
                       if limit != stored.get(type)}
            if changed:
                rows.limit(project_id, changed)
                _add_revision(rows, caller, project_id, stored, changed)
            return self._shown(rows, project_id, {})
        return dry_runs.write(self._store, work, dry_run)

    def _shown(self, rows: Rows, project_id: str,
               given: limits.LimitsByType) -> ProjectQuotas:
        stored = rows.limits(project_id)
        return ProjectQuotas(project_id, {one: Quota(
            limits.effective_limit(one, given, stored.get(one.name)),
            rows.used(one, project_id), limits.default_limit(one))
            for one in self._types}, _state_token(stored))


def _add_revision(rows: Rows, caller: Caller, project_id: str,
            before: Mapping[str, int], changed: LimitChanges) -> None:
    """Keep in history which limits a project has from now on.

    They are no record: nobody made their id, so it is made of the project's.
    Nothing set by anybody is as if they were deleted.
    """
    after = {type: limit for type, limit in {**before, **changed}.items()
             if limit is not None}
    id = str(uuid.uuid5(_LIMITS_NAMESPACE, project_id))
    deed = 'delete' if not after else 'update' if before else 'create'
    rows.revise([Revision(
        QUOTA_TYPE, id, rows.changes(QUOTA_TYPE, id) + 1, deed,
        {'limits': after}, project_id, caller.user_id, caller.request_id,
        caller.global_request_id, timestamps.now())], **{
            f'limit.{type}': 'default' if limit is None else limit
            for type, limit in sorted(changed.items())})


def check_precondition(seen: Precondition, project_id: str,
                       stamp: str) -> None:
    """Raise Stale where the limits are not those that the caller saw."""
    reason = seen.failure([stamp], present=True)
    if reason is not None:
        raise errors.Stale(type='quota', id=errors.shorten(project_id),
                           reason=reason)


def _state_token(stored: Mapping[str, int]) -> str:
    said = ' '.join(f'{type}={quota}' for type, quota in sorted(
        stored.items()))
    return hashlib.blake2b(said.encode(), digest_size=6).hexdigest()
