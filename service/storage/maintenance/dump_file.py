# SPDX-License-Identifier: Apache-2.0
"""The format of export files: one JSON value on each line, with checksums.

    {"pileus_dump": 1, ...}                            the header
    {"in": "r_hosts", "row": {...}}                    a row
    {"long": 99000000}                                 length of the next line
    {"chunk": 1, "rows": 1000, "sha256": "..."}        the rows since the last
    {"end": {"chunks": 9, "sha256": "..."}}            all lines before this

A file is written and read in chunks, so it need not fit into memory. The rows
of a chunk belong to one table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import orjson

from service.errors import StartError

FORMAT = 1

#: A chunk ends after this many rows or bytes.
CHUNK_ROWS = 1000
CHUNK_BYTES = 2 ** 20

#: A longer line is preceded by a line with its length. Without a limit, a
#: file of another format might be read as a single line.
MAX_LINE_BYTES = 2 ** 26

Row = Mapping[str, Any]


class Header(NamedTuple):
    """The first line of an export file.

    ``dump`` is a unique id of the export. ``core`` is the version of the core
    tables; ``files`` are the type files, ``digest`` is theirs. ``number`` is
    the number of the newest revision, ``rows`` the number of rows by table.
    """

    dump: str
    at: str
    core: str
    digest: str
    files: Mapping[str, str]
    number: int
    rows: Mapping[str, int]


class Chunk(NamedTuple):
    """Rows of one table; ``line`` is the line number of the first of them."""

    number: int
    table: str
    rows: list[Row]
    line: int


class CorruptFile(StartError):
    """The file is not an export file, or was changed since its export."""


def lines(header: Header, rows: Iterable[tuple[str, Row]]
          ) -> Iterator[bytes]:
    """Yield the lines of an export file; ``rows`` are (table, row)."""
    file_hash, chunk_hash = hashlib.sha256(), hashlib.sha256()
    chunks, chunk_rows, chunk_bytes, table = 0, 0, 0, None

    def hashed(value: object) -> bytes:
        line = _line(value)
        file_hash.update(line)
        return line
    yield hashed({'pileus_dump': FORMAT, **header._asdict()})
    for name, row in rows:
        if chunk_rows and (name != table or chunk_rows == CHUNK_ROWS
                           or chunk_bytes >= CHUNK_BYTES):
            chunks += 1
            yield hashed({'chunk': chunks, 'rows': chunk_rows,
                          'sha256': chunk_hash.hexdigest()})
            chunk_hash, chunk_rows, chunk_bytes = hashlib.sha256(), 0, 0
        line = _line({'in': name, 'row': row})
        if len(line) > MAX_LINE_BYTES:
            yield hashed({'long': len(line)})
        file_hash.update(line)
        chunk_hash.update(line)
        chunk_rows += 1
        chunk_bytes += len(line)
        table = name
        yield line
    if chunk_rows:
        chunks += 1
        yield hashed({'chunk': chunks, 'rows': chunk_rows,
                      'sha256': chunk_hash.hexdigest()})
    yield _line({'end': {'chunks': chunks, 'sha256': file_hash.hexdigest()}})


def _line(value: object) -> bytes:
    return orjson.dumps(value) + b'\n'


class ExportReader:
    """Reads an export file; CorruptFile names the first invalid line."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._line = 0
        self._hash = hashlib.sha256()
        self.header = self._header()

    def chunks(self) -> Iterator[Chunk]:
        """Yield each chunk after its checksum was verified."""
        number = 0
        while (chunk := self._chunk(number + 1)) is not None:
            number = chunk.number
            yield chunk

    def _header(self) -> Header:
        header = self._parse(self._read())
        self._expect(isinstance(header, dict) and 'pileus_dump' in header,
                     'this is not an export file of Pileus')
        self._expect(header['pileus_dump'] == FORMAT,
                     f'the file has format {header["pileus_dump"]!r}; this '
                     f'release reads format {FORMAT}')
        try:
            return Header(**{name: header[name] for name in Header._fields})
        except KeyError as exc:
            raise self._error(f'the header has no {exc}') from None

    def _chunk(self, number: int) -> Chunk | None:
        """Return the next chunk; None at the end, after verifying it."""
        rows: list[Row] = []
        chunk_hash, first, table = hashlib.sha256(), self._line + 1, ''
        while True:
            before = self._hash.hexdigest()
            line, value = self._next()
            if 'row' in value and len(rows) < CHUNK_ROWS:
                chunk_hash.update(line)
                table = table or value.get('in')
                self._expect(table == value.get('in'),
                             'the table changes within a chunk')
                rows.append(value['row'])
            elif 'chunk' in value and rows:
                self._expect(value == {'chunk': number, 'rows': len(rows),
                                       'sha256': chunk_hash.hexdigest()},
                             f'the checksum of chunk {number} is wrong: some '
                             f'of the lines {first} to {self._line} were '
                             f'changed or are missing')
                return Chunk(number, table, rows, first)
            else:
                self._expect(not rows and value == {'end': {
                    'chunks': number - 1, 'sha256': before}},
                    'the checksum of the file is wrong: some of the lines '
                    'above were changed or are missing')
                self._expect(not self._file.read(1),
                             'the file continues after its end')
                return None

    def _next(self) -> tuple[bytes, Any]:
        """Return the next line, without a preceding line of its length."""
        line = self._read()
        value = self._parse(line)
        if 'long' in value:
            length = value['long']
            self._expect(isinstance(length, int)
                         and length > MAX_LINE_BYTES, _NOT_A_LINE)
            line = self._read(length)
            value = self._parse(line)
        return line, value

    def _read(self, max_bytes: int = 0) -> bytes:
        max_bytes = max_bytes or MAX_LINE_BYTES
        line = self._file.readline(max_bytes)
        self._line += 1
        self._expect(line.endswith(b'\n'), 'the file is incomplete: it ends '
                     'here' if len(line) < max_bytes else
                     f'the line is longer than {max_bytes} bytes')
        self._hash.update(line)
        return line

    def _parse(self, line: bytes) -> Any:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as exc:
            raise self._error(f'the line is not JSON: {exc}') from None
        self._expect(isinstance(value, dict), _NOT_A_LINE)
        return value

    def _expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise self._error(otherwise)

    def _error(self, problem: str) -> CorruptFile:
        return CorruptFile(f'{self._name}: line {self._line}: {problem}')


_NOT_A_LINE = 'this is not a line of an export file'
