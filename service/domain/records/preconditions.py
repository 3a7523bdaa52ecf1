# SPDX-License-Identifier: Apache-2.0
"""Preconditions on the state of a stored record."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from service.domain import errors
from service.domain.records.store import Record


def state_token(record: Record) -> str:
    """Return a token that identifies the state of a record.

    The generation alone would repeat if a record is deleted and created
    again under the same id. A hash of ``created_at`` makes the token differ.
    """
    created = hashlib.blake2b(record['created_at'].encode(), digest_size=5)
    return f'{record["generation"]}-{created.hexdigest()}'


class RecordCondition(Protocol):
    """A condition on the stored record, checked in the write's transaction."""

    def check(self, type: str, id: str, record: Record | None) -> None:
        """Raise Stale if the condition fails; ``record`` may be missing."""


@dataclass(frozen=True, slots=True)
class Precondition:
    """The preconditions of a request (RFC 9110 section 13.1).

    ``tokens``: the state must be one of these; None means any state.
    ``exists``: the record must exist. ``absent``: it must not exist.
    """

    tokens: frozenset[str] | None = None
    exists: bool = False
    absent: bool = False

    def check(self, type: str, id: str, record: Record | None) -> None:
        """Raise Stale if ``record`` does not meet the precondition."""
        reason = self.failure([state_token(record)] if record else [],
                              present=record is not None)
        if reason is not None:
            raise errors.Stale(type=type, id=id, reason=reason)

    def failure(self, tokens: Collection[str], *,
                present: bool) -> str | None:
        """Return why the precondition fails, or None if it holds.

        ``tokens`` are the state tokens of the resource and of the resources
        that contain it. ``present`` says whether the resource exists.
        """
        if present and self.absent:
            return 'exists already'
        if not present and self.exists:
            return 'does not exist'
        if self.tokens is not None and self.tokens.isdisjoint(tokens):
            return _MISMATCH_REASON[present]
        return None


_MISMATCH_REASON = {True: 'was changed since it was read',
                    False: 'does not exist'}
