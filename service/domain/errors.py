# SPDX-License-Identifier: Apache-2.0
"""The errors of the domain, which a client or an operator can act on.

    PileusError
    +-- Invalid                the declared type does not allow the request
    |   +-- MissingReference   the referenced record does not exist
    +-- NotFound               no record has the id
    |   +-- NoSuchItem         the record has no such tag or metadata key
    |   +-- NoSuchRevision     the revision never existed, or was purged
    +-- Conflict               the stored state does not allow the request
    |   +-- NotUnique          another record has the same values
    |   +-- StillReferred      other records refer to the record
    |   +-- Overlapping        another record holds an overlapping period
    |   +-- IdTaken            a record of another project has the id
    |   +-- KeyTaken           the metadata key has another value
    |   +-- TestFailed         a JSON Patch ``test`` operation failed
    |   +-- QuotaKeptElsewhere another service sets the quotas
    +-- Stale                  the record changed since the caller read it
    +-- Forbidden              a policy rule denies the request
    |   +-- FieldForbidden     the caller's roles may not set a property
    |   +-- QuotaExceeded      the project has reached its quota
    +-- Unavailable            the same request may succeed later
    |   +-- Outdated           the types changed since the worker read them

These classes do not depend on HTTP: ``api.response.faults`` maps each branch
to a status.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple


class Violation(NamedTuple):
    """One mistake in a request, and its place.

    ``pointer`` is an RFC 6901 JSON Pointer into the body; ``parameter`` names
    a query parameter or a header. At most one of the two is set.
    """

    detail: str
    pointer: str | None = None
    parameter: str | None = None


#: The most violations that one error reports.
MAX_VIOLATIONS = 50

#: Replies leave out JSON Pointers that are longer.
MAX_POINTER_CHARS = 512


def shorten(text: str, max_chars: int = 80) -> str:
    """Cut a client's text for an error message; ``...`` marks the cut."""
    return text if len(text) <= max_chars else f'{text[:max_chars - 3]}...'


def printable(text: str) -> str:
    """Escape every character that could split or hide a log line."""
    if text.isprintable():
        return text
    return ''.join(char if char.isprintable() else
                   char.encode('unicode_escape').decode() for char in text)


class PileusError(Exception):
    """A failure that the caller can act on.

    ``code`` is a promise to clients: it never changes after a release.
    ``text`` is a template. A missing fact raises KeyError where the error is
    created, so no incomplete text reaches a client.
    """

    code = 'error'
    title = 'Request failed'
    text = 'The request could not be carried out.'

    def __init__(self, **facts: object) -> None:
        super().__init__(self.text.format(**facts))
        self.facts = facts

    @property
    def violations(self) -> tuple[Violation, ...]:
        """The mistakes that the error reports; most errors have one."""
        return (Violation(str(self)),)


class Invalid(PileusError):
    """All violations of one request, at most MAX_VIOLATIONS.

    SECURITY: a body of a megabyte can hold a hundred thousand mistakes. The
    error stops reading ``violations`` at the limit, so a lazy iterable stops
    the check as well.
    """

    code = 'invalid'
    title = 'Invalid request'
    text = '{summary}'

    def __init__(self, violations: Iterable[Violation]) -> None:
        self._violations = tuple(islice(violations, MAX_VIOLATIONS))
        super().__init__(summary='; '.join(
            violation.detail for violation in self._violations))

    @property
    def violations(self) -> tuple[Violation, ...]:
        return self._violations


class MissingReference(Invalid):
    code = 'missing-reference'
    title = 'Referenced record not found'


class NotFound(PileusError):
    code = 'not-found'
    title = 'Record not found'
    text = 'No {type} has the id {id}.'


class NoSuchItem(NotFound):
    """Facts: ``type``, ``id``, ``noun`` (tag or metadata key), ``item``."""

    code = 'no-such-item'
    title = 'No such tag or metadata key'
    text = 'The {type} {id} has no {noun} {item}.'


class NoSuchRevision(NotFound):
    """Facts: ``type``, ``id``, ``number``.

    SECURITY: the text is the same if the record does not exist or belongs to
    another project.
    """

    code = 'no-such-revision'
    title = 'No such revision'
    text = ('The {type} {id} has no revision {number}: it never existed or '
            'was purged. GET /revisions of the record lists its revisions.')


class Conflict(PileusError):
    """Facts: the fields of ``text``, and optionally ``pointer``, the place in
    the body that conflicts with the stored state."""

    code = 'conflict'
    title = 'Conflict'
    text = '{reason}'

    @property
    def violations(self) -> tuple[Violation, ...]:
        pointer = self.facts.get('pointer')
        return (Violation(str(self), None if pointer is None
                          else str(pointer)),)


class NotUnique(Conflict):
    """Facts: ``type``, ``properties``, and ``conflicting``: a colon and the
    other record, or '' if the caller may not know which record it is."""

    code = 'not-unique'
    title = 'Not unique'
    text = 'Another {type} has the same {properties}{conflicting}.'


class StillReferred(Conflict):
    code = 'still-referred'
    title = 'Still referred to'
    text = ('The {type} {id} is still referred to by {referrers}; delete or '
            'change the referring records first.')


class Overlapping(Conflict):
    """Facts: ``type``, ``period``, ``over``, and ``conflicting`` as in
    NotUnique."""

    code = 'overlapping'
    title = 'Period taken'
    text = ('Another {type} holds a period that overlaps {period}{over}'
            '{conflicting}.')


class IdTaken(Conflict):
    code = 'id-taken'
    title = 'Id taken'
    text = 'The id {id} is already taken; choose another id.'


class KeyTaken(Conflict):
    """Facts: ``type``, ``id``, ``key``."""

    code = 'key-taken'
    title = 'Metadata key taken'
    text = ('The {type} {id} has the metadata key {key} with another value; '
            'PUT the key to change it.')


class TestFailed(Conflict):
    """Facts: ``path``, the tested place in the record, and ``pointer``, the
    operation in the body."""

    code = 'test-failed'
    title = 'Patch test failed'
    text = 'The JSON Patch test of {path} failed; nothing was changed.'


class Stale(PileusError):
    code = 'precondition-failed'
    title = 'Precondition failed'
    text = 'The {type} {id} {reason}; read it again and retry.'


class Forbidden(PileusError):
    code = 'forbidden'
    title = 'Forbidden'
    text = 'The policy rule {rule} does not allow this request.'


class FieldForbidden(Forbidden):
    """All properties of one request that the caller's roles may not set."""

    code = 'field-forbidden'
    title = 'Field forbidden'
    text = '{summary}'

    def __init__(self, violations: Iterable[Violation]) -> None:
        self._violations = tuple(islice(violations, MAX_VIOLATIONS))
        super().__init__(summary='; '.join(
            violation.detail for violation in self._violations))

    @property
    def violations(self) -> tuple[Violation, ...]:
        return self._violations


class QuotaExceeded(Forbidden):
    """Facts: ``limit``, ``used``, ``wanted`` (new records), ``plural``."""

    code = 'quota-exceeded'
    title = 'Quota exceeded'
    text = ('The project has {used} of at most {limit} {plural}; the request '
            'would create {wanted} more.')


class QuotaKeptElsewhere(Conflict):
    """Facts: ``keeper``, the service that sets the limits."""

    code = 'quota-kept-elsewhere'
    title = 'Quota kept elsewhere'
    text = 'Quotas cannot be set here; set the limits in {keeper}.'


class Unavailable(PileusError):
    code = 'unavailable'
    title = 'Service unavailable'
    text = 'The service cannot answer now; try again shortly.'


class Outdated(Unavailable):
    """The worker has old types and wrote nothing; the client may retry."""

    code = 'types-changing'
    title = 'Types are changing'
    text = ('The resource types are being changed and nothing was written; '
            'try again shortly.')
