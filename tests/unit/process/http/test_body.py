# SPDX-License-Identifier: Apache-2.0
"""Pace and limits of a body, by the clock of the test."""

from __future__ import annotations

from typing import Any

import pytest

from service.process.http import body as room
from service.process.http.body import BodyError, ChunkedBody, FixedBody
from service.process.http.read_buffer import ReadBuffer
from service.process.http.wire import DeadlineExceeded
from tests.unit.process.scripted import ScriptedWire, limits


class SlowWire(ScriptedWire):
    """Each piece takes its time; past the deadline it raises Late."""

    def __init__(self, pieces: list[bytes], each: float) -> None:
        super().__init__(pieces)
        self.now = 1000.0
        self._each = each

    def recv(self, size: int, deadline: float) -> bytes:
        arrival = self.now + self._each
        self.now = min(arrival, deadline)
        if arrival > deadline:
            raise DeadlineExceeded
        return super().recv(size, deadline)


def slow(monkeypatch: pytest.MonkeyPatch, pieces: list[bytes], each: float,
         **changes: Any) -> tuple[SlowWire, Any]:
    wire: Any = SlowWire(pieces, each)
    monkeypatch.setattr(room, 'monotonic', lambda: wire.now)
    granted = limits(**changes)
    return wire, FixedBody(ReadBuffer(wire, granted), granted,
                           sum(map(len, pieces)))


def test_a_body_at_the_minimum_rate_is_read(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R02: 500 bytes a second, for 200 seconds."""
    _, body = slow(monkeypatch, [b'a' * 500] * 200, 1.0)
    assert len(body.readall()) == 100000


def test_a_body_below_it_is_cut_when_its_credit_is_spent(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R02: at 250 a second the ten seconds of grace last for twenty."""
    wire, body = slow(monkeypatch, [b'a' * 250] * 200, 1.0)
    with pytest.raises(BodyError) as caught:
        body.readall()
    assert caught.value.refused.reason == 'slow'
    assert 1019 <= wire.now <= 1021


def test_a_fast_start_buys_no_long_pause(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R02: credit is never more than the grace."""
    wire, body = slow(monkeypatch, [b'a' * 60000] * 10, 0.01)
    body.read(500000)
    wire._each = 10.5
    with pytest.raises(BodyError):
        body.readall()
    assert wire.now <= 1012


def test_no_body_takes_longer_than_its_deadline(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R02"""
    wire, body = slow(monkeypatch, [b'a' * 500] * 2000, 1.0,
                      body_timeout=30)
    with pytest.raises(BodyError):
        body.readall()
    assert wire.now <= 1031


def test_an_error_stays_an_error() -> None:
    """Whoever reads on after one does not read the next request."""
    granted = limits(max_body=1024)
    wire: Any = ScriptedWire([b'500\r\nGET /smuggled HTTP/1.1\r\n\r\n'])
    body = ChunkedBody(ReadBuffer(wire, granted), granted)
    for _ in range(3):
        with pytest.raises(BodyError) as caught:
            body.read(10)
        assert caught.value.refused is not None
        assert caught.value.refused.reason == 'body'
    assert not body.drain(65536)


def test_draining_takes_no_more_than_it_may() -> None:
    """H20"""
    granted = limits()
    wire: Any = ScriptedWire([b'a' * 200000])
    incoming = ReadBuffer(wire, granted)
    body = FixedBody(incoming, granted, 200000)
    assert not body.drain(1000)
    assert body.left >= 200000 - 1001 - 1
    assert body.drain(200000)
    assert body.ended


@pytest.mark.parametrize('size', [b'0', b'00', b'0000000000000000'])
def test_any_zero_ends_a_chunked_body(size: bytes) -> None:
    granted = limits()
    wire: Any = ScriptedWire([b'2\r\nhi\r\n' + size + b'\r\n\r\nGET'])
    incoming = ReadBuffer(wire, granted)
    body = ChunkedBody(incoming, granted)
    assert body.readall() == b'hi'
    assert incoming.has_data


def test_empty_reads_read_nothing() -> None:
    granted = limits()
    wire: Any = ScriptedWire([b'hello'])
    body = FixedBody(ReadBuffer(wire, granted), granted, 5)
    assert body.read(0) == b''
    assert body.readall() == b'hello'
    assert body.read(5) == b''
