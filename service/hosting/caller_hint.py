# SPDX-License-Identifier: Apache-2.0
"""Tell the HTTP server which project a request belongs to.

The server runs requests round robin over projects, but only the application
can authenticate callers. The server puts a function into the environ under
``REPORT_PROJECT``. Once this function has been called for some credentials,
the server recognises later requests with the same credentials by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

REPORT_PROJECT = 'pileus.flow'

#: Stands for authenticated callers without a project, such as the system. No
#: project id is a blank.
NO_PROJECT = ' '


def report_project(environ: Mapping[str, Any], project_id: str | None) -> None:
    """Report the project of an authenticated caller, if the server asks.

    SECURITY: never called for an unauthenticated caller. Such requests share a
    queue, whatever their credentials claim.
    """
    report: Callable[[str], None] | None = environ.get(REPORT_PROJECT)
    if report is not None:
        report(project_id or NO_PROJECT)
