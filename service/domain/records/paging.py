# SPDX-License-Identifier: Apache-2.0
"""One page of a list, and where the pages beside it begin."""

from __future__ import annotations

from typing import NamedTuple

from service.domain.catalogue.types import ResourceType
from service.domain.query.list_query import Query, unknown_marker
from service.domain.records import revisions
from service.domain.records.store import Record, Rows


class Page(NamedTuple):
    """One page of a list.

    ``previous`` is the marker of the page before: None on the first page, ''
    where the page before is the first.
    """

    records: list[Record]
    more: bool
    previous: str | None
    total: int | None


def page(rows: Rows, declared: ResourceType, owner: str | None,
         query: Query) -> Page:
    """The page after the query's marker, the first where it has none."""
    marker = _marker(rows, declared, owner, query)
    records, more = rows.select(declared, query, owner, marker)
    count = rows.count(declared, query, owner) if query.with_count else None
    first = marker and next(iter(records), marker)
    return Page(records, more, _previous(rows, declared, owner, query, first),
                count)


def _marker(rows: Rows, declared: ResourceType, owner: str | None,
            query: Query) -> Record | None:
    """The record a page starts after: as it is, or as it last was (D21).

    No more of it than what tells where it stands.
    """
    if query.marker is None:
        return None
    marker = rows.fetch(declared, query.marker, owner,
                        tuple(one.column for one in query.sort))
    if marker is not None:
        return marker
    marker = rows.last(declared, query.marker, owner)
    if marker is None:
        raise unknown_marker()
    return revisions.with_current_columns(declared, marker)


def _previous(rows: Rows, declared: ResourceType, owner: str | None,
              query: Query, first: Record | None) -> str | None:
    """The marker of the page before the one that begins with ``first``."""
    if first is None:
        return None
    return rows.before(declared, query, owner, first) or ''
