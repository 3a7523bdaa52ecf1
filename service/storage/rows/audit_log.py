# SPDX-License-Identifier: Apache-2.0
"""The audit log: who did what, one line for each committed deed.

SECURITY: names, numbers and ids only. What a record holds, or what was sent
to make it so, may be a secret and is in no line.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

from oslo_context import context

from service.domain.records.store import Revision
from service.logs.escape import escape

#: By a name of its own, so that a logging configuration can keep it apart.
LOG = logging.getLogger('pileus.audit')

Deed = Mapping[str, object]


def of_revision(one: Revision) -> Deed:
    return {'action': one.action, 'type': one.type, 'id': one.record_id,
            'generation': one.record_generation,
            'project_id': one.project_id, 'user_id': one.user_id,
            'request_id': one.request_id,
            'global_request_id': one.global_request_id}


def tell(deeds: Iterable[Deed]) -> None:
    """Write deeds that were committed."""
    who = context.get_current()
    by = {'by_project': who and who.project_id,
          'roles': who and ','.join(who.roles)}
    for deed in deeds:
        LOG.info('audit %s', ' '.join(
            f'{name}={_said(value)}' for name, value in (*deed.items(),
                                                         *by.items())))


def _said(value: object) -> str:
    """One word of a line: a blank in a name would start another."""
    if value is None or value == '':
        return '-'
    return escape(str(value), longest=255).replace(' ', '\\u0020')
