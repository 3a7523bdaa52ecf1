# SPDX-License-Identifier: Apache-2.0
"""Microversions: what a client says it was written for."""

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
        """The version a text spells; ValueError for any other spelling.

        Libraries take ``01.1`` and ``0.9``; the contract does not (MV-6).
        """
        match = _VERSION.fullmatch(text)
        if match is None:
            raise ValueError(f'{text!r} is not a version such as 1.4')
        return cls(int(match[1]), int(match[2]))


_VERSION = re.compile(r'([1-9][0-9]{0,8})\.([1-9][0-9]{0,8}|0)', re.ASCII)

#: The version of a client that asks for none.
FIRST_VERSION = Version(1, 0)
