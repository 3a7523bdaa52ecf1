# SPDX-License-Identifier: Apache-2.0
"""Parse the text of a type file to values that JSON can represent.

A YAML loader turns ``no`` into false, ``010`` into 8 and ``2026-01-01`` into
a date, and drops the first of two equal keys; aliases can expand one line to
a gigabyte. This module therefore builds the values from YAML events: an
unquoted word is a string unless it is null, true, false or a JSON number, and
duplicate keys, aliases and tags are mistakes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import yaml

from service.domain.errors import printable

#: The largest file, and the deepest nesting of lists and mappings.
MAX_BYTES = 256 * 1024
MAX_DEPTH = 32

_LOADER: type[Any] = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)
_INT64 = range(-2 ** 63, 2 ** 63)
_BAD_CHARACTER = re.compile('[\0\ud800-\udfff]')


class InvalidText(Exception):
    """The text has mistakes, each a line ``line N: message``."""

    def __init__(self, mistakes: Iterable[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__('\n'.join(self.mistakes))


def load(text: str) -> Any:
    """Return the value of a YAML text; None for an empty text.

    Raises InvalidText with every mistake up to the first syntax error.
    """
    _check_text(text)
    builder = _Builder()
    try:
        builder.build(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError as exc:
        builder.mistakes.append(_syntax_error(exc))
    if builder.mistakes:
        raise InvalidText(builder.mistakes)
    return builder.value


def decode(raw: bytes) -> str:
    """Return the text of a file's bytes.

    Raises InvalidText if the file is too large or not UTF-8.
    """
    _check_size(len(raw))
    try:
        return raw.decode()
    except UnicodeDecodeError as exc:
        raise InvalidText([f'is not UTF-8 text: {exc.reason} at byte '
                           f'{exc.start}']) from None


def _check_text(text: str) -> None:
    try:
        _check_size(len(text.encode()))
    except UnicodeEncodeError:
        raise InvalidText(['is not UTF-8 text']) from None


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise InvalidText([f'is larger than {MAX_BYTES // 1024} KiB, the '
                           f'maximum'])


def _syntax_error(exc: yaml.YAMLError) -> str:
    """Return the message of the YAML parser, its line first."""
    mark: Any = getattr(exc, 'problem_mark', None)
    line = f'line {mark.line + 1}: ' if mark else ''
    reason = (getattr(exc, 'problem', None) or getattr(exc, 'reason', None)
              or 'cannot be read')
    return f'{line}not valid YAML: {reason}'


# Scalars

_INTEGER = re.compile(r'[-+]?(?:0|[1-9][0-9]*)')
_NUMBER = re.compile(r'[-+]?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?'
                     r'(?:[eE][-+]?[0-9]+)?')
_CONSTANTS = {'': None, '~': None, 'null': None, 'true': True, 'false': False}


def _unquoted(text: str) -> Any:
    """Return the value of an unquoted word.

    Raises ValueError for a number that is out of range.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _NUMBER.fullmatch(text):
        return _number(text)
    return text


def _integer(text: str) -> int:
    if len(text) > 20 or int(text) not in _INT64:
        raise ValueError(f'{text[:24]} is outside the range of 64-bit '
                         f'integers')
    return int(text)


def _number(text: str) -> float:
    if not math.isfinite(float(text)):
        raise ValueError(f'{text[:24]} is outside the range of '
                         f'double-precision numbers')
    return float(text)


# Containers

_NO_KEY = object()


@dataclass(slots=True)
class _Open:
    """A list or mapping that is not complete, and the line of its start."""

    value: Any
    line: int
    key: Any = _NO_KEY
    lines: dict[str, int] = field(default_factory=dict)


class _Builder:
    """Builds the value of one text from its YAML events."""

    def __init__(self) -> None:
        self.value: Any = None
        self.mistakes: list[str] = []
        self._open: list[_Open] = []
        self._documents = 0

    def build(self, events: Iterable[Any]) -> None:
        """Build ``value``; stop at too deep nesting or a second document."""
        for event in events:
            line = event.start_mark.line + 1
            _HANDLERS.get(type(event), _ignore)(self, event, line)
            if len(self._open) > MAX_DEPTH or self._documents > 1:
                return

    def begin_document(self, event: Any, line: int) -> None:
        self._documents += 1
        if self._documents > 1:
            self._report(line, 'a second document begins; a file must '
                               'declare exactly one type')

    def begin_list(self, event: Any, line: int) -> None:
        self._begin([], event, line)

    def begin_mapping(self, event: Any, line: int) -> None:
        self._begin({}, event, line)

    def end(self, event: Any, line: int) -> None:
        closed = self._open.pop()
        self._put(closed.value, closed.line)

    def scalar(self, event: Any, line: int) -> None:
        self._refuse_anchor_and_tag(event, line)
        if _BAD_CHARACTER.search(event.value):
            self._report(line, 'the text contains a NUL or a lone surrogate')
        unquoted = event.style in (None, '') and not self._at_key()
        try:
            value = _unquoted(event.value) if unquoted else event.value
        except ValueError as exc:
            self._report(line, str(exc))
            value = 0
        self._put(value, line)

    def alias(self, event: Any, line: int) -> None:
        self._report(line, f'the alias *{event.anchor} is not allowed; '
                           f'repeat the value instead')
        self._put(None, line)

    def _begin(self, value: Any, event: Any, line: int) -> None:
        self._refuse_anchor_and_tag(event, line)
        self._open.append(_Open(value, line))
        if len(self._open) > MAX_DEPTH:
            self._report(line, f'nested more than {MAX_DEPTH} deep')

    def _refuse_anchor_and_tag(self, event: Any, line: int) -> None:
        if event.anchor is not None:
            self._report(line, f'the anchor &{event.anchor} is not allowed; '
                               f'remove it')
        if event.tag is not None:
            self._report(line, f'the tag {event.tag} is not allowed; remove '
                               f'it')

    def _at_key(self) -> bool:
        return bool(self._open) and isinstance(
            self._open[-1].value, dict) and self._open[-1].key is _NO_KEY

    def _put(self, value: Any, line: int) -> None:
        """Add a complete value to the list or mapping around it."""
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
            self._report(line, 'a key must be a string')
            mapping.key = None
        elif key in mapping.lines:
            self._report(line, f'duplicate key "{key}", first on line '
                               f'{mapping.lines[key]}')
        else:
            mapping.lines[key] = line

    def _member(self, mapping: _Open, value: Any) -> None:
        mapping.value.setdefault(mapping.key, value)
        mapping.key = _NO_KEY

    def _report(self, line: int, message: str) -> None:
        self.mistakes.append(f'line {line}: {printable(message)}')


def _ignore(builder: _Builder, event: Any, line: int) -> None:
    """Ignore the start and end of the stream, and the end of a document."""


_HANDLERS: dict[type, Callable[[_Builder, Any, int], None]] = {
    yaml.DocumentStartEvent: _Builder.begin_document,
    yaml.SequenceStartEvent: _Builder.begin_list,
    yaml.SequenceEndEvent: _Builder.end,
    yaml.MappingStartEvent: _Builder.begin_mapping,
    yaml.MappingEndEvent: _Builder.end,
    yaml.ScalarEvent: _Builder.scalar,
    yaml.AliasEvent: _Builder.alias,
}
