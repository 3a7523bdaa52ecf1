# SPDX-License-Identifier: Apache-2.0
"""What an export writes an import reads, however long a row is."""

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
        ('r_a', {'text': one}) for one in texts]))


def read(lines: list[bytes]) -> list[Any]:
    return [row['text'] for chunk in ExportReader(
        io.BytesIO(b''.join(lines)), 'dump').chunks() for row in chunk.rows]


@pytest.mark.parametrize('length', [0, 150, 172, 173, 174, 5000])
def test_a_row_of_any_length_comes_back(length: int) -> None:
    """A body may be up to 1 GiB, and a row is as long as a body, or twice."""
    texts = ['a', 'x' * length, '\u2028"' * length, 'b']
    lines = written(*texts)
    assert read(lines) == texts
    announced = [one for one in lines if one.startswith(b'{"long":')]
    assert len(announced) == sum(len(one) > 200 for one in lines[1:])


@pytest.mark.parametrize('said', [
    b'{"long":-1}', b'{"long":true}', b'{"long":200}', b'{"long":"x"}',
    b'{"long":999}', b'{"long":5001}\n{"long":5001}'])
def test_a_length_that_is_not_true_is_told(said: bytes) -> None:
    lines = written('x' * 5000)
    assert lines[1].startswith(b'{"long":')
    lines[1] = said + b'\n'
    with pytest.raises(CorruptFile, match='dump: line [234]: '):
        read(lines)


def test_a_file_that_is_no_dump_is_not_read_whole() -> None:
    file = io.BytesIO(b'x' * 10 ** 6)
    with pytest.raises(CorruptFile,
                       match='line 1: the line is longer than it'):
        ExportReader(file, 'dump')
    assert file.tell() == 200


def test_a_long_line_that_nothing_announces_is_refused() -> None:
    lines = written('x' * 5000)
    with pytest.raises(CorruptFile, match='line 2: the line is longer'):
        read([lines[0], *lines[2:]])


def test_a_file_that_ends_within_a_long_line_is_told() -> None:
    lines = written('x' * 5000)
    with pytest.raises(CorruptFile, match='line 3: the file ends here'):
        read([*lines[:2], lines[2][:3000]])
