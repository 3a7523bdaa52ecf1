# SPDX-License-Identifier: Apache-2.0
"""A moment, as the one text it has here, in bodies, queries and tables."""

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

#: What people get wrong, the likeliest reason first.
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
    """The one text of a moment: UTC, microseconds, always 27 characters.

    Texts of this form sort as their moments do, on every database. Takes the
    extended and the basic form of ISO 8601, with an offset, and raises
    ValueError with the reason, a predicate to put behind the value.
    """
    if not _INSTANT.fullmatch(text):
        raise ValueError(_reason(text))
    try:
        moment = datetime.fromisoformat(text.upper()).astimezone(UTC)
    except OverflowError:
        raise ValueError('is outside the years 1000 to 9999 in UTC') from None
    except ValueError:
        raise ValueError('names a day that is not in the calendar') from None
    if moment.year < 1000:
        raise ValueError('is outside the years 1000 to 9999 in UTC')
    return _format(moment)


def display(text: str) -> str:
    """A stored moment as replies show it: no fraction where it is zero."""
    return text[:19] + 'Z' if text.endswith('.000000Z') else text


def now() -> str:
    return _format(datetime.now(UTC))


def not_before(text: str) -> str:
    """Now, but never before ``text``: a clock that is set back is no news."""
    return max(now(), text)


def _format(moment: datetime) -> str:
    """PERF: isoformat asks the zone for its offset and takes twice as long."""
    return _FORM % (moment.year, moment.month, moment.day, moment.hour,
                    moment.minute, moment.second, moment.microsecond)


def _reason(text: str) -> str:
    return next((reason for pattern, reason in _REASONS
                 if pattern.fullmatch(text)), _DEFAULT_REASON)
