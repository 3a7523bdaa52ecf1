# SPDX-License-Identifier: Apache-2.0
"""The operations of a JSON Patch as values, read once (RFC 6902, section 4).

What they do to a document is in ``service.domain.documents.patch``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from service.domain.documents import pointers
from service.domain.documents.values import quoted
from service.domain.errors import Invalid, Violation

MAX_OPERATIONS = 1000


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation, its pointers taken apart."""

    index: int
    op: str
    path: list[str]
    text: str
    source: list[str]
    value: Any

    def violation(self, member: str, reason: str) -> Violation:
        return Violation(f'Operation {self.index} ({self.op}): {reason}.',
                         f'/{self.index}/{member}')


#: What each operation needs besides ``op`` and ``path``.
_REQUIRED_MEMBER: Mapping[str, str | None] = {
    'add': 'value', 'remove': None, 'replace': 'value', 'move': 'from',
    'copy': 'from', 'test': 'value'}


def parse(operations: Any) -> list[Operation]:
    """The operations as values; Invalid names all that are malformed."""
    if not isinstance(operations, list):
        raise Invalid([Violation(
            'The body must be an array of operations, as a JSON Patch is.',
            '')])
    if len(operations) > MAX_OPERATIONS:
        raise Invalid([Violation(
            f'The body has {len(operations)} operations; a JSON Patch may '
            f'have {MAX_OPERATIONS}.', '')])
    found = [one for index, operation in enumerate(operations)
             for one in _mistakes(index, operation)]
    if found:
        raise Invalid(found)
    return [_operation(index, one) for index, one in enumerate(operations)]


def _operation(index: int, raw: dict[str, Any]) -> Operation:
    source = raw['from'] if _REQUIRED_MEMBER[raw['op']] == 'from' else ''
    return Operation(index, raw['op'], pointers.tokens(raw['path']),
                      raw['path'], pointers.tokens(source), raw.get('value'))


def _mistakes(index: int, raw: Any) -> list[Violation]:
    """What makes it no operation; members it does not need are ignored."""
    at = f'/{index}'
    if not isinstance(raw, dict):
        return [Violation(f'Operation {index} is not an object.', at)]
    op = raw.get('op')
    if not isinstance(op, str) or op not in _REQUIRED_MEMBER:
        return [Violation(
            f'Operation {index} has no "op" of {", ".join(_REQUIRED_MEMBER)}.',
            f'{at}/op' if 'op' in raw else at)]
    needs = filter(None, ('path', _REQUIRED_MEMBER[op]))
    reasons = ((name, _MEMBER[name](raw, name)) for name in needs)
    return [Violation(f'Operation {index} ({op}): "{name}" {reason}.',
                      f'{at}/{name}' if name in raw else at)
            for name, reason in reasons if reason]


def _pointer_mistake(raw: dict[str, Any], name: str) -> str | None:
    if name not in raw:
        return 'is missing'
    if not isinstance(raw[name], str):
        return 'is not a string'
    try:
        pointers.tokens(raw[name])
    except ValueError as exc:
        return f'is not a JSON Pointer: {quoted(raw[name])} {exc}'
    return None


def _value_mistake(raw: dict[str, Any], name: str) -> str | None:
    return None if name in raw else 'is missing'


_MEMBER: Mapping[str, Callable[[dict[str, Any], str], str | None]] = {
    'path': _pointer_mistake, 'from': _pointer_mistake,
    'value': _value_mistake}
