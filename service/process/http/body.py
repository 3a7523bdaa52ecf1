# SPDX-License-Identifier: Apache-2.0
"""A request's body as it arrives: what ``wsgi.input`` reads from.

    Body
    +-- FixedBody      Content-Length bytes
    +-- ChunkedBody    chunks, with their trailers read and dropped

Nothing is read before the application asks, so a client is slowed down to the
speed of whoever reads, and never buffered whole.
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

#: A size and any extensions, without the blanks that RFC 9112 calls bad.
_CHUNK = re.compile(
    rb"([0-9A-Fa-f]{1,16})(?:;[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:="
    rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+"
    rb'|"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]'
    rb'|\\[\t\x20-\x7e\x80-\xff])*"))?)*')
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n]*")
#: What a trailer may not be: it would change what the head has said.
_HEAD_ONLY = frozenset((b'content-length', b'transfer-encoding', b'host',
                        b'trailer', b'content-encoding', b'content-type',
                        b'content-range', b'authorization', b'connection',
                        b'x-auth-token', b'te', b'expect'))


class BodyError(OSError):
    """The body cannot be read any further.

    ``refused`` is what the server answers in place of the application if
    nothing was sent yet; None where there is nobody to answer.
    """

    def __init__(self, refused: RequestRefused | None) -> None:
        super().__init__(str(refused or 'the client has gone'))
        self.refused = refused


class Body(io.RawIOBase):
    """The common part: pace, failure, and the wait for 100 Continue.

    A client has ``body_grace`` seconds of credit. Waiting for it spends the
    credit, each byte earns some back, and with none left it is too slow. One
    that stops is found out as soon as one that drips.
    """

    def __init__(self, incoming: ReadBuffer, limits: ServerLimits,
                 invite: Callable[[], None] | None = None) -> None:
        self._incoming = incoming
        self._limits = limits
        self._invite = invite
        self._credit = limits.body_grace
        self._patience = limits.body_timeout
        self.failure: BodyError | None = None
        self.ended = False
        self.drained = 0

    @property
    def uninvited(self) -> bool:
        """The client still waits for 100 before it sends."""
        return self._invite is not None

    @property
    def worth_draining(self) -> bool:
        """Whether reading an unwanted rest may save the connection."""
        return not self.uninvited

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._read(len(buffer))
        buffer[:len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return b''.join(iter(lambda: self._read(SEGMENT_BYTES), b''))

    def drain(self, most: int) -> bool:
        """Read on for nobody; True if the end came within ``most`` bytes.

        A client that waits for 100 or is slow is not waited for long.
        """
        if self.uninvited or self.failure is not None:
            return False
        self._patience = self._limits.drain_timeout
        try:
            while self.drained <= most and not self.ended:
                self.drained += len(self._read(most + 1 - self.drained))
        except BodyError:
            return False
        return self.ended

    def _read(self, size: int) -> bytes:
        if self.failure is not None:
            raise self.failure
        if self.ended or not size:
            return b''
        try:
            if self._invite is not None:
                self._send_invitation()
            return self._some(size)
        except RequestRefused as exc:
            self.failure = BodyError(exc)
        except DeadlineExceeded:
            self.failure = BodyError(RequestRefused(
                'slow', 'The request body came too slowly.', True))
        except ClientDisconnected:
            self.failure = BodyError(None)
        raise self.failure

    def _send_invitation(self) -> None:
        invite, self._invite = self._invite, None
        if invite is not None and not self._incoming.waiting:
            invite()

    def _some(self, size: int) -> bytes:
        raise NotImplementedError

    def _paced(self, read: Callable[[int, float], bytes], size: int) -> bytes:
        """``read(size, deadline)``, with the time it took spent."""
        started = monotonic()
        data = read(size, started + min(self._credit, self._patience))
        spent = monotonic() - started
        self._patience -= spent
        self._credit = min(self._limits.body_grace, self._credit - spent
                           + len(data) / self._limits.min_body_rate)
        return data


class FixedBody(Body):

    def __init__(self, incoming: ReadBuffer, limits: ServerLimits, length: int,
                 invite: Callable[[], None] | None = None) -> None:
        super().__init__(incoming, limits, invite)
        self.left = length

    @property
    def worth_draining(self) -> bool:
        return self.left <= self._limits.max_drain and not self.uninvited

    def _some(self, size: int) -> bytes:
        data = self._paced(self._incoming.some, min(size, self.left))
        if not data:
            raise ClientDisconnected('the client ended within a request body')
        self.left -= len(data)
        self.ended = not self.left
        return data


class ChunkedBody(Body):
    """Counts what is framing apart from what is content.

    Chunks of one byte with long extensions, or an endless trailer, would
    otherwise keep the server busy with a body that never grows.
    """

    def __init__(self, incoming: ReadBuffer, limits: ServerLimits,
                 invite: Callable[[], None] | None = None) -> None:
        super().__init__(incoming, limits, invite)
        self._left = 0
        self._content = 0
        self._overhead = 0

    def _some(self, size: int) -> bytes:
        if not self._left and not self._next_chunk():
            return b''
        data = self._paced(self._incoming.some, min(size, self._left))
        if not data:
            raise ClientDisconnected('the client ended within a request body')
        self._left -= len(data)
        if not self._left and self._line(0):
            raise RequestRefused(
                'malformed', 'A chunk is longer than its size.', True)
        return data

    def _next_chunk(self) -> bool:
        line = self._line(self._limits.max_chunk_overhead)
        match = _CHUNK.fullmatch(line)
        if match is None:
            raise RequestRefused(
                'malformed', 'A chunk begins with no valid size.', True)
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
                'malformed', 'The chunks of the body have more framing than '
                'is allowed.', True)

    def _skip_trailers(self) -> None:
        """Read to the empty line; nothing of it reaches the application."""
        size = count = 0
        while line := self._line(self._limits.max_trailer_bytes):
            size += len(line) + 2
            count += 1
            self._check_trailer(line, size, count)

    def _check_trailer(self, line: bytes, size: int, count: int) -> None:
        limits = self._limits
        if size > limits.max_trailer_bytes or count > limits.max_trailer_count:
            raise RequestRefused(
                'header', 'The trailers are larger than is allowed.', True)
        name = line.partition(b':')[0].lower()
        if _TRAILER.fullmatch(line) is None or name in _HEAD_ONLY:
            raise RequestRefused(
                'malformed', 'A trailer is malformed or belongs into the '
                'head.', True)

    def _line(self, longest: int) -> bytes:
        try:
            return self._paced(self._incoming.line, longest)
        except ValueError as exc:
            raise RequestRefused(
                'malformed', 'The chunks of the body are malformed.',
                True) from exc
