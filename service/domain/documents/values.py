# SPDX-License-Identifier: Apache-2.0
"""What a value is: times, numbers and what every database can store.

Three databases differ in what they take and in what they give back. Here is
the one form each value has, so that they do not. A body goes through
``storable``, ``times`` and ``integers`` before its schema, each of its
properties through ``normal`` after it.
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

#: How many objects and arrays may stand in each other.
MAX_DEPTH = 32
#: Above it a double no longer tells an integer from the next: 2^53 may have
#: been 2^53 + 1 before it was rounded.
MAX_EXACT = 2 ** 53 - 1

_BAD_CHARACTER = re.compile('[\0\ud800-\udfff]')

# Whole documents

_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(',', ':'), ensure_ascii=False,
    allow_nan=False, check_circular=False)


def canonical(value: Any) -> str:
    """The one JSON text of a value; ValueError for NaN and infinities."""
    return _ENCODER.encode(value)


def same(one: Any, other: Any) -> bool:
    """Whether two stored values of one property are one value.

    Inside an object ``1`` and ``true`` compare equal in Python; JSON tells
    them apart.
    """
    if isinstance(one, (dict, list)) and isinstance(other, (dict, list)):
        return canonical(one) == canonical(other)
    return bool(one == other)


def storage_flaws(value: Any, pointer: str = '') -> Iterator[tuple[str, str]]:
    """What no database could store and give back, as (pointer, reason).

    Lazy: who answers a client takes the first few, and a body of a million
    mistakes costs no more than one. ``pointer`` is where the value stands.
    PERF: nearly every document is sound, which is cheaper told of all its
    texts at once than of each with its place.
    """
    if _is_storable(value, pointer.count('/') + 1):
        return
    reason = _flaw(value)
    if reason:
        yield pointer, reason
    for place in pointers.containers(value, pointer):
        if place.depth <= MAX_DEPTH:
            yield from _member_flaws(place)
        elif place.depth == MAX_DEPTH + 1:
            yield place.pointer, f'is nested more than {MAX_DEPTH} deep'


def _is_storable(value: Any, depth: int) -> bool:
    """Whether ``storable`` has nothing to say, level by level."""
    level = [value]
    while level:
        texts = [one for one in level if type(one) is str]
        objects = [one for one in level if type(one) is dict]
        arrays = [one for one in level if type(one) is list]
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
    """Whether no number in it has a flaw; the least and greatest tell."""
    whole = [one for one in level if type(one) is int]
    doubles = [one for one in level if type(one) is float]
    return all(map(math.isfinite, doubles)) and not (whole and (
        _integer_flaw(min(whole)) or _integer_flaw(max(whole))))


def _member_flaws(place: pointers.Container) -> Iterator[tuple[str, str]]:
    if isinstance(place.value, dict):
        reason = _text_flaw(''.join(place.value))
        if reason:
            yield place.pointer, f'has a name in it that {reason}'
    for token, value in pointers.members(place.value):
        reason = _flaw(value)
        if reason:
            yield pointers.child(place.pointer, token), reason


def _flaw(value: Any) -> str | None:
    return _FLAW.get(type(value), _no_flaw)(value)


def _text_flaw(text: str) -> str | None:
    if text.isascii() and '\0' not in text:
        return None
    found = _BAD_CHARACTER.search(text)
    if not found:
        return None
    return ('has the character NUL' if found[0] == '\0' else
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
    """Put each date-time among ``values`` in its one form; name the bad ones.

    Before the schema, which knows fewer forms and no years of ours. What is
    no text is left for the schema to refuse.
    """
    return _convert(values, pointer, timestamps.canonical, [
        name for name, prop in _declared_members(shape, values)
        if prop.format == 'date-time' and type(values[name]) is str])


def normalize_integers(shape: Shape, values: dict[str, Any],
             pointer: str) -> list[Violation]:
    """Make 1.0 a 1 where an integer is declared; name what is not exact.

    9007199254740993.0 was another number before a double rounded it, and
    1e300 is an integer to JSON Schema and to no database.
    """
    return _convert(values, pointer, _whole, [
        name for name, prop in _declared_members(shape, values)
        if prop.kind == 'integer' and type(values[name]) is float])


def normalize_integer_members(members: dict[str, Any],
                              pointer: str) -> list[Violation]:
    """The same where every member is an integer, whatever its name."""
    return _convert(members, pointer, _whole, [
        name for name, value in members.items() if type(value) is float])


def normalize(prop: Property, value: Any) -> Any:
    """A value that met its schema, as the store keeps it and gives it back.

    Objects and arrays stay values, ``canonical`` is their text, and times
    inside them stay as sent. A whole number declared ``number`` becomes the
    nearest double, as 0.1 does.
    """
    if value is None:
        return None
    return _NORMALIZE.get((prop.kind, prop.format), _unchanged)(value)


def quoted(value: object) -> str:
    """A client's value in an error text: as JSON, on one line, not long."""
    return shorten(printable(json.dumps(value, ensure_ascii=False)))


def _declared_members(shape: Shape,
           values: Mapping[str, Any]) -> Iterator[tuple[str, Property]]:
    """The members that are declared; the schema refuses the others."""
    return ((name, shape.properties[name]) for name in values
            if name in shape.properties)


def _convert(values: dict[str, Any], pointer: str,
             form: Callable[[Any], Any],
             names: Iterable[str]) -> list[Violation]:
    found = []
    for name in names:
        try:
            values[name] = form(values[name])
        except ValueError as exc:
            found.append(Violation(f'{name}: {quoted(values[name])} {exc}',
                                   pointers.child(pointer, name)))
    return found


def _whole(value: float) -> float | int:
    """1.5 stays, for the schema to refuse."""
    if abs(value) > MAX_EXACT:
        raise ValueError('is too large to be exact with a fraction or an '
                         'exponent; write the integer in full')
    return int(value) if value.is_integer() else value


def _double(value: float) -> float:
    """No minus zero: one database returns it, another does not."""
    return float(value) + 0.0


def _unchanged(value: Any) -> Any:
    return value


_NORMALIZE: Mapping[tuple[str, str | None], Callable[[Any], Any]] = {
    ('string', 'date-time'): timestamps.canonical,
    ('integer', None): int,
    ('number', None): _double,
}
