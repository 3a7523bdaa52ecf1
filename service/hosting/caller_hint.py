# SPDX-License-Identifier: Apache-2.0
"""Whose request it is, as far as taking turns is concerned.

The server lets projects take turns, and knows none; the application does, as
soon as it has seen who calls. The server puts a function into the environ,
under ``NOTE``: told the project once, it knows the next request that comes
with the same credentials before anybody has looked at them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

REPORT_PROJECT = 'pileus.flow'

#: The flow of those who are known and of no project, as of the system. No
#: project has such a name.
NO_PROJECT = ' '


def report_project(environ: Mapping[str, Any], project_id: str | None) -> None:
    """Tell the server, if it asks, whose request this is.

    SECURITY: of somebody who is known. Strangers stand in a line of their
    own, with all who only claim to be somebody.
    """
    told: Callable[[str], None] | None = environ.get(REPORT_PROJECT)
    if told is not None:
        told(project_id or NO_PROJECT)
