# SPDX-License-Identifier: Apache-2.0
"""Parse and validate the operations of a JSON Patch (RFC 6902, section 4).

``service.domain.documents.patch`` applies the operations to a document.
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
    """One operation of a JSON Patch.

    ``path`` and ``source`` are the steps of the members ``path`` and
    ``from``; ``text`` is ``path`` as sent; ``index`` is the operation's
    position in the patch.
    """

    index: int
    op: str
    path: list[str]
    text: str
    source: list[str]
    value: Any

    def violation(self, member: str, reason: str) -> Violation:
        """Return a violation that points at ``member`` of the operation."""
        return Violation(f'Operation {self.index} ({self.op}): {reason}.',
                         f'/{self.index}/{member}')


#: The member that each operation requires besides ``op`` and ``path``.
_REQUIRED_MEMBER: Mapping[str, str | None] = {
    'add': 'value', 'remove': None, 'replace': 'value', 'move': 'from',
    'copy': 'from', 'test': 'value'}


def parse(operations: Any) -> list[Operation]:
    """Parse the body of a JSON Patch.

    Raises Invalid with a violation for each malformed operation.
    """
    if not isinstance(operations, list):
        raise Invalid([Violation(
            'The body of a JSON Patch must be an array of operations.', '')])
    if len(operations) > MAX_OPERATIONS:
        raise Invalid([Violation(
            f'The body has {len(operations)} operations; a JSON Patch may '
            f'have at most {MAX_OPERATIONS}.', '')])
    violations = [violation for index, raw in enumerate(operations)
                  for violation in _violations(index, raw)]
    if violations:
        raise Invalid(violations)
    return [_operation(index, raw) for index, raw in enumerate(operations)]


def _operation(index: int, raw: dict[str, Any]) -> Operation:
    source = raw['from'] if _REQUIRED_MEMBER[raw['op']] == 'from' else ''
    return Operation(index, raw['op'], pointers.tokens(raw['path']),
                     raw['path'], pointers.tokens(source), raw.get('value'))


def _violations(index: int, raw: Any) -> list[Violation]:
    """Return what is malformed in an operation; unused members are ignored."""
    at = f'/{index}'
    if not isinstance(raw, dict):
        return [Violation(f'Operation {index} is not an object.', at)]
    op = raw.get('op')
    if not isinstance(op, str) or op not in _REQUIRED_MEMBER:
        return [Violation(
            f'Operation {index}: "op" must be one of '
            f'{", ".join(_REQUIRED_MEMBER)}.',
            f'{at}/op' if 'op' in raw else at)]
    names = filter(None, ('path', _REQUIRED_MEMBER[op]))
    reasons = ((name, _MEMBER_FLAW[name](raw, name)) for name in names)
    return [Violation(f'Operation {index} ({op}): "{name}" {reason}.',
                      f'{at}/{name}' if name in raw else at)
            for name, reason in reasons if reason]


def _pointer_flaw(raw: dict[str, Any], name: str) -> str | None:
    if name not in raw:
        return 'is missing'
    if not isinstance(raw[name], str):
        return 'is not a string'
    try:
        pointers.tokens(raw[name])
    except ValueError as exc:
        return f'is not a JSON Pointer: {quoted(raw[name])} {exc}'
    return None


def _value_flaw(raw: dict[str, Any], name: str) -> str | None:
    return None if name in raw else 'is missing'


_MEMBER_FLAW: Mapping[str, Callable[[dict[str, Any], str], str | None]] = {
    'path': _pointer_flaw, 'from': _pointer_flaw, 'value': _value_flaw}
