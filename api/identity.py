# SPDX-License-Identifier: Apache-2.0
"""The identity of a caller, as an auth filter of the pipeline recorded it.

The filters in ``api.middleware`` put an Identity into the environ, or the
reason why the caller has none. ``api.dispatch`` reads them.
"""

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

#: Longest user id: the columns that store a user id have this size.
MAX_USER_ID_CHARS = 255


class Identity(NamedTuple):
    """Project, user and roles of a caller, verified by an auth filter."""

    project_id: str | None
    user_id: str | None
    roles: frozenset[str]
    request_id: str | None
    global_request_id: str | None = None
    system_scope: str | None = None

    def caller(self, rules: Policy | None, *, reads: bool = False) -> Caller:
        """Return the caller; set ``any_project`` if the policy allows it.

        The policy rule is ADMIN, or ANY_READER for a request that only
        ``reads``.
        """
        caller = Caller(self.project_id, self.user_id, self.roles, False,
                        self.request_id, self.global_request_id,
                        self.system_scope)
        rule = ANY_READER if reads else ADMIN
        if rules is None or not rules.allows(caller, rule):
            return caller
        return dataclasses.replace(caller, any_project=True)


ANONYMOUS = Caller(None, None, frozenset(), False)


def identity(environ: dict[str, Any]) -> Identity | None:
    """Return the identity that an auth filter recorded, or None."""
    value: Identity | None = environ.get(IDENTITY)
    return value


def refuse(environ: dict[str, Any], reason: PileusError) -> None:
    """Record why the caller has no identity.

    The request goes on: the versions document and the descriptions of errors
    are public, even for a client whose token has expired.
    """
    environ[REFUSAL] = reason


def refusal(environ: dict[str, Any]) -> PileusError:
    """Return the error for a caller without an identity (401 or 503)."""
    value: PileusError = environ.get(REFUSAL) or errors.Unauthenticated()
    return value


def identify(environ: dict[str, Any], project_id: str | None,
             user_id: str | None, roles: Iterable[str],
             system_scope: str | None = None) -> None:
    """Record the caller for the application, the log and the server."""
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
    """Return an id, escaped and shortened for a log line."""
    return None if id is None else escape(id, longest=64)


