# SPDX-License-Identifier: Apache-2.0
"""Tags and metadata as subresources of a record.

A subresource is a whole collection (``Subresource('tags')``) or one item of
a collection (``Subresource('metadata', 'owner')``). It is changed by a write
of its record, but has state tokens of its own, so that clients can edit
different subresources of a record without conflicts.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from service.domain import errors
from service.domain.documents import values
from service.domain.records.preconditions import Precondition, state_token
from service.domain.records.store import Record

#: Column -> noun for one item of the collection.
_ITEM = {'tags': 'tag', 'metadata': 'metadata key'}


@dataclass(frozen=True, slots=True)
class Subresource:
    """A collection of a record, or one ``item`` of the collection."""

    column: str
    item: str | None = None

    @property
    def noun(self) -> str:
        return _ITEM[self.column]

    def present_in(self, record: Record) -> bool:
        """Whether the record has the item; a record has every collection."""
        return self.item is None or self.item in record[self.column]

    def require(self, type: str, record: Record) -> None:
        """Raise NoSuchItem if the record does not have the item."""
        if not self.present_in(record):
            raise errors.NoSuchItem(type=type, id=record['id'],
                                    noun=self.noun,
                                    item=values.quoted(self.item))

    def state_token(self, record: Record) -> str:
        """Return a token of the state, never equal to a record's token.

        The token is a hash of the content and not of the generation, so
        that a change of other properties does not invalidate it.
        ``created_at`` makes it differ if the record is deleted and created
        again under the same id.
        """
        text = values.canonical([record['created_at'], self.column, self.item,
                                 self._content(record)])
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    def state_tokens(self, record: Record) -> tuple[str, ...]:
        """Return every token that is valid for the present state.

        The tokens of the record and of the collection are valid too
        (ETAG-5): a missing item has no token of its own.
        """
        own = (self.state_token(record),) if self.present_in(record) else ()
        return (state_token(record),
                Subresource(self.column).state_token(record), *own)

    def _content(self, record: Record) -> Any:
        collection = record[self.column]
        if self.item is None:
            return collection
        return (collection.get(self.item) if isinstance(collection, dict)
                else True)


@dataclass(frozen=True, slots=True)
class SubresourcePrecondition:
    """A precondition on a subresource.

    ``must_exist``: the write needs an existing item. A missing item raises
    NoSuchItem, whatever the precondition says.
    """

    precondition: Precondition
    subresource: Subresource
    must_exist: bool = False

    def check(self, type: str, id: str, record: Record | None) -> None:
        """Raise Stale if the subresource does not meet the precondition."""
        if record is None:
            self.precondition.check(type, id, None)
            return
        if self.must_exist:
            self.subresource.require(type, record)
        reason = self.precondition.failure(
            self.subresource.state_tokens(record),
            present=self.subresource.present_in(record))
        if reason is not None:
            raise errors.Stale(type=f'{self._name} of the {type}', id=id,
                               reason=reason)

    @property
    def _name(self) -> str:
        subresource = self.subresource
        if subresource.item is None:
            return f'{subresource.noun} list'
        return f'{subresource.noun} {values.quoted(subresource.item)}'
