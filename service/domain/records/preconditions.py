# SPDX-License-Identifier: Apache-2.0
"""What a caller says it saw of a record before it asks to change it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from service.domain import errors
from service.domain.records.store import Record


def state_token(record: Record) -> str:
    """A record's state in a word: two states of one id never share it.

    The generation alone would come back when a record is deleted and made
    anew under the same id; the time of its making tells the two apart.
    """
    made = hashlib.blake2b(record['created_at'].encode(), digest_size=5)
    return f'{record["generation"]}-{made.hexdigest()}'


class RecordCondition(Protocol):
    """What must hold of a stored record for a write to happen."""

    def check(self, type: str, id: str, record: Record | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Precondition:
    """A condition on the stored record (RFC 9110 13.1).

    ``tokens``: it is in one of these states; None: no such condition.
    ``exists``: it is there, in any state. ``absent``: it is not there.
    """

    tokens: frozenset[str] | None = None
    exists: bool = False
    absent: bool = False

    def check(self, type: str, id: str, record: Record | None) -> None:
        """Raise Stale where the record is not as the caller saw it."""
        reason = self.failure([state_token(record)] if record else [],
                              present=record is not None)
        if reason is not None:
            raise errors.Stale(type=type, id=id, reason=reason)

    def failure(self, states: Collection[str], *, present: bool) -> str | None:
        """Why the condition does not hold of a thing, if it does not.

        ``states`` are the words for the state it, and what it is a part of,
        are in.
        """
        if present and self.absent:
            return 'exists already'
        if not present and self.exists:
            return 'does not exist'
        if self.tokens is not None and self.tokens.isdisjoint(states):
            return _MISMATCH_REASON[present]
        return None


_MISMATCH_REASON = {True: 'was changed since it was read',
                    False: 'does not exist'}

