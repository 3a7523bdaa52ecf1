# SPDX-License-Identifier: Apache-2.0
"""Rate and limits of a body, with a clock that the test controls."""

from __future__ import annotations

from typing import Any

import pytest

from service.process.http import body as body_module
from service.process.http.body import BodyError, ChunkedBody, FixedBody
from service.process.http.read_buffer import ReadBuffer
from service.process.http.wire import DeadlineExceeded
from tests.unit.process.scripted import ScriptedWire, limits


class SlowWire(ScriptedWire):
    """A wire whose pieces each take ``delay`` seconds to arrive."""

    def __init__(self, pieces: list[bytes], delay: float) -> None:
        super().__init__(pieces)
        self.now = 1000.0
        self._delay = delay

    def recv(self, size: int, deadline: float) -> bytes:
        arrival = self.now + self._delay
        self.now = min(arrival, deadline)
        if arrival > deadline:
            raise DeadlineExceeded
        return super().recv(size, deadline)


def slow(monkeypatch: pytest.MonkeyPatch, pieces: list[bytes], delay: float,
         **changes: Any) -> tuple[SlowWire, Any]:
    wire: Any = SlowWire(pieces, delay)
    monkeypatch.setattr(body_module, 'monotonic', lambda: wire.now)
    limit_values = limits(**changes)
    return wire, FixedBody(ReadBuffer(wire, limit_values), limit_values,
                           sum(map(len, pieces)))


def test_a_body_at_the_minimum_rate_is_read(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R02: 500 bytes a second, for 200 seconds."""
    _, body = slow(monkeypatch, [b'a' * 500] * 200, 1.0)
    assert len(body.readall()) == 100000


def test_a_body_below_the_minimum_rate_is_refused_without_credit(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R02: at 250 bytes a second, ten seconds of grace last for twenty."""
    wire, body = slow(monkeypatch, [b'a' * 250] * 200, 1.0)
    with pytest.raises(BodyError) as caught:
        body.readall()
    assert caught.value.refused.reason == 'slow'
    assert 1019 <= wire.now <= 1021


def test_a_fast_start_does_not_allow_a_long_pause(
        monkeypatch: pytest.MonkeyPatch) -> None:
    """R02: the credit never exceeds ``body_grace``."""
    wire, body = slow(monkeypatch, [b'a' * 60000] * 10, 0.01)
    body.read(500000)
    wire._delay = 10.5
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


def test_a_body_that_has_failed_stays_failed() -> None:
    """Further reads raise it again, and do not read the next request."""
    limit_values = limits(max_body=1024)
    wire: Any = ScriptedWire([b'500\r\nGET /smuggled HTTP/1.1\r\n\r\n'])
    body = ChunkedBody(ReadBuffer(wire, limit_values), limit_values)
    for _ in range(3):
        with pytest.raises(BodyError) as caught:
            body.read(10)
        assert caught.value.refused is not None
        assert caught.value.refused.reason == 'body'
    assert not body.drain(65536)


def test_drain_reads_no_more_than_the_limit() -> None:
    """H20"""
    limit_values = limits()
    wire: Any = ScriptedWire([b'a' * 200000])
    buffer = ReadBuffer(wire, limit_values)
    body = FixedBody(buffer, limit_values, 200000)
    assert not body.drain(1000)
    assert body.left >= 200000 - 1001 - 1
    assert body.drain(200000)
    assert body.ended


@pytest.mark.parametrize('size', [b'0', b'00', b'0000000000000000'])
def test_a_chunk_size_of_zero_in_any_form_ends_the_body(size: bytes) -> None:
    limit_values = limits()
    wire: Any = ScriptedWire([b'2\r\nhi\r\n' + size + b'\r\n\r\nGET'])
    buffer = ReadBuffer(wire, limit_values)
    body = ChunkedBody(buffer, limit_values)
    assert body.readall() == b'hi'
    assert buffer.has_data


def test_empty_reads_read_nothing() -> None:
    limit_values = limits()
    wire: Any = ScriptedWire([b'hello'])
    body = FixedBody(ReadBuffer(wire, limit_values), limit_values, 5)
    assert body.read(0) == b''
    assert body.readall() == b'hello'
    assert body.read(5) == b''
