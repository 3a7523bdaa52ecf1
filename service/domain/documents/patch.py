# SPDX-License-Identifier: Apache-2.0
"""The two patch languages: what a document becomes, or why it does not.

``merge`` is RFC 7396, ``apply`` RFC 6902. Neither changes what it is given:
a patch that fails at its last operation has changed nothing. Whether the
result is a record of its type is for the schema to say.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

from service.domain.documents import pointers
from service.domain.documents.patch_operations import Operation, parse
from service.domain.documents.values import MAX_DEPTH, canonical, quoted
from service.domain.errors import Invalid, TestFailed

#: How many characters of JSON the operations of one patch may write.
MAX_WRITTEN_CHARACTERS = 2 ** 20

_INDEX = re.compile('0|[1-9][0-9]{0,9}', re.ASCII)


def merge(target: Any, patch: Any) -> Any:
    """The target with the patch's members: null removes, the rest replaces.

    The result shares with both what it took from them unchanged.
    """
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge(merged.get(name), value)
    return merged


def apply(document: Any, operations: Any,
          max_written: int = MAX_WRITTEN_CHARACTERS) -> Any:
    """The document after all operations, in order.

    TestFailed where a ``test`` does not hold, Invalid for everything else,
    pointing at the operation and the member of it that is wrong.
    ``max_written`` bounds the work and what the document can grow by.
    """
    draft = _Draft(document, max_written)
    for operation in parse(operations):
        try:
            _APPLY[operation.op](draft, operation)
        except PatchRefused as exc:
            raise Invalid([operation.violation(*exc.args)]) from None
    return draft.document


def equal(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is 1.0, true is not 1, order of names is nothing."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            equal(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and one == other


# The document while it changes

class PatchRefused(Exception):
    """An operation cannot be done: its member that is wrong, and why."""


class _Draft:
    """A copy of the document that the operations change in place."""

    def __init__(self, document: Any, max_written: int) -> None:
        self.document = json.loads(canonical(document))
        self._allowed = self._left = max_written

    def add(self, operation: Operation) -> None:
        self._put(operation.path, self._copy(operation.value, operation))

    def remove(self, operation: Operation) -> None:
        self._take(operation.path, 'path')

    def replace(self, operation: Operation) -> None:
        self._find(operation.path, 'path')
        value = self._copy(operation.value, operation)
        if operation.path:
            parent, key = self._locate(operation.path, 'path')
            parent[key] = value
        else:
            self.document = value

    def move(self, operation: Operation) -> None:
        """Copied, not handed over, so that depth and size stay counted."""
        source, path = operation.source, operation.path
        value = self._find(source, 'from')
        if source == path:
            return
        if path[:len(source)] == source:
            raise PatchRefused('path', 'a value cannot move into itself')
        value = self._copy(value, operation)
        self._take(source, 'from')
        self._put(path, value)

    def copy(self, operation: Operation) -> None:
        value = self._find(operation.source, 'from')
        self._put(operation.path, self._copy(value, operation))

    def test(self, operation: Operation) -> None:
        """A value that is gone is not equal: also a failed test."""
        try:
            holds = equal(self._find(operation.path, 'path'),
                          operation.value)
        except PatchRefused:
            holds = False
        if not holds:
            raise TestFailed(path=quoted(operation.text),
                             pointer=f'/{operation.index}')

    def _copy(self, value: Any, operation: Operation) -> Any:
        """What an operation writes, within the bounds of depth and size.

        SECURITY: counted before it is copied. Twenty copies of a document
        into itself would make a million of it.
        """
        below = max((place.depth for place in pointers.containers(value)),
                    default=0)
        if below and len(operation.path) + below > MAX_DEPTH:
            raise PatchRefused('path',
                               f'nests values more than {MAX_DEPTH} deep')
        text = canonical(value)
        self._left -= len(text)
        if self._left < 0:
            raise PatchRefused('path', 'with it the patch writes more than '
                                   f'{self._allowed} characters')
        return json.loads(text)

    def _find(self, path: list[str], member: str) -> Any:
        place = self.document
        for depth, step in enumerate(path):
            place = place[_key(place, step, path[:depth], member)]
        return place

    def _locate(self, path: list[str], member: str) -> tuple[Any, Any]:
        """The container of an existing value, and its key there."""
        parent = self._find(path[:-1], member)
        return parent, _key(parent, path[-1], path[:-1], member)

    def _take(self, path: list[str], member: str) -> None:
        if not path:
            raise PatchRefused(member, 'the whole document cannot be removed')
        parent, key = self._locate(path, member)
        del parent[key]

    def _put(self, path: list[str], value: Any) -> None:
        """Set a member, or insert before an index; "-" is past the last."""
        if not path:
            self.document = value
            return
        *above, last = path
        parent = self._find(above, 'path')
        if isinstance(parent, list):
            end = len(parent)
            parent.insert(end if last == '-' else
                          _index(last, end, above, 'path'), value)
        elif isinstance(parent, dict):
            parent[last] = value
        else:
            raise PatchRefused('path', _missing_reason(above, last))


def _key(container: Any, step: str, above: list[str],
         member: str) -> str | int:
    """The step as a key that the container has."""
    if isinstance(container, list):
        return _index(step, len(container) - 1, above, member)
    if isinstance(container, dict) and step in container:
        return step
    raise PatchRefused(member, _missing_reason(above, step))


def _index(step: str, most: int, above: list[str], member: str) -> int:
    if not _INDEX.fullmatch(step):
        raise PatchRefused(member, f'{quoted(step)} is not an index of the '
                               f'array at {_quoted_pointer(above)}')
    if int(step) > most:
        raise PatchRefused(member, f'{step} is past the end of the array at '
                               f'{_quoted_pointer(above)}')
    return int(step)


def _missing_reason(above: list[str], step: str) -> str:
    return f'there is nothing at {_quoted_pointer([*above, step])}'


def _quoted_pointer(steps: list[str]) -> str:
    return quoted(reduce(pointers.child, steps, ''))


_APPLY: Mapping[str, Callable[[_Draft, Operation], None]] = {
    'add': _Draft.add, 'remove': _Draft.remove, 'replace': _Draft.replace,
    'move': _Draft.move, 'copy': _Draft.copy, 'test': _Draft.test}
