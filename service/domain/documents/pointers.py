# SPDX-License-Identifier: Apache-2.0
"""Where a value stands in a JSON document, as RFC 6901 JSON Pointers.

Error texts point at values with them, JSON Patch finds values by them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

_BAD_ESCAPE = re.compile('~(?![01])')


def tokens(pointer: str) -> list[str]:
    """The steps of a pointer; ValueError says why where it is none."""
    if pointer and not pointer.startswith('/'):
        raise ValueError('does not begin with "/"')
    if _BAD_ESCAPE.search(pointer):
        raise ValueError('has a "~" that is neither "~0" nor "~1"')
    return [step.replace('~1', '/').replace('~0', '~')
            for step in pointer.split('/')[1:]]


def child(pointer: str, token: str | int) -> str:
    """The pointer to a member.

    A lone surrogate in the name becomes "?": the pointer goes into a reply,
    and no reply can be encoded with one in it.
    """
    step = str(token).replace('~', '~0').replace('/', '~1')
    return f'{pointer}/{step.encode(errors="replace").decode()}'


class Container(NamedTuple):
    """An object or array of a document, and the way to it.

    The pointer is made only when asked for: a body may have a name of half a
    megabyte above a hundred thousand arrays.
    """

    value: Any
    depth: int
    token: str | int
    parent: Container | None
    root: str

    @property
    def pointer(self) -> str:
        steps = []
        place = self
        while place.parent is not None:
            steps.append(place.token)
            place = place.parent
        pointer = self.root
        for step in reversed(steps):
            pointer = child(pointer, step)
        return pointer


def containers(document: Any, root: str = '') -> Iterator[Container]:
    """Every object and array of a document, outer ones first.

    A loop, not a recursion: what is nested a thousand deep must be refused
    by who asked, not by the interpreter. ``root`` is where the document
    itself stands; its steps count as depth.
    """
    if not isinstance(document, (dict, list)):
        return
    places = [Container(document, root.count('/') + 1, '', None, root)]
    for place in places:
        yield place
        places.extend(Container(value, place.depth + 1, token, place, root)
                      for token, value in members(place.value)
                      if isinstance(value, (dict, list)))


def members(container: dict[str, Any] | list[Any],
            ) -> Iterable[tuple[str | int, Any]]:
    """Name or index, and value, of each member."""
    if isinstance(container, dict):
        return container.items()
    return enumerate(container)
