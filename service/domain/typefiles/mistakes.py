# SPDX-License-Identifier: Apache-2.0
"""What is wrong in a type file, and how it is said: one line, place first."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from service.domain.errors import printable, shorten

#: The way from the top of a type file to one of its words.
Place = tuple[str | int, ...]

_SIMPLE = re.compile(r'[A-Za-z_$][\w$-]*')


class Mistake(NamedTuple):
    """What is wrong, and where."""

    place: Place
    what: str

    def __str__(self) -> str:
        return f'{way(self.place)}: {self.what}' if self.place else self.what


Note = Callable[[Mistake], None]


def way(place: Iterable[str | int]) -> str:
    """``('properties', 'a', 'enum', 1)`` as ``properties.a.enum[1]``."""
    text = ''
    for part in place:
        text += f'[{part}]' if isinstance(part, int) else '.' + word(part)
    return text.removeprefix('.')


def word(text: str) -> str:
    """A name from the file, quoted where it could be taken for something
    else, such as a second line of the log."""
    return text if _SIMPLE.fullmatch(text) else shown(text)


def shown(value: Any) -> str:
    """A value from the file on one line, cut where it is long."""
    return shorten(printable(json.dumps(value, ensure_ascii=False)), 60)


def nearest(text: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: what was likely meant."""
    close = difflib.get_close_matches(text[:100], sorted(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ''
