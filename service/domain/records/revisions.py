# SPDX-License-Identifier: Apache-2.0
"""The revision history of records, shown with the columns of today's type.

A revision stores the columns of its time. When it is shown, columns added
since then are filled in as they were in existing records, and columns
dropped since then are left out (D26).
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
    """One page of a record's revisions, newest first.

    ``previous`` is the marker of the previous page, as in ``paging.Page``.
    """

    revisions: list[NumberedRevision]
    more: bool
    previous: str | None


class RecordHistory:
    """The revisions of records, including records that are deleted.

    SECURITY: a revision names the project that owned the record at that
    time. If a record is deleted and created again under the same id in
    another project, each project sees only its own revisions.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, declared: ResourceType, caller: Caller, id: str,
             limit: int, marker: int | None) -> RevisionPage:
        """Return the revisions older than the revision ``marker``.

        Raises NotFound if the caller may see no revision of this id.
        """
        def work(rows: Rows) -> RevisionPage:
            newest, more = rows.revisions(declared, id, caller.owner, None, 1)
            if not newest:
                raise errors.NotFound(type=declared.name,
                                      id=errors.shorten(id))
            if marker is not None and _fetch(
                    rows, declared, id, caller.owner, marker) is None:
                raise unknown_marker()
            revisions, more = rows.revisions(declared, id, caller.owner,
                                             marker, limit)
            return RevisionPage(
                [_as_of_today(declared, revision) for revision in revisions],
                more, _previous(rows, declared, id, caller.owner, limit,
                                marker))
        return self._store.read(work)

    def find(self, declared: ResourceType, caller: Caller, id: str,
             number: int) -> NumberedRevision | None:
        """Return a revision, or None if it is missing or not visible."""
        revision = self._store.read(
            lambda rows: _fetch(rows, declared, id, caller.owner, number))
        return None if revision is None else _as_of_today(declared, revision)

    def show(self, declared: ResourceType, caller: Caller, id: str,
             number: int) -> NumberedRevision:
        """Return a revision; raise NoSuchRevision if ``find`` has none."""
        revision = self.find(declared, caller, id, number)
        if revision is None:
            raise errors.NoSuchRevision(type=declared.name,
                                        id=errors.shorten(id),
                                        number=errors.shorten(str(number)))
        return revision


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
                 numbered: NumberedRevision) -> NumberedRevision:
    return numbered._replace(revision=numbered.revision._replace(
        document=with_current_columns(declared, numbered.revision.document)))


def with_current_columns(declared: ResourceType, document: Record) -> Record:
    """Return a revision's document with a value for each present column."""
    return {**document, **{prop.name: _value(declared, prop, document)
                           for prop in declared.live}}


def _value(declared: ResourceType, prop: Property, document: Record) -> Any:
    """Return the value of a present column for an old document.

    A column missing in the document has the value that existing records got
    when the column was added. A value of another type, or a null that is no
    longer allowed, counts as missing.
    """
    value = document.get(prop.name, MISSING)
    old_name = prop.renamed_from
    if value is MISSING and old_name and old_name not in declared.properties:
        value = document.get(old_name, MISSING)
    if type(value) in _PYTHON_TYPES[prop.kind]:
        return value
    if (value is not MISSING and prop.nullable
            or prop.existing_value is MISSING):
        return None
    return prop.existing_value


_PYTHON_TYPES: Mapping[str, tuple[type, ...]] = {
    'string': (str,), 'integer': (int,), 'number': (int, float),
    'boolean': (bool,), 'object': (dict,), 'array': (list,)}

_NUMBER = re.compile('0*[1-9][0-9]*', re.ASCII)
#: The largest number that a database can store.
_MAX_NUMBER = 2 ** 63 - 1
#: int() refuses texts of more than 4300 digits.
_MAX_DIGITS = 4000


def state_token(number: int) -> str:
    """Return a revision's token, never equal to the token of a record.

    A client that has read an old revision has not read the present state.
    """
    return f'r{number}'


def check_precondition(precondition: Precondition, type: str, id: str,
                       number: int) -> None:
    """Raise Stale if If-Match does not name the revision ``number``."""
    if precondition.failure([state_token(number)], present=True) is not None:
        raise errors.Stale(type=type, id=id, reason=(
            f'at revision {number} is not what If-Match names'))


def parse_number(text: str) -> int:
    """Return the revision number of a query parameter."""
    digits = text.lstrip('0')
    if not _NUMBER.fullmatch(text) or len(digits) > _MAX_DIGITS:
        raise InvalidParameter(
            f'has {values.quoted(text)}, which is not a revision number; use '
            'an integer of 1 or more')
    return int(digits)
