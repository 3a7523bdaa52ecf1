# SPDX-License-Identifier: Apache-2.0
"""What records were: their revisions, as today's type has it.

A revision keeps what a write left in the columns of its time. Who looks at it
meets the columns of now: what came since has what the records of that time
were given for it, what is gone is not there (D26).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from service.domain import errors
from service.domain.caller import Caller
from service.domain.catalogue.types import MISSING, Property, ResourceType
from service.domain.documents import values
from service.domain.query.filter_syntax import InvalidParameter
from service.domain.query.list_query import unknown_marker
from service.domain.records.preconditions import Precondition
from service.domain.records.store import NumberedRevision, Record, Rows, Store


class RevisionPage(NamedTuple):
    """One page of a record's revisions, the newest first.

    ``previous`` is the marker of the page before, as in ``listing.Page``.
    """

    revisions: list[NumberedRevision]
    more: bool
    previous: str | None


class RecordHistory:
    """The revisions of records, also of those deleted since.

    SECURITY: whose a revision is stands in it. A record that was deleted and
    made anew under the same id in another project has two owners, and each
    meets its own revisions only.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, declared: ResourceType, caller: Caller, id: str,
             limit: int, marker: int | None) -> RevisionPage:
        """The revisions before the one of number ``marker``.

        NotFound where the caller may meet none of the id at all.
        """
        def work(rows: Rows) -> RevisionPage:
            first, more = rows.revisions(declared, id, caller.owner, None, 1)
            if not first:
                raise errors.NotFound(type=declared.name,
                                      id=errors.shorten(id))
            if marker is not None and _fetch(
                    rows, declared, id, caller.owner, marker) is None:
                raise unknown_marker()
            found, more = rows.revisions(declared, id, caller.owner, marker,
                                         limit)
            return RevisionPage([_as_of_today(declared,
                                              one) for one in found], more,
                         _previous(rows, declared, id, caller.owner, limit,
                                   marker))
        return self._store.read(work)

    def find(self, declared: ResourceType, caller: Caller, id: str,
             number: int) -> NumberedRevision | None:
        """One revision of a record; None if the caller may meet no such."""
        found = self._store.read(
            lambda rows: _fetch(rows, declared, id, caller.owner, number))
        return None if found is None else _as_of_today(declared, found)

    def show(self, declared: ResourceType, caller: Caller, id: str,
             number: int) -> NumberedRevision:
        found = self.find(declared, caller, id, number)
        if found is None:
            raise errors.NoSuchRevision(type=declared.name,
                                        id=errors.shorten(id),
                                        number=errors.shorten(str(number)))
        return found


def _fetch(rows: Rows, declared: ResourceType, id: str, owner: str | None,
          number: int) -> NumberedRevision | None:
    if number > _MAX_NUMBER:
        return None
    return rows.revision(declared, id, owner, number)


def _previous(rows: Rows, declared: ResourceType, id: str, owner: str | None,
              limit: int, marker: int | None) -> str | None:
    if marker is None:
        return None
    newer = rows.newer(declared, id, owner, marker, limit + 1)
    return str(newer[limit]) if len(newer) > limit else ''


def _as_of_today(declared: ResourceType,
                 past: NumberedRevision) -> NumberedRevision:
    return past._replace(revision=past.revision._replace(
        document=with_current_columns(declared, past.revision.document)))


def with_current_columns(declared: ResourceType, document: Record) -> Record:
    """A document of any time, with a value for each of today's columns."""
    return {**document, **{one.name: _value(declared, one, document)
                           for one in declared.live}}


def _value(declared: ResourceType, prop: Property, document: Record) -> Any:
    """What a column of now has for a record of then.

    What is missing was filled in when the property came, and is here. A null
    that is refused by now, and a value of another kind, are none any more.
    """
    held = document.get(prop.name, MISSING)
    before = prop.renamed_from
    if held is MISSING and before and before not in declared.properties:
        held = document.get(before, MISSING)
    if type(held) in _PYTHON_TYPES[prop.kind]:
        return held
    if held is not MISSING and prop.nullable or prop.existing_value is MISSING:
        return None
    return prop.existing_value


_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    'string': (str,), 'integer': (int,), 'number': (int, float),
    'boolean': (bool,), 'object': (dict,), 'array': (list,)}

_NUMBER = re.compile('0*[1-9][0-9]*', re.ASCII)
#: No database holds a larger one; what is larger names no revision.
_MAX_NUMBER = 2 ** 63 - 1
#: int() takes no text that is much longer.
_MAX_DIGITS = 4000


def state_token(number: int) -> str:
    """A revision's state in a word, which no record's own is ever equal to:
    who read the past has not seen the present."""
    return f'r{number}'


def check_precondition(seen: Precondition, type: str, id: str,
                       number: int) -> None:
    """Raise Stale where the caller saw anything else than a revision."""
    if seen.failure([state_token(number)], present=True) is not None:
        raise errors.Stale(type=type, id=id, reason=(
            f'at revision {number} is not what If-Match names'))


def parse_number(text: str) -> int:
    """A revision's number as a query has it."""
    digits = text.lstrip('0')
    if not _NUMBER.fullmatch(text) or len(digits) > _MAX_DIGITS:
        raise InvalidParameter(
            f'has {values.quoted(text)}, which is no number of a '
            'revision, an integer from 1 on')
    return int(digits)
