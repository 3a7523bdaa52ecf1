# SPDX-License-Identifier: Apache-2.0
"""What is wrong in a type file, and how it is said: one line, place first."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

_SIMPLE = re.compile(r'[A-Za-z_$][\w$-]*')


class Mistake(NamedTuple):
    """``place`` is the way from the top of the file to what is wrong."""

    place: tuple[str | int, ...]
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


def printable(text: str) -> str:
    """The text with what could break or hide a line of the log escaped."""
    if text.isprintable():
        return text
    return ''.join(one if one.isprintable() else
                   one.encode('unicode_escape').decode() for one in text)


def shown(value: Any) -> str:
    """A value from the file on one line, cut where it is long."""
    text = printable(json.dumps(value, ensure_ascii=False))
    return text if len(text) <= 60 else text[:57] + '...'


def nearest(text: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown name: what was likely meant."""
    close = difflib.get_close_matches(text[:100], sorted(known), n=1)
    return f'; did you mean "{close[0]}"?' if close else ''
