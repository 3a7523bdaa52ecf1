# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, said in the domain's own words.

    PileusError
    +-- Invalid               the request asks for what no declared type allows
    |   +-- MissingReference  it points at a record that is not there
    +-- NotFound              there is nothing of that name
    |   +-- NoSuchItem        the record has no such tag or metadata key
    |   +-- NoSuchRevision    the record has no such revision, or no more
    +-- Conflict              the request and the stored state disagree
    |   +-- NotUnique         another record has these values
    |   +-- StillReferred     other records point at it
    |   +-- Overlapping       another record holds this period
    |   +-- IdTaken           the id belongs to a record elsewhere
    |   +-- KeyTaken          the metadata key has another value
    |   +-- TestFailed        a JSON Patch ``test`` did not hold
    |   +-- KeptElsewhere     somebody else keeps what was to be set
    +-- Stale                 the record moved on since the caller saw it
    +-- Forbidden             the caller may not
    |   +-- FieldForbidden    its roles may not set what it would set
    |   +-- QuotaExceeded     the project has as many as it may
    +-- Unavailable           not now; the same request may do later
    |   +-- Outdated          the types changed since the worker read them

Nothing here knows HTTP. ``api.response.faults`` gives each branch its status.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple


class Violation(NamedTuple):
    """One thing wrong with a request, and where.

    ``pointer`` is an RFC 6901 JSON Pointer into the body; ``parameter`` names
    a query parameter or a header. At most one of the two is set.
    """

    detail: str
    pointer: str | None = None
    parameter: str | None = None


#: One failure tells of at most so many things wrong.
MAX_VIOLATIONS = 50

#: A longer pointer is not worth its bytes in a reply.
MAX_POINTER_CHARS = 512


def shorten(text: str, longest: int = 80) -> str:
    """A client's word in an error text, which need not be told in full."""
    return text if len(text) <= longest else f'{text[:longest - 3]}...'


def printable(text: str) -> str:
    """The text with what could break or hide a line of the log escaped."""
    if text.isprintable():
        return text
    return ''.join(one if one.isprintable() else
                   one.encode('unicode_escape').decode() for one in text)


class PileusError(Exception):
    """A failure the caller can act on.

    ``code`` is a promise to clients: once released it never changes.
    ``text`` is a template; a missing fact raises KeyError where the error is
    made, so a badly reported failure cannot reach a client unnoticed.
    """

    code = 'error'
    title = 'Request failed'
    text = 'The request could not be carried out.'

    def __init__(self, **facts: object) -> None:
        super().__init__(self.text.format(**facts))
        self.facts = facts

    @property
    def violations(self) -> tuple[Violation, ...]:
        """One item for each thing wrong; most failures are one thing."""
        return (Violation(str(self)),)


class Invalid(PileusError):
    """Every violation of one request, told at once, up to MAX_TOLD.

    SECURITY: what is wrong with a megabyte may be a hundred thousand things;
    given lazily, those that nobody is told of are not looked for.
    """

    code = 'invalid'
    title = 'Invalid request'
    text = '{summary}'

    def __init__(self, violations: Iterable[Violation]) -> None:
        self._violations = tuple(islice(violations, MAX_VIOLATIONS))
        super().__init__(summary='; '.join(
            one.detail for one in self._violations))

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
    """Facts: ``type``, ``id``, ``noun`` (tag, metadata key), ``item``."""

    code = 'no-such-item'
    title = 'No such tag or metadata key'
    text = 'The {type} {id} has no {noun} {item}.'


class NoSuchRevision(NotFound):
    """Facts: ``type``, ``id``, ``number``.

    SECURITY: the same for a record that is not there or another project's.
    """

    code = 'no-such-revision'
    title = 'No such revision'
    text = ('The {type} {id} has no revision {number}, or no longer; GET '
            '/revisions of the record lists those it has.')


class Conflict(PileusError):
    """Facts: those of the text, and ``pointer``, the place in the body that
    the stored state is against, where there is one."""

    code = 'conflict'
    title = 'Conflict'
    text = '{reason}'

    @property
    def violations(self) -> tuple[Violation, ...]:
        pointer = self.facts.get('pointer')
        return (Violation(str(self), None if pointer is None
                          else str(pointer)),)


class NotUnique(Conflict):
    """Facts: ``type``, ``properties``, ``rival``: who has them, after a
    colon, or nothing where the caller may not know."""

    code = 'not-unique'
    title = 'Not unique'
    text = 'Another {type} has the same {properties}{rival}.'


class StillReferred(Conflict):
    code = 'still-referred'
    title = 'Still referred to'
    text = 'The {type} {id} is still referred to by {referrers}.'


class Overlapping(Conflict):
    """Facts: ``type``, ``period``, ``over``, ``rival`` as in NotUnique."""

    code = 'overlapping'
    title = 'Period taken'
    text = 'Another {type} holds a period that overlaps {period}{over}{rival}.'


class IdTaken(Conflict):
    code = 'id-taken'
    title = 'Id taken'
    text = 'The id {id} is taken.'


class KeyTaken(Conflict):
    """Facts: ``type``, ``id``, ``key``."""

    code = 'key-taken'
    title = 'Metadata key taken'
    text = ('The {type} {id} has the metadata key {key} with another value; '
            'PUT the key to change it.')


class TestFailed(Conflict):
    """Facts: ``path``, and ``pointer``, the operation in the body."""

    code = 'test-failed'
    title = 'Patch test failed'
    text = 'The JSON Patch test at {path} did not hold; nothing was changed.'


class Stale(PileusError):
    code = 'precondition-failed'
    title = 'Precondition failed'
    text = 'The {type} {id} {reason}; read it again and retry.'


class Forbidden(PileusError):
    code = 'forbidden'
    title = 'Forbidden'
    text = 'The policy rule {rule} does not allow this.'


class FieldForbidden(Forbidden):
    """Every property of one request that the caller's roles may not set."""

    code = 'field-forbidden'
    title = 'Field forbidden'
    text = '{summary}'

    def __init__(self, violations: Iterable[Violation]) -> None:
        self._violations = tuple(islice(violations, MAX_VIOLATIONS))
        super().__init__(summary='; '.join(
            one.detail for one in self._violations))

    @property
    def violations(self) -> tuple[Violation, ...]:
        return self._violations


class QuotaExceeded(Forbidden):
    code = 'quota-exceeded'
    title = 'Quota exceeded'
    text = ('The project may have {limit} {plural} and has {used}; '
            '{wanted} more cannot be made.')


class QuotaKeptElsewhere(Conflict):
    """Facts: ``keeper``, who keeps the limits."""

    code = 'quota-kept-elsewhere'
    title = 'Quota kept elsewhere'
    text = 'Quotas are not set here; their limits are those of {keeper}.'


class Unavailable(PileusError):
    code = 'unavailable'
    title = 'Service unavailable'
    text = 'The service cannot answer now; try again shortly.'


class Outdated(Unavailable):
    """Nothing was written; a worker that knows the new types may do it."""

    code = 'types-changing'
    title = 'Types are changing'
    text = ('The resource types are being changed and nothing was done; try '
            'again shortly.')
