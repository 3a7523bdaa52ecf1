# SPDX-License-Identifier: Apache-2.0
"""The canonical form of values, and what every database can store.

The databases differ in the values that they accept and return. A canonical
form for each value removes the differences. A body passes ``storage_flaws``,
``normalize_times`` and ``normalize_integers`` before its schema is checked,
and each of its properties passes ``normalize`` afterwards.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from service.domain.catalogue.types import Property, Shape
from service.domain.documents import pointers, timestamps
from service.domain.errors import Violation, printable, shorten

#: How deeply objects and arrays may nest.
MAX_DEPTH = 32
#: The largest integer that a double represents without ambiguity: a double
#: of 2^53 may be the rounded 2^53 + 1.
MAX_EXACT = 2 ** 53 - 1

_BAD_CHARACTER = re.compile('[\0\ud800-\udfff]')

# Whole documents

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(',', ':'), ensure_ascii=False,
    allow_nan=False, check_circular=False)


def canonical(value: Any) -> str:
    """Return the canonical JSON text: sorted names, no blanks.

    Raises ValueError for NaN and infinities.
    """
    return _ENCODER.encode(value)


def same(left: Any, right: Any) -> bool:
    """Whether two stored values of one property are equal.

    Objects and arrays are compared by their JSON texts, because Python
    considers ``1`` and ``True`` equal and JSON does not.
    """
    if isinstance(left, (dict, list)) and isinstance(right, (dict, list)):
        return canonical(left) == canonical(right)
    return bool(left == right)


def storage_flaws(value: Any, pointer: str = '') -> Iterator[tuple[str, str]]:
    """Yield (pointer, reason) of each part that no database could store.

    ``pointer`` is the pointer to ``value`` itself. SECURITY: the iterator is
    lazy. A caller that takes the first few flaws does not pay for the other
    million in a hostile body. PERF: nearly every document has no flaw, and
    one check of all texts joined is cheaper than a check of each text with
    its pointer.
    """
    if _is_storable(value, pointer.count('/') + 1):
        return
    reason = _flaw(value)
    if reason:
        yield pointer, reason
    for container in pointers.containers(value, pointer):
        if container.depth <= MAX_DEPTH:
            yield from _member_flaws(container)
        elif container.depth == MAX_DEPTH + 1:
            yield container.pointer, f'is nested more than {MAX_DEPTH} deep'


def _is_storable(value: Any, depth: int) -> bool:
    """Whether a value has no flaw, checked one level of nesting at a time."""
    level = [value]
    while level:
        texts = [item for item in level if type(item) is str]
        objects = [item for item in level if type(item) is dict]
        arrays = [item for item in level if type(item) is list]
        if depth > MAX_DEPTH and (objects or arrays):
            return False
        if (_text_flaw(''.join(chain(texts, *objects)))
                or not _numbers_storable(level)):
            return False
        level = [*chain.from_iterable(map(dict.values, objects)),
                 *chain.from_iterable(arrays)]
        depth += 1
    return True


def _numbers_storable(level: list[Any]) -> bool:
    """Whether no number in ``level`` has a flaw.

    PERF: of the integers only the least and the greatest are checked.
    """
    integers = [item for item in level if type(item) is int]
    doubles = [item for item in level if type(item) is float]
    return all(map(math.isfinite, doubles)) and not (integers and (
        _integer_flaw(min(integers)) or _integer_flaw(max(integers))))


def _member_flaws(container: pointers.Container
                  ) -> Iterator[tuple[str, str]]:
    if isinstance(container.value, dict):
        reason = _text_flaw(''.join(container.value))
        if reason:
            yield container.pointer, f'has a member name that {reason}'
    for token, value in pointers.members(container.value):
        reason = _flaw(value)
        if reason:
            yield pointers.child(container.pointer, token), reason


def _flaw(value: Any) -> str | None:
    return _FLAW.get(type(value), _no_flaw)(value)


def _text_flaw(text: str) -> str | None:
    if text.isascii() and '\0' not in text:
        return None
    match = _BAD_CHARACTER.search(text)
    if not match:
        return None
    return ('has the character NUL' if match[0] == '\0' else
            'has half of a surrogate pair')


def _integer_flaw(value: int) -> str | None:
    return (None if -2 ** 63 <= value < 2 ** 63 else
            'is outside the 64-bit integers')


def _double_flaw(value: float) -> str | None:
    return None if math.isfinite(value) else 'is not a finite number'


def _no_flaw(value: object) -> None:
    return None


_Flaw = Callable[[Any], str | None]
_NUMBER_FLAW: Mapping[type, _Flaw] = {int: _integer_flaw, float: _double_flaw}
_FLAW: Mapping[type, _Flaw] = {**_NUMBER_FLAW, str: _text_flaw}


# Properties

def normalize_times(shape: Shape, values: dict[str, Any],
          pointer: str) -> list[Violation]:
    """Replace each date-time in ``values`` by its canonical text.

    Returns a violation for each invalid time. Runs before the schema check,
    whose ``date-time`` accepts fewer forms and has no limits on the year.
    Members that are no string are left for the schema to refuse.
    """
    return _convert(values, pointer, timestamps.canonical, [
        name for name, prop in _declared_members(shape, values)
        if prop.format == 'date-time' and type(values[name]) is str])


def normalize_integers(shape: Shape, values: dict[str, Any],
             pointer: str) -> list[Violation]:
    """Replace 1.0 by 1 in each property that is declared as an integer.

    Returns a violation for each number too large to be exact as a double:
    9007199254740993.0 is rounded when the body is parsed, and 1e300 is an
    integer to JSON Schema but not to a database.
    """
    return _convert(values, pointer, _whole, [
        name for name, prop in _declared_members(shape, values)
        if prop.kind == 'integer' and type(values[name]) is float])


def normalize_integer_members(members: dict[str, Any],
                              pointer: str) -> list[Violation]:
    """Do what ``normalize_integers`` does, for every member."""
    return _convert(members, pointer, _whole, [
        name for name, value in members.items() if type(value) is float])


def normalize(prop: Property, value: Any) -> Any:
    """Return a valid value of ``prop`` in the form that the database keeps.

    Objects and arrays are returned unchanged, and so are times inside them.
    An integer in a property declared ``number`` becomes the nearest double,
    as 0.1 does.
    """
    if value is None:
        return None
    return _NORMALIZE.get((prop.kind, prop.format), _unchanged)(value)


def quoted(value: object) -> str:
    """Return a client's value for an error text: short JSON on one line."""
    return shorten(printable(json.dumps(value, ensure_ascii=False)))


def _declared_members(shape: Shape,
           values: Mapping[str, Any]) -> Iterator[tuple[str, Property]]:
    """Return the declared members; the schema refuses the others."""
    return ((name, shape.properties[name]) for name in values
            if name in shape.properties)


def _convert(values: dict[str, Any], pointer: str,
             convert: Callable[[Any], Any],
             names: Iterable[str]) -> list[Violation]:
    """Convert ``values[name]`` in place for each name; return violations."""
    violations = []
    for name in names:
        try:
            values[name] = convert(values[name])
        except ValueError as exc:
            violations.append(
                Violation(f'{name}: {quoted(values[name])} {exc}',
                          pointers.child(pointer, name)))
    return violations


def _whole(value: float) -> float | int:
    """Return 1.0 as 1; 1.5 is unchanged, for the schema to refuse."""
    if abs(value) > MAX_EXACT:
        raise ValueError('is too large to be exact with a fraction or an '
                         'exponent; write the integer in full')
    return int(value) if value.is_integer() else value


def _double(value: float) -> float:
    """Return a double without minus zero, which some databases lose."""
    return float(value) + 0.0


def _unchanged(value: Any) -> Any:
    return value


_NORMALIZE: Mapping[tuple[str, str | None], Callable[[Any], Any]] = {
    ('string', 'date-time'): timestamps.canonical,
    ('integer', None): int,
    ('number', None): _double,
}
