# SPDX-License-Identifier: Apache-2.0
"""JSON Schemas of the bodies that set quotas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from service.domain import caller
from service.domain.records.limits import UNLIMITED

#: A limit in the body of a PUT.
LIMIT: Mapping[str, Any] = {'type': 'integer', 'minimum': UNLIMITED,
                            'maximum': 2 ** 63 - 1}

#: A limit in the body of a PATCH; null resets to that of the type file.
CHANGE: Mapping[str, Any] = {**LIMIT, 'type': ['integer', 'null']}

#: A project id, limited to the length of the records' project_id column.
PROJECT: Mapping[str, Any] = {'type': 'string', 'minLength': 1,
                              'maxLength': caller.MAX_PROJECT_ID_CHARS}


def body(plurals: Iterable[str], limit: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of a body that sets limits of collections."""
    return {'type': 'object', 'required': ['quota'],
            'additionalProperties': False, 'properties': {'quota': {
                'type': 'object', 'additionalProperties': False,
                'properties': dict.fromkeys(plurals, dict(limit))}}}
