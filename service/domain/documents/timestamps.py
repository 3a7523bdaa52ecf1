# SPDX-License-Identifier: Apache-2.0
"""The canonical text of an instant, for bodies, queries and tables."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_FORM = '%04d-%02d-%02dT%02d:%02d:%02d.%06dZ'
_ZONE = r'(?:Z|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)'
_INSTANT = re.compile(
    r'[1-9][0-9]{3}-[0-9]{2}-[0-9]{2}'
    r'T(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:[.,][0-9]{1,6})?)?'
    + _ZONE +
    r'|[1-9][0-9]{7}'
    r'T(?:[01][0-9]|2[0-3])[0-5][0-9](?:[0-5][0-9](?:[.,][0-9]{1,6})?)?'
    + _ZONE, re.IGNORECASE | re.ASCII)

_DAY = r'(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})'
_CLOCK = _DAY + r'T[0-9]{2}:?[0-9]{2}'

#: Common mistakes: the pattern and the reason, most likely first.
_REASONS = tuple(
    (re.compile(pattern, re.IGNORECASE | re.ASCII), reason)
    for pattern, reason in (
        (_CLOCK + r'(?::?[0-9]{2}(?:[.,][0-9]+)?)?',
         'has no offset from UTC; end it with Z or +hh:mm'),
        (_DAY, 'has no time of day; write it as 2026-01-31T12:00:00Z'),
        (_DAY + r' .*', 'has a blank between date and time; write a T'),
        (_CLOCK + r':?60.*', 'is a leap second, which cannot be stored'),
        (_CLOCK + r':?[0-9]{2}[.,][0-9]{7}.*',
         'has more than 6 digits after the second'),
        (_DAY + r'T24.*', 'has the hour 24; write 00:00 of the next day'),
        (r'0[0-9]{3}-?[0-9]{2}.*|[+-][0-9]{5}.*',
         'is outside the years 1000 to 9999'),
    ))
_DEFAULT_REASON = 'is not an ISO 8601 time such as 2026-01-31T12:00:00Z'


def canonical(text: str) -> str:
    """Return an ISO 8601 time in UTC with microseconds: 27 characters.

    Accepts the extended and the basic form of ISO 8601, with an offset.
    Canonical texts sort in the order of their instants, on every database.
    Raises ValueError for any other text; the error's text is a predicate
    that completes "The value ...".
    """
    if not _INSTANT.fullmatch(text):
        raise ValueError(_reason(text))
    try:
        instant = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError:
        raise ValueError('is outside the years 1000 to 9999 in UTC') from None
    except ValueError:
        raise ValueError('names a day that is not in the calendar') from None
    if instant.year < 1000:
        raise ValueError('is outside the years 1000 to 9999 in UTC')
    return _format(instant)


def display(text: str) -> str:
    """Return a canonical text without its fraction if that is zero."""
    return text[:19] + 'Z' if text.endswith('.000000Z') else text


def now() -> str:
    """Return the canonical text of the present instant."""
    return _format(datetime.now(UTC))


def not_before(text: str) -> str:
    """Return now, or ``text`` if the clock was set back behind ``text``."""
    return max(now(), text)


def _format(utc: datetime) -> str:
    """Format an instant in UTC.

    PERF: isoformat queries the time zone for its offset and takes twice as
    long.
    """
    return _FORM % (utc.year, utc.month, utc.day, utc.hour, utc.minute,
                    utc.second, utc.microsecond)


def _reason(text: str) -> str:
    return next((reason for pattern, reason in _REASONS
                 if pattern.fullmatch(text)), _DEFAULT_REASON)
