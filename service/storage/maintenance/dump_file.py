# SPDX-License-Identifier: Apache-2.0
"""A dump as a file: one JSON value a line, with checksums on the way.

    {"pileus_dump": 1, ...}                            what it is of
    {"in": "r_hosts", "row": {...}}                    a row
    {"long": 99000000}                                 so long is the next one
    {"chunk": 1, "rows": 1000, "sha256": "..."}        the rows since the last
    {"end": {"chunks": 9, "sha256": "..."}}            all lines before this

Written and read a chunk at a time, so that no memory holds it. Rows of one
chunk are of one table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import orjson

from service.errors import StartError

FORMAT = 1

#: A chunk has at most so many rows, and ends after so many bytes.
CHUNK_ROWS = 1000
CHUNK_BYTES = 2 ** 20

#: A line that is longer has one before it that says so; without a bound, a
#: file that is none would be read whole.
MAX_LINE_BYTES = 2 ** 26

Row = Mapping[str, Any]


class Header(NamedTuple):
    """What a dump is of.

    ``dump`` names it: no other has the same. ``core`` is the version of the
    core tables, ``files`` are the type files with their ``digest``,
    ``number`` is that of the newest revision, ``rows`` how many there are by
    table.
    """

    dump: str
    at: str
    core: str
    digest: str
    files: Mapping[str, str]
    number: int
    rows: Mapping[str, int]


class Chunk(NamedTuple):
    """Some rows of one table, and the line the first of them stands on."""

    number: int
    table: str
    rows: list[Row]
    line: int


class CorruptFile(StartError):
    """The file is not, or no longer, what was written."""


def lines(header: Header, rows: Iterable[tuple[str, Row]]
          ) -> Iterator[bytes]:
    """The lines of a dump."""
    whole, part = hashlib.sha256(), hashlib.sha256()
    chunks, held, size, table = 0, 0, 0, None

    def said(value: object) -> bytes:
        line = _line(value)
        whole.update(line)
        return line
    yield said({'pileus_dump': FORMAT, **header._asdict()})
    for name, row in rows:
        if held and (name != table or held == CHUNK_ROWS
                     or size >= CHUNK_BYTES):
            chunks += 1
            yield said({'chunk': chunks, 'rows': held,
                        'sha256': part.hexdigest()})
            part, held, size = hashlib.sha256(), 0, 0
        line = _line({'in': name, 'row': row})
        if len(line) > MAX_LINE_BYTES:
            yield said({'long': len(line)})
        whole.update(line)
        part.update(line)
        held, size, table = held + 1, size + len(line), name
        yield line
    if held:
        chunks += 1
        yield said({'chunk': chunks, 'rows': held,
                    'sha256': part.hexdigest()})
    yield _line({'end': {'chunks': chunks, 'sha256': whole.hexdigest()}})


def _line(value: object) -> bytes:
    return orjson.dumps(value) + b'\n'


class ExportReader:
    """A dump that is read; Broken says at which line it is not sound."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._line = 0
        self._whole = hashlib.sha256()
        self.header = self._header()

    def chunks(self) -> Iterator[Chunk]:
        """Every chunk, each as soon as its checksum was found right."""
        number = 0
        while (chunk := self._chunk(number + 1)) is not None:
            number = chunk.number
            yield chunk

    def _header(self) -> Header:
        found = self._value()
        self._expect(isinstance(found, dict) and 'pileus_dump' in found,
                     'this is no dump of Pileus')
        self._expect(found['pileus_dump'] == FORMAT,
                     f'the dump is of format {found["pileus_dump"]!r}, and '
                     f'this release reads {FORMAT}')
        try:
            return Header(**{name: found[name] for name in Header._fields})
        except KeyError as exc:
            raise self._broken(f'the header has no {exc}') from None

    def _chunk(self, number: int) -> Chunk | None:
        """The next chunk; None at the end, which is sound then."""
        rows: list[Row] = []
        part, first, table = hashlib.sha256(), self._line + 1, ''
        while True:
            before = self._whole.hexdigest()
            raw, value = self._next()
            if 'row' in value and len(rows) < CHUNK_ROWS:
                part.update(raw)
                table = table or value.get('in')
                self._expect(table == value.get('in'),
                             'the table changes within a chunk')
                rows.append(value['row'])
            elif 'chunk' in value and rows:
                self._expect(value == {'chunk': number, 'rows': len(rows),
                                       'sha256': part.hexdigest()},
                             f'chunk {number}, from line {first} to here, is '
                             f'not what was written: its checksum is wrong')
                return Chunk(number, table, rows, first)
            else:
                self._expect(not rows and value == {'end': {
                    'chunks': number - 1, 'sha256': before}},
                    'the end does not fit what is before it')
                self._expect(not self._file.read(1), 'more follows the end')
                return None

    def _next(self) -> tuple[bytes, Any]:
        """The next line but one that only says how long it is."""
        raw = self._raw()
        value = self._read(raw)
        if 'long' in value:
            longest = value['long']
            self._expect(isinstance(longest, int) and longest > MAX_LINE_BYTES,
                         'this is no line of a dump')
            raw = self._raw(longest)
            value = self._read(raw)
        return raw, value

    def _value(self) -> Any:
        return self._read(self._raw())

    def _raw(self, longest: int = 0) -> bytes:
        longest = longest or MAX_LINE_BYTES
        raw = self._file.readline(longest)
        self._line += 1
        self._expect(raw.endswith(b'\n'), 'the file ends here, before its '
                     'end was written' if len(raw) < longest else
                     'the line is longer than it may be')
        self._whole.update(raw)
        return raw

    def _read(self, raw: bytes) -> Any:
        try:
            value = orjson.loads(raw)
        except orjson.JSONDecodeError as exc:
            raise self._broken(f'this is not JSON: {exc}') from None
        self._expect(isinstance(value, dict), 'this is no line of a dump')
        return value

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise self._broken(otherwise)

    def _broken(self, what: str) -> CorruptFile:
        return CorruptFile(f'{self._name}: line {self._line}: {what}')
