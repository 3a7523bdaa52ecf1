# SPDX-License-Identifier: Apache-2.0
"""The JSON Schemas of the bodies that set quotas."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from service.domain import caller
from service.domain.records.limits import UNLIMITED

#: A limit as it is sent.
LIMIT: Mapping[str, Any] = {'type': 'integer', 'minimum': UNLIMITED,
                            'maximum': 2 ** 63 - 1}

#: As it is sent in a patch: null is what the type file says.
CHANGE: Mapping[str, Any] = {**LIMIT, 'type': ['integer', 'null']}

#: Project ids are as long as the records' column of them.
PROJECT: Mapping[str, Any] = {'type': 'string', 'minLength': 1,
                              'maxLength': caller.MAX_PROJECT_ID_CHARS}


def body(plurals: Iterable[str], limit: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON Schema of what sets limits of these collections."""
    return {'type': 'object', 'required': ['quota'],
            'additionalProperties': False, 'properties': {'quota': {
                'type': 'object', 'additionalProperties': False,
                'properties': dict.fromkeys(plurals, dict(limit))}}}
