# SPDX-License-Identifier: Apache-2.0
"""Export files are read as they were written; corrupt ones are refused."""

from __future__ import annotations

import io
from typing import Any

import pytest

from service.storage.maintenance import dump_file
from service.storage.maintenance.dump_file import (
    CorruptFile,
    ExportReader,
    Header,
)

HEADER = Header('d', '2026', '1', 'x', {}, 7, {'r_a': 3})


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump_file, 'MAX_LINE_BYTES', 200)


def written(*texts: str) -> list[bytes]:
    return list(dump_file.lines(HEADER, [
        ('r_a', {'text': text}) for text in texts]))


def read(lines: list[bytes]) -> list[Any]:
    return [row['text'] for chunk in ExportReader(
        io.BytesIO(b''.join(lines)), 'dump').chunks() for row in chunk.rows]


@pytest.mark.parametrize('length', [0, 150, 172, 173, 174, 5000])
def test_a_row_of_any_length_is_read_as_written(length: int) -> None:
    """A body may have up to 1 GiB, and a row up to twice that."""
    texts = ['a', 'x' * length, '\u2028"' * length, 'b']
    lines = written(*texts)
    assert read(lines) == texts
    announced = [line for line in lines if line.startswith(b'{"long":')]
    assert len(announced) == sum(len(line) > 200 for line in lines[1:])


@pytest.mark.parametrize('announcement', [
    b'{"long":-1}', b'{"long":true}', b'{"long":200}', b'{"long":"x"}',
    b'{"long":999}', b'{"long":5001}\n{"long":5001}'])
def test_a_wrong_length_of_the_next_line_is_refused(
        announcement: bytes) -> None:
    lines = written('x' * 5000)
    assert lines[1].startswith(b'{"long":')
    lines[1] = announcement + b'\n'
    with pytest.raises(CorruptFile, match='dump: line [234]: '):
        read(lines)


def test_a_file_of_another_format_is_not_read_whole() -> None:
    file = io.BytesIO(b'x' * 10 ** 6)
    with pytest.raises(CorruptFile,
                       match='line 1: the line is longer than 200'):
        ExportReader(file, 'dump')
    assert file.tell() == 200


def test_a_long_line_without_its_length_before_it_is_refused() -> None:
    lines = written('x' * 5000)
    with pytest.raises(CorruptFile, match='line 2: the line is longer'):
        read([lines[0], *lines[2:]])


def test_a_file_that_ends_within_a_long_line_is_refused() -> None:
    lines = written('x' * 5000)
    with pytest.raises(CorruptFile, match='line 3: the file is incomplete'):
        read([*lines[:2], lines[2][:3000]])
