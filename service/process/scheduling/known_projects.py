# SPDX-License-Identifier: Apache-2.0
"""The project that each credential belongs to."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping

#: The flow of everybody that is not known yet. SECURITY: one for all of them,
#: or somebody who makes up a token for each request has a line for each.
STRANGERS = ''

#: So many credentials are known at once, the latest.
MAX_KNOWN = 10000

#: By what each auth strategy knows who sends a request. SECURITY: what it
#: takes no notice of is none, or who has a token would be a stranger, with a
#: place in their line, as often as he sends another project's name with it.
CREDENTIALS = {'noauth': 'HTTP_X_PROJECT_ID',
               'http_basic': 'HTTP_AUTHORIZATION',
               'keystone': 'HTTP_X_AUTH_TOKEN'}


class Known:
    """Which project each credential is of.

    SECURITY: credentials are held as hashes that mean nothing outside this
    process. One that was revoked still leads to its project's line, and is
    refused when its turn comes.
    """

    def __init__(self, auth_strategy: str, most: int = MAX_KNOWN) -> None:
        self._field = CREDENTIALS[auth_strategy]
        self._salt = secrets.token_bytes(16)
        self._most = most
        self._projects: OrderedDict[int, str] = OrderedDict()

    def credential(self, fields: Mapping[str, str]) -> int:
        """The credential of a request by the fields of its head.

        PERF: Python's own hash, of 64 bits under a key of the process: a
        twin could do no more than share a line.
        """
        scheme, _, rest = (fields.get(self._field) or '').partition(' ')
        return hash((self._salt, scheme.lower(), rest.strip()) if rest
                    else (self._salt, scheme))

    def flow(self, credential: int) -> str:
        return self._projects.get(credential, STRANGERS)

    def note(self, credential: int, project_id: str) -> None:
        self._projects[credential] = project_id
        self._projects.move_to_end(credential)
        if len(self._projects) > self._most:
            self._projects.popitem(last=False)
