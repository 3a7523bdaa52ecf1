# SPDX-License-Identifier: Apache-2.0
"""Who calls: the filters of the auth strategies, each to an Identity."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any, NamedTuple

from oslo_context.context import RequestContext

from api.policy.enforcement import ADMIN, ANY_READER, Policy
from api.request import errors
from service.domain.caller import Caller
from service.domain.errors import PileusError
from service.hosting import caller_hint
from service.logs.escape import escape

IDENTITY = 'pileus.identity'
REFUSAL = 'pileus.refusal'

#: No user's id is longer: history has so much room for it.
MAX_USER_ID_LENGTH = 255


class Identity(NamedTuple):
    """Who calls, as an auth strategy vouches for it."""

    project_id: str | None
    user_id: str | None
    roles: frozenset[str]
    request_id: str | None
    global_request_id: str | None = None
    system_scope: str | None = None

    def caller(self, rules: Policy | None, *, reads: bool = False) -> Caller:
        """The caller; an administrator of the cloud is one everywhere, and a
        reader of the system where the request only ``reads``."""
        plain = Caller(self.project_id, self.user_id, self.roles, False,
                       self.request_id, self.global_request_id,
                       self.system_scope)
        everywhere = ANY_READER if reads else ADMIN
        if rules is None or not rules.allows(plain, everywhere):
            return plain
        return dataclasses.replace(plain, any_project=True)


ANONYMOUS = Caller(None, None, frozenset(), False)


def identity(environ: dict[str, Any]) -> Identity | None:
    """Who a filter before this said calls; None: nobody vouched."""
    found: Identity | None = environ.get(IDENTITY)
    return found


def refuse(environ: dict[str, Any], why: PileusError) -> None:
    """Note why nobody vouches for the caller.

    The request goes on: the versions document and the explanation of an
    error are for everybody, also for a client whose token has run out.
    """
    environ[REFUSAL] = why


def refusal(environ: dict[str, Any]) -> PileusError:
    """What a caller nobody vouches for is told (401, 503)."""
    found: PileusError = environ.get(REFUSAL) or errors.Unauthenticated()
    return found


def identify(environ: dict[str, Any], project_id: str | None,
          user_id: str | None, roles: Iterable[str],
          system_scope: str | None = None) -> None:
    """Note who calls, for the application and for the log."""
    request_id = environ.get('openstack.request_id')
    environ[IDENTITY] = Identity(
        project_id, user_id, frozenset(roles), request_id,
        environ.get('openstack.global_request_id'), system_scope)
    RequestContext(user_id=_printable(user_id),
                   project_id=_printable(project_id),
                   roles=sorted(roles), request_id=request_id,
                   system_scope=system_scope,
                   global_request_id=environ.get(
                       'openstack.global_request_id'),
                   overwrite=True)
    caller_hint.report_project(environ, project_id)


def _printable(id: str | None) -> str | None:
    """An id as every line of the log can hold it."""
    return None if id is None else escape(id, longest=64)


