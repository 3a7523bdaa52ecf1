# SPDX-License-Identifier: Apache-2.0
"""The caller of a request, and the records that the caller may see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: The longest project id: the width of its column.
MAX_PROJECT_ID_CHARS = 64

#: The valid form of a project id, for error texts.
PROJECT_ID_FORMAT = (f'1 to {MAX_PROJECT_ID_CHARS} printable characters, with '
                     f'no blank at either end')


def is_project_id(text: object) -> bool:
    """Whether ``text`` is a valid project id.

    A column, a header, a URL and a log line must be able to carry the id.
    """
    return (isinstance(text, str) and 0 < len(text) <= MAX_PROJECT_ID_CHARS
            and text.isprintable() and text == text.strip())


def may_see(owner: str | None, record: Mapping[str, Any]) -> bool:
    """Whether a caller with ``Caller.owner`` may know of a record (D26).

    A record without a project is visible to every caller.
    """
    return owner is None or record.get('project_id', owner) == owner


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of one request.

    ``project_id`` is the project that owns the records the caller creates.
    ``any_project``: routes of one record ignore the record's project (D19).
    It is True for an administrator, and on reading routes for a reader of the
    whole system. ``system_scope`` is ``all`` for a system-scoped token.
    """

    project_id: str | None
    user_id: str | None
    roles: frozenset[str]
    any_project: bool
    request_id: str | None = None
    global_request_id: str | None = None
    system_scope: str | None = None

    @property
    def owner(self) -> str | None:
        """The project whose records the caller may see; None for all."""
        return None if self.any_project else self.project_id or ''
