# SPDX-License-Identifier: Apache-2.0
"""Microversions: which one a request asks for, and how a reply names it."""

from __future__ import annotations

import re

from api.request import errors
from service.domain.catalogue.microversion import FIRST_VERSION, Version
from service.domain.errors import shorten

HEADER = 'OpenStack-API-Version'

#: How a version is written (MV-6), also one that nobody will ever offer.
_WRITTEN = re.compile('[1-9][0-9]*[.](?:[1-9][0-9]*|0)')


class Versions:
    """The versions a service offers, from 1.0 to the newest declared."""

    def __init__(self, service_type: str, maximum: Version) -> None:
        self.service_type = service_type
        self.minimum = FIRST_VERSION
        self.maximum = maximum

    def wanted(self, header: str | None) -> Version:
        """The version a request asks for; none asked for is the minimum.

        Raises MalformedVersion and VersionUnsupported. Items for other
        services are theirs, however odd (MV-2, MV-10).
        """
        text = self._named(header) if header else None
        if text is None:
            return self.minimum
        if text == 'latest':
            return self.maximum
        version = _read(text)
        if version is None or not self.minimum <= version <= self.maximum:
            raise errors.VersionUnsupported(
                wanted=shorten(text), minimum=self.minimum,
                maximum=self.maximum)
        return version

    def stamp(self, version: Version | None) -> list[tuple[str, str]]:
        """The headers every reply owes (MV-8, MV-9)."""
        return [(HEADER, f'{self.service_type} {version or self.minimum}'),
                ('Vary', HEADER)]

    def _named(self, header: str) -> str | None:
        """What the last item for this service says."""
        found = None
        for item in header.split(','):
            words = re.findall('[^ \t]+', item)
            if len(words) > 1 and words[0].lower() == self.service_type:
                found = ' '.join(words[1:])
        return found


def _read(text: str) -> Version | None:
    """The version a text spells; None where its numbers are beyond all that
    any service offers. Raises MalformedVersion."""
    try:
        return Version.parse(text)
    except ValueError:
        if _WRITTEN.fullmatch(text):
            return None
        raise errors.MalformedVersion(wanted=shorten(ascii(text))) from None
