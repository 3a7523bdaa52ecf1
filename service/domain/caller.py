# SPDX-License-Identifier: Apache-2.0
"""Who asks, as far as records care."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: No project's id is longer: records have so much room for it.
MAX_PROJECT_ID_CHARS = 64

#: What a project's id is, for whoever sends another.
PROJECT_ID_FORMAT = (f'1 to {MAX_PROJECT_ID_CHARS} printable characters, with '
                     f'no blank at either end')


def is_project_id(text: object) -> bool:
    """Whether a project can have this id: records hold it, and a header, a
    URL and a line of the log carry it."""
    return (isinstance(text, str) and 0 < len(text) <= MAX_PROJECT_ID_CHARS
            and text.isprintable() and text == text.strip())


def may_see(owner: str | None, record: Mapping[str, Any]) -> bool:
    """Whether who meets the records of ``owner``, or with None everybody's,
    may know of this one. What belongs to no project is everybody's (D26)."""
    return owner is None or record.get('project_id', owner) == owner


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of one request.

    ``project_id`` is the project that owns what the caller makes.
    ``everywhere``: routes of one record ignore whose it is (D19), for an
    administrator always, for a reader of the whole system where it reads.
    ``system_scope`` is ``all`` for a token of the system and of no project.
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
        """Whose records the caller may meet; None for everybody's."""
        return None if self.any_project else self.project_id or ''
