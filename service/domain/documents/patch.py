# SPDX-License-Identifier: Apache-2.0
"""Apply a merge patch (RFC 7396) or a JSON Patch (RFC 6902) to a document.

Neither changes its arguments: a patch that fails at its last operation has
changed nothing. The caller checks the result against the schema of the type.
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
    """Return ``target`` changed by a merge patch: null removes a member.

    The result shares unchanged parts with both arguments.
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
    """Return the document after all operations of a JSON Patch, in order.

    Raises TestFailed if a ``test`` does not hold. Raises Invalid for any
    other failure; its violation points at the operation's wrong member.
    ``max_written`` bounds, in characters of JSON, what all operations
    together write.
    """
    draft = _Draft(document, max_written)
    for operation in parse(operations):
        try:
            _APPLY[operation.op](draft, operation)
        except PatchRefused as exc:
            raise Invalid([operation.violation(*exc.args)]) from None
    return draft.document


def equal(left: Any, right: Any) -> bool:
    """Compare two values as JSON: 1 equals 1.0, true does not equal 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(
            equal(value, right[name]) for name, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and left == right


class PatchRefused(Exception):
    """An operation cannot be applied: its wrong member, and the reason."""


class _Draft:
    """A copy of the document that the operations change in place."""

    def __init__(self, document: Any, max_written: int) -> None:
        self.document = json.loads(canonical(document))
        self._max_written = self._left = max_written

    def add(self, operation: Operation) -> None:
        self._put(operation.path, self._copy(operation.value, operation))

    def remove(self, operation: Operation) -> None:
        self._remove(operation.path, 'path')

    def replace(self, operation: Operation) -> None:
        self._find(operation.path, 'path')
        value = self._copy(operation.value, operation)
        if operation.path:
            parent, key = self._locate(operation.path, 'path')
            parent[key] = value
        else:
            self.document = value

    def move(self, operation: Operation) -> None:
        """Move a value; it is copied, so that its depth and size count."""
        source, path = operation.source, operation.path
        value = self._find(source, 'from')
        if source == path:
            return
        if path[:len(source)] == source:
            raise PatchRefused('path', 'a value cannot move into itself')
        value = self._copy(value, operation)
        self._remove(source, 'from')
        self._put(path, value)

    def copy(self, operation: Operation) -> None:
        value = self._find(operation.source, 'from')
        self._put(operation.path, self._copy(value, operation))

    def test(self, operation: Operation) -> None:
        """Raise TestFailed if the value is absent or not equal."""
        try:
            holds = equal(self._find(operation.path, 'path'),
                          operation.value)
        except PatchRefused:
            holds = False
        if not holds:
            raise TestFailed(path=quoted(operation.text),
                             pointer=f'/{operation.index}')

    def _copy(self, value: Any, operation: Operation) -> Any:
        """Return a copy of the value that an operation writes.

        Raises PatchRefused beyond the bounds of depth and size. SECURITY:
        both are checked before the copy is made. Twenty copies of a document
        into itself would grow it a million times.
        """
        below = max((container.depth
                     for container in pointers.containers(value)), default=0)
        if below and len(operation.path) + below > MAX_DEPTH:
            raise PatchRefused(
                'path', f'nests values more than {MAX_DEPTH} deep')
        text = canonical(value)
        self._left -= len(text)
        if self._left < 0:
            raise PatchRefused('path', 'up to here the patch writes more '
                                       f'than {self._max_written} characters')
        return json.loads(text)

    def _find(self, path: list[str], member: str) -> Any:
        value = self.document
        for depth, step in enumerate(path):
            value = value[_key(value, step, path[:depth], member)]
        return value

    def _locate(self, path: list[str], member: str) -> tuple[Any, Any]:
        """Return the container of an existing value, and the value's key."""
        parent = self._find(path[:-1], member)
        return parent, _key(parent, path[-1], path[:-1], member)

    def _remove(self, path: list[str], member: str) -> None:
        if not path:
            raise PatchRefused(member, 'the whole document cannot be removed')
        parent, key = self._locate(path, member)
        del parent[key]

    def _put(self, path: list[str], value: Any) -> None:
        """Set a member, or insert before an index; "-" means append."""
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
    """Return the step as an existing key of the container.

    ``above`` are the steps before it, ``member`` the operation's member;
    both are for the text of PatchRefused.
    """
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
