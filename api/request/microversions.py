# SPDX-License-Identifier: Apache-2.0
"""Microversions: parse the request header and make the reply headers."""

from __future__ import annotations

import re

from api.request import errors
from service.domain.catalogue.microversion import FIRST_VERSION, Version
from service.domain.errors import shorten

HEADER = 'OpenStack-API-Version'

#: The spelling of a version (MV-6), also of one too large to be parsed.
_SPELLING = re.compile('[1-9][0-9]*[.](?:[1-9][0-9]*|0)')


class Versions:
    """The versions that a service offers, from 1.0 to the newest declared."""

    def __init__(self, service_type: str, maximum: Version) -> None:
        self.service_type = service_type
        self.minimum = FIRST_VERSION
        self.maximum = maximum

    def wanted(self, header: str | None) -> Version:
        """Return the version that a header requests; the minimum without one.

        Raises MalformedVersion and VersionUnsupported. Items of the header
        for other services are ignored, even malformed ones (MV-2, MV-10).
        """
        text = self._item(header) if header else None
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

    def headers(self, version: Version | None) -> list[tuple[str, str]]:
        """Return the version headers that every reply has (MV-8, MV-9)."""
        return [(HEADER, f'{self.service_type} {version or self.minimum}'),
                ('Vary', HEADER)]

    def _item(self, header: str) -> str | None:
        """Return the text of the last item for this service."""
        text = None
        for item in header.split(','):
            words = re.findall('[^ \t]+', item)
            if len(words) > 1 and words[0].lower() == self.service_type:
                text = ' '.join(words[1:])
        return text


def _read(text: str) -> Version | None:
    """Return the version of a text; None if its numbers are too large.

    Raises MalformedVersion.
    """
    try:
        return Version.parse(text)
    except ValueError:
        if _SPELLING.fullmatch(text):
            return None
        raise errors.MalformedVersion(wanted=shorten(ascii(text))) from None
