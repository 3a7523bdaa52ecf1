# SPDX-License-Identifier: Apache-2.0
"""The body of a request, as ``wsgi.input`` reads it.

    Body
    +-- FixedBody      Content-Length bytes
    +-- ChunkedBody    chunks; the trailers are read and dropped

The server reads the body only as the application does. So the client sends
no faster than the application reads, and no body is buffered as a whole.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from time import monotonic

from service.process.http.head_parser import body_too_large
from service.process.http.read_buffer import SEGMENT_BYTES, ReadBuffer
from service.process.http.wire import ClientDisconnected, DeadlineExceeded
from service.process.limits import ServerLimits
from service.process.refusals import RequestRefused

#: A chunk size and any extensions, without the whitespace that RFC 9112
#: calls "bad" (BWS).
_CHUNK = re.compile(
    rb"([0-9A-Fa-f]{1,16})(?:;[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:="
    rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+"
    rb'|"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]'
    rb'|\\[\t\x20-\x7e\x80-\xff])*"))?)*')
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n]*")
#: Fields that may not be trailers: they would contradict the head.
_HEAD_ONLY = frozenset((b'content-length', b'transfer-encoding', b'host',
                        b'trailer', b'content-encoding', b'content-type',
                        b'content-range', b'authorization', b'connection',
                        b'x-auth-token', b'te', b'expect'))


class BodyError(OSError):
    """The body cannot be read any further.

    ``refused`` is the server's answer if no reply has begun; None if the
    client has disconnected.
    """

    def __init__(self, refused: RequestRefused | None) -> None:
        super().__init__(str(refused or 'the client has disconnected'))
        self.refused = refused


class Body(io.RawIOBase):
    """The common part of bodies: time limits, failures, and 100 Continue.

    A client starts with a credit of ``body_grace`` seconds. Waiting for the
    client spends the credit, and each byte received restores some of it. A
    client without credit is too slow. So a client that stops is refused as
    soon as one that sends slowly.
    """

    def __init__(self, buffer: ReadBuffer, limits: ServerLimits,
                 send_continue: Callable[[], None] | None = None) -> None:
        self._buffer = buffer
        self._limits = limits
        self._send_continue = send_continue
        self._credit = limits.body_grace
        self._time_left = limits.body_timeout
        self.failure: BodyError | None = None
        self.ended = False
        self.drained = 0

    @property
    def awaits_continue(self) -> bool:
        """Whether the client still waits for 100 before it sends."""
        return self._send_continue is not None

    @property
    def worth_draining(self) -> bool:
        """Whether reading an unwanted rest can keep the connection open."""
        return not self.awaits_continue

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._read(len(buffer))
        buffer[:len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return b''.join(iter(lambda: self._read(SEGMENT_BYTES), b''))

    def drain(self, max_bytes: int) -> bool:
        """Read and discard the rest; True if it ends in ``max_bytes``.

        False if the client waits for 100, or takes longer than
        ``drain_timeout``.
        """
        if self.awaits_continue or self.failure is not None:
            return False
        self._time_left = self._limits.drain_timeout
        try:
            while self.drained <= max_bytes and not self.ended:
                self.drained += len(self._read(max_bytes + 1 - self.drained))
        except BodyError:
            return False
        return self.ended

    def _read(self, size: int) -> bytes:
        if self.failure is not None:
            raise self.failure
        if self.ended or not size:
            return b''
        try:
            if self._send_continue is not None:
                self._invite_body()
            return self._read_some(size)
        except RequestRefused as exc:
            self.failure = BodyError(exc)
        except DeadlineExceeded:
            self.failure = BodyError(RequestRefused(
                'slow', 'The request body arrived too slowly.', True))
        except ClientDisconnected:
            self.failure = BodyError(None)
        raise self.failure

    def _invite_body(self) -> None:
        """Send 100 Continue, unless the body has already begun to arrive."""
        send_continue, self._send_continue = self._send_continue, None
        if send_continue is not None and not self._buffer.has_data:
            send_continue()

    def _read_some(self, size: int) -> bytes:
        raise NotImplementedError

    def _paced(self, read: Callable[[int, float], bytes], size: int) -> bytes:
        """Call ``read(size, deadline)``, and spend the time it takes."""
        started = monotonic()
        data = read(size, started + min(self._credit, self._time_left))
        spent = monotonic() - started
        self._time_left -= spent
        self._credit = min(self._limits.body_grace, self._credit - spent
                           + len(data) / self._limits.min_body_rate)
        return data


class FixedBody(Body):
    """A body of as many bytes as Content-Length says."""

    def __init__(self, buffer: ReadBuffer, limits: ServerLimits, length: int,
                 send_continue: Callable[[], None] | None = None) -> None:
        super().__init__(buffer, limits, send_continue)
        self.left = length

    @property
    def worth_draining(self) -> bool:
        return (self.left <= self._limits.max_drain
                and not self.awaits_continue)

    def _read_some(self, size: int) -> bytes:
        data = self._paced(self._buffer.read_some, min(size, self.left))
        if not data:
            raise ClientDisconnected('the client ended within a request body')
        self.left -= len(data)
        self.ended = not self.left
        return data


class ChunkedBody(Body):
    """A body in chunks, with separate limits on content and framing.

    Without a limit on framing, chunks of one byte with long extensions, or
    an endless trailer, would occupy the server with a body that hardly grows.
    """

    def __init__(self, buffer: ReadBuffer, limits: ServerLimits,
                 send_continue: Callable[[], None] | None = None) -> None:
        super().__init__(buffer, limits, send_continue)
        self._left = 0
        self._content = 0
        self._overhead = 0

    def _read_some(self, size: int) -> bytes:
        if not self._left and not self._next_chunk():
            return b''
        data = self._paced(self._buffer.read_some, min(size, self._left))
        if not data:
            raise ClientDisconnected('the client ended within a request body')
        self._left -= len(data)
        if not self._left and self._read_line(0):
            raise RequestRefused(
                'malformed', 'A chunk is longer than its size.', True)
        return data

    def _next_chunk(self) -> bool:
        line = self._read_line(self._limits.max_chunk_overhead)
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise RequestRefused(
                'malformed', 'A chunk does not begin with a valid size.', True)
        self._count(line, match.group(1))
        if not self._left:
            self._skip_trailers()
            self.ended = True
        return not self.ended

    def _count(self, line: bytes, digits: bytes) -> None:
        self._left = int(digits, 16)
        self._content += self._left
        if self._content > self._limits.max_body:
            raise body_too_large(self._limits)
        self._overhead += len(line) - len(digits)
        if self._overhead > self._limits.max_chunk_overhead:
            raise RequestRefused(
                'malformed', 'The chunked body has more than '
                f'{self._limits.max_chunk_overhead} bytes of framing.', True)

    def _skip_trailers(self) -> None:
        """Check and discard the trailers, up to the empty line."""
        size = count = 0
        while line := self._read_line(self._limits.max_trailer_bytes):
            size += len(line) + 2
            count += 1
            self._check_trailer(line, size, count)

    def _check_trailer(self, line: bytes, size: int, count: int) -> None:
        limits = self._limits
        if size > limits.max_trailer_bytes or count > limits.max_trailer_count:
            raise RequestRefused(
                'header', 'The trailers are longer than '
                f'{limits.max_trailer_bytes} bytes, or more than '
                f'{limits.max_trailer_count}.', True)
        name = line.partition(b':')[0].lower()
        if _TRAILER.fullmatch(line) is None or name in _HEAD_ONLY:
            raise RequestRefused(
                'malformed', 'A trailer is malformed, or is a field that is '
                'only allowed in the head.', True)

    def _read_line(self, max_bytes: int) -> bytes:
        try:
            return self._paced(self._buffer.read_line, max_bytes)
        except ValueError as exc:
            raise RequestRefused(
                'malformed', 'The chunks of the body are malformed.',
                True) from exc
