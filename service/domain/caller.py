# SPDX-License-Identifier: Apache-2.0
"""Who asks, as far as records care."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller of one request.

    ``project_id`` is the project that owns what the caller makes.
    ``everywhere`` is an administrator: routes of one record then ignore whose
    it is (D19).
    """

    project_id: str | None
    user_id: str | None
    roles: frozenset[str]
    everywhere: bool
    request_id: str | None = None
    global_request_id: str | None = None

    @property
    def owner(self) -> str | None:
        """Whose records the caller may meet; None for everybody's."""
        return None if self.everywhere else self.project_id or ''
