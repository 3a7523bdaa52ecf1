# SPDX-License-Identifier: Apache-2.0
"""Mistakes in type files, each printed on one line with its place first."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from service.domain.errors import printable, shorten

#: The keys and list positions from the top of a type file to one value.
Place = tuple[str | int, ...]

_SIMPLE = re.compile(r'[A-Za-z_$][\w$-]*')


class Mistake(NamedTuple):
    """One mistake and its place."""

    place: Place
    message: str

    def __str__(self) -> str:
        if not self.place:
            return self.message
        return f'{path(self.place)}: {self.message}'


Report = Callable[[Mistake], None]


def path(place: Iterable[str | int]) -> str:
    """Format ``('properties', 'a', 'enum', 1)`` as ``properties.a.enum[1]``.
    """
    text = ''
    for part in place:
        text += f'[{part}]' if isinstance(part, int) else '.' + _key(part)
    return text.removeprefix('.')


def _key(text: str) -> str:
    """Quote a key that is not a plain name.

    SECURITY: a key with a line break could forge a line of the log.
    """
    return text if _SIMPLE.fullmatch(text) else shown(text)


def shown(value: Any) -> str:
    """Format a value from the file as JSON on one line, cut to 60 characters.
    """
    return shorten(printable(json.dumps(value, ensure_ascii=False)), 60)


def suggestion(text: str, known: Iterable[str]) -> str:
    """Return ``; did you mean "x"?`` if a known name is similar, else ''."""
    close = difflib.get_close_matches(text[:100], sorted(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ''
