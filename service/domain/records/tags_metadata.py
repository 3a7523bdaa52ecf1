# SPDX-License-Identifier: Apache-2.0
"""A record's tags and metadata as things of their own.

A part is a whole collection (``Part('tags')``) or one item of it
(``Part('metadata', 'owner')``). It is changed by a write of its record, but
who edits one part need not mind who edits the rest: a part has states of its
own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from service.domain import errors
from service.domain.documents import values
from service.domain.records.preconditions import Precondition, state_token
from service.domain.records.store import Record

#: What one item of a collection is called.
_ITEM = {'tags': 'tag', 'metadata': 'metadata key'}


@dataclass(frozen=True, slots=True)
class Subresource:
    """Where a part stands in its record; without ``item``, all of them."""

    column: str
    item: str | None = None

    @property
    def noun(self) -> str:
        return _ITEM[self.column]

    def present_in(self, record: Record) -> bool:
        """Whether the record has it; a collection is there when empty too."""
        return self.item is None or self.item in record[self.column]

    def require(self, type: str, record: Record) -> None:
        """Raise NoSuchItem where the record has no such item."""
        if not self.present_in(record):
            raise errors.NoSuchItem(type=type, id=record['id'],
                                    noun=self.noun,
                                    item=values.quoted(self.item))

    def state_token(self, record: Record) -> str:
        """The part's state in a word, which no record's own is ever equal to.

        It comes from what the part holds and not from the generation: a new
        status makes nobody read the tags again. The time of the record's
        making tells it from one made anew under the same id.
        """
        told = values.canonical([record['created_at'], self.column, self.item,
                                 self._content(record)])
        return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()

    def state_tokens(self, record: Record) -> tuple[str, ...]:
        """Every word that names the state the part is in now.

        Those of what it is a part of will do (ETAG-5): an item that is not
        there yet has no other.
        """
        own = (self.state_token(record),) if self.present_in(record) else ()
        return (state_token(record),
                Subresource(self.column).state_token(record), *own)

    def _content(self, record: Record) -> Any:
        whole = record[self.column]
        if self.item is None:
            return whole
        return whole.get(self.item) if isinstance(whole, dict) else True


@dataclass(frozen=True, slots=True)
class SubresourcePrecondition:
    """What a caller says it saw of a part.

    ``must_exist``: the write is about an item that is there. One that is not
    is     NoSuchItem, whatever the caller saw.
    """

    seen: Precondition
    part: Subresource
    must_exist: bool = False

    def check(self, type: str, id: str, record: Record | None) -> None:
        """Raise Stale where the part is not as the caller saw it."""
        if record is None:
            self.seen.check(type, id, None)
            return
        if self.must_exist:
            self.part.require(type, record)
        reason = self.seen.failure(self.part.state_tokens(record),
                                  present=self.part.present_in(record))
        if reason is not None:
            raise errors.Stale(type=f'{self._name} of the {type}', id=id,
                               reason=reason)

    @property
    def _name(self) -> str:
        if self.part.item is None:
            return f'{self.part.noun} list'
        return f'{self.part.noun} {values.quoted(self.part.item)}'
