# SPDX-License-Identifier: Apache-2.0
"""Microversions: the version of the API that a client asks for."""

from __future__ import annotations

import re
from typing import NamedTuple


class Version(NamedTuple):
    """A microversion, ordered as two integers: 1.10 is above 1.9."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f'{self.major}.{self.minor}'

    @classmethod
    def parse(cls, text: str) -> Version:
        """Parse ``1.4``; raise ValueError for any other spelling.

        Version libraries accept ``01.1`` and ``0.9``; the microversion
        contract does not (MV-6).
        """
        match = _VERSION.fullmatch(text)
        if match is None:
            raise ValueError(f'{text!r} is not a version such as 1.4')
        return cls(int(match[1]), int(match[2]))


_VERSION = re.compile(r'([1-9][0-9]{0,8})\.([1-9][0-9]{0,8}|0)', re.ASCII)

#: The version for clients that ask for none.
FIRST_VERSION = Version(1, 0)
