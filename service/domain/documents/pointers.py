# SPDX-License-Identifier: Apache-2.0
"""JSON Pointers (RFC 6901), and the walk over a document's containers.

Error texts use pointers to name a value in the body; JSON Patch uses them to
find a value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

_BAD_ESCAPE = re.compile('~(?![01])')


def tokens(pointer: str) -> list[str]:
    """Return the unescaped steps of a pointer.

    Raises ValueError if ``pointer`` is not a JSON Pointer. The text of the
    error is a predicate that completes "The pointer ...".
    """
    if pointer and not pointer.startswith('/'):
        raise ValueError('does not begin with "/"')
    if _BAD_ESCAPE.search(pointer):
        raise ValueError('has a "~" that is neither "~0" nor "~1"')
    return [step.replace('~1', '/').replace('~0', '~')
            for step in pointer.split('/')[1:]]


def child(pointer: str, token: str | int) -> str:
    """Return the pointer to the member ``token`` of the value at ``pointer``.

    A lone surrogate in the token becomes "?": the pointer goes into a reply,
    and a reply with a lone surrogate cannot be encoded.
    """
    step = str(token).replace('~', '~0').replace('/', '~1')
    return f'{pointer}/{step.encode(errors="replace").decode()}'


class Container(NamedTuple):
    """An object or array in a document, and the path to it.

    PERF: ``pointer`` is computed only when it is read. A body may have a
    member name of half a megabyte above a hundred thousand arrays.
    """

    value: Any
    depth: int
    token: str | int
    parent: Container | None
    root: str

    @property
    def pointer(self) -> str:
        steps = []
        container = self
        while container.parent is not None:
            steps.append(container.token)
            container = container.parent
        pointer = self.root
        for step in reversed(steps):
            pointer = child(pointer, step)
        return pointer


def containers(document: Any, root: str = '') -> Iterator[Container]:
    """Yield every object and array of a document, outer ones first.

    ``root`` is the pointer to the document itself; the steps of ``root``
    count as depth. The walk is a loop, because recursion would raise
    RecursionError on a deeply nested body before the caller can refuse the
    body.
    """
    if not isinstance(document, (dict, list)):
        return
    pending = [Container(document, root.count('/') + 1, '', None, root)]
    for container in pending:
        yield container
        pending.extend(
            Container(value, container.depth + 1, token, container, root)
            for token, value in members(container.value)
            if isinstance(value, (dict, list)))


def members(container: dict[str, Any] | list[Any],
            ) -> Iterable[tuple[str | int, Any]]:
    """Return (name or index, value) of each member."""
    if isinstance(container, dict):
        return container.items()
    return enumerate(container)
