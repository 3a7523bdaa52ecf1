# SPDX-License-Identifier: Apache-2.0
"""Fetch one page of a list, with the marker of the previous page."""

from __future__ import annotations

from typing import NamedTuple

from service.domain.catalogue.types import ResourceType
from service.domain.query.list_query import Query, unknown_marker
from service.domain.records import revisions
from service.domain.records.store import Record, Rows


class Page(NamedTuple):
    """One page of a list.

    ``previous`` is the marker of the previous page: None if this page is the
    first, '' if the previous page is the first.
    """

    records: list[Record]
    more: bool
    previous: str | None
    total: int | None


def page(rows: Rows, declared: ResourceType, owner: str | None,
         query: Query) -> Page:
    """Return the page after the query's marker, or the first page."""
    marker = _marker_record(rows, declared, owner, query)
    records, more = rows.select(declared, query, owner, marker)
    total = rows.count(declared, query, owner) if query.with_count else None
    first = marker and next(iter(records), marker)
    return Page(records, more, _previous(rows, declared, owner, query, first),
                total)


def _marker_record(rows: Rows, declared: ResourceType, owner: str | None,
                   query: Query) -> Record | None:
    """Return the record that the page starts after.

    A deleted record is restored from its last revision (D21). PERF: of a
    record that exists only the sort columns are fetched.
    """
    if query.marker is None:
        return None
    record = rows.fetch(declared, query.marker, owner,
                        tuple(key.column for key in query.sort))
    if record is not None:
        return record
    document = rows.last(declared, query.marker, owner)
    if document is None:
        raise unknown_marker()
    return revisions.with_current_columns(declared, document)


def _previous(rows: Rows, declared: ResourceType, owner: str | None,
              query: Query, first: Record | None) -> str | None:
    """Return the marker of the page before the page with ``first``."""
    if first is None:
        return None
    return rows.before(declared, query, owner, first) or ''
