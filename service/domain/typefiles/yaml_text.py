# SPDX-License-Identifier: Apache-2.0
"""The text of a type file as plain values: what JSON could say, no more.

YAML reads ``no`` as false, ``010`` as eight, ``2026-01-01`` as a date and
forgets the first of two equal keys; an alias can make one line a gigabyte.
So this room reads YAML's events itself: a word is text unless it is null,
true, false or a number as JSON writes it, and a key stands once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from service.domain.errors import printable

#: The largest file, in bytes, and the deepest nesting that is read.
MAX_BYTES = 256 * 1024
MAX_DEPTH = 32

_LOADER: type[Any] = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
_INT64 = range(-2 ** 63, 2 ** 63)
_BAD_CHARACTER = re.compile('[\0\ud800-\udfff]')


class Unreadable(Exception):
    """The text says no plain value; ``mistakes`` are ``line N: what``."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__('\n'.join(self.mistakes))


def load(text: str) -> Any:
    """The plain value of a YAML text; None where it says nothing.

    Raises Unreadable with every mistake, as far as YAML can be followed.
    """
    _bounded(text)
    reading = _Reading()
    try:
        reading.follow(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError as exc:
        reading.mistakes.append(_told(exc))
    if reading.mistakes:
        raise Unreadable(reading.mistakes)
    return reading.value


def decode(raw: bytes) -> str:
    """The text of a file's bytes; Unreadable where they are none."""
    _small(len(raw))
    try:
        return raw.decode()
    except UnicodeDecodeError as exc:
        raise Unreadable([f'is not UTF-8 text: {exc.reason} at byte '
                          f'{exc.start}']) from None


def _bounded(text: str) -> None:
    try:
        _small(len(text.encode()))
    except UnicodeEncodeError:
        raise Unreadable(['is not UTF-8 text']) from None


def _small(size: int) -> None:
    if size > MAX_BYTES:
        raise Unreadable([f'is larger than {MAX_BYTES // 1024} KiB'])


def _told(exc: yaml.YAMLError) -> str:
    """What the YAML parser said, with its line first."""
    mark: Any = getattr(exc, 'problem_mark', None)
    where = f'line {mark.line + 1}: ' if mark else ''
    reason = (getattr(exc, 'problem', None) or getattr(exc, 'reason', None)
              or 'cannot be read')
    return f'{where}not valid YAML: {reason}'


# Scalars

_INTEGER = re.compile(r'[-+]?(?:0|[1-9][0-9]*)')
_NUMBER = re.compile(r'[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?'
                     r'(?:[eE][-+]?[0-9]+)?')
_WORDS = {'': None, '~': None, 'null': None, 'true': True, 'false': False}


def _plain(text: str) -> Any:
    """The value of an unquoted word; ValueError where it has none."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _NUMBER.fullmatch(text):
        return _finite(text)
    return text


def _integer(text: str) -> int:
    if len(text) > 20 or int(text) not in _INT64:
        raise ValueError(f'{text[:24]} is outside the 64-bit integers')
    return int(text)


def _finite(text: str) -> float:
    if not math.isfinite(float(text)):
        raise ValueError(f'{text[:24]} is outside the double-precision '
                         f'numbers')
    return float(text)


# Containers

_NO_KEY = object()


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet, and where it began."""

    value: Any
    line: int
    key: Any = _NO_KEY
    lines: dict[str, int] = field(default_factory=dict)


class _Reading:
    """The values of one text, built as its events come."""

    def __init__(self) -> None:
        self.value: Any = None
        self.mistakes: list[str] = []
        self._open: list[_Open] = []
        self._documents = 0

    def follow(self, events: Iterable[Any]) -> None:
        for event in events:
            line = event.start_mark.line + 1
            _STEP.get(type(event), _pass)(self, event, line)
            if len(self._open) > MAX_DEPTH or self._documents > 1:
                return

    def begin_document(self, event: Any, line: int) -> None:
        self._documents += 1
        if self._documents > 1:
            self._note(line, 'a second document begins; a file declares one '
                             'type')

    def begin_list(self, event: Any, line: int) -> None:
        self._begin([], event, line)

    def begin_mapping(self, event: Any, line: int) -> None:
        self._begin({}, event, line)

    def end(self, event: Any, line: int) -> None:
        closed = self._open.pop()
        self._put(closed.value, closed.line)

    def scalar(self, event: Any, line: int) -> None:
        self._refuse_tricks(event, line)
        if _BAD_CHARACTER.search(event.value):
            self._note(line, 'the text has a NUL or half of a surrogate pair')
        plain = event.style in (None, '') and not self._at_key()
        try:
            value = _plain(event.value) if plain else event.value
        except ValueError as exc:
            self._note(line, str(exc))
            value = 0
        self._put(value, line)

    def alias(self, event: Any, line: int) -> None:
        self._note(line, f'the alias *{event.anchor} is not allowed; write '
                         f'the value out')
        self._put(None, line)

    def _begin(self, value: Any, event: Any, line: int) -> None:
        self._refuse_tricks(event, line)
        self._open.append(_Open(value, line))
        if len(self._open) > MAX_DEPTH:
            self._note(line, f'nested more than {MAX_DEPTH} deep')

    def _refuse_tricks(self, event: Any, line: int) -> None:
        if event.anchor is not None:
            self._note(line, f'the anchor &{event.anchor} is not allowed; '
                             f'write the value out')
        if event.tag is not None:
            self._note(line, f'the tag {event.tag} is not allowed')

    def _at_key(self) -> bool:
        return bool(self._open) and isinstance(
            self._open[-1].value, dict) and self._open[-1].key is _NO_KEY

    def _put(self, value: Any, line: int) -> None:
        """Give a finished value to what it stands in."""
        if not self._open:
            self.value = value
        elif self._at_key():
            self._key(self._open[-1], value, line)
        elif isinstance(self._open[-1].value, dict):
            self._member(self._open[-1], value)
        else:
            self._open[-1].value.append(value)

    def _key(self, mapping: _Open, key: Any, line: int) -> None:
        mapping.key = key
        if not isinstance(key, str):
            self._note(line, 'a key must be text')
            mapping.key = None
        elif key in mapping.lines:
            self._note(line, f'duplicate key "{key}", first on line '
                             f'{mapping.lines[key]}')
        else:
            mapping.lines[key] = line

    def _member(self, mapping: _Open, value: Any) -> None:
        mapping.value.setdefault(mapping.key, value)
        mapping.key = _NO_KEY

    def _note(self, line: int, what: str) -> None:
        self.mistakes.append(f'line {line}: {printable(what)}')


def _pass(reading: _Reading, event: Any, line: int) -> None:
    """Streams and the ends of documents say nothing."""


_STEP: dict[type, Callable[[_Reading, Any, int], None]] = {
    yaml.DocumentStartEvent: _Reading.begin_document,
    yaml.SequenceStartEvent: _Reading.begin_list,
    yaml.SequenceEndEvent: _Reading.end,
    yaml.MappingStartEvent: _Reading.begin_mapping,
    yaml.MappingEndEvent: _Reading.end,
    yaml.ScalarEvent: _Reading.scalar,
    yaml.AliasEvent: _Reading.alias,
}
