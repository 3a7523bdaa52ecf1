# SPDX-License-Identifier: Apache-2.0
"""What a client has sent: a stream cut into heads, lines and pieces.

Everything past the end of one request stays here for the next, so pipelined
requests are neither lost nor mixed up.
"""

from __future__ import annotations

from time import monotonic

from service.process.http import head_parser
from service.process.http.wire import NEVER, ClientDisconnected, Wire
from service.process.limits import ServerLimits
from service.process.refusals import RequestRefused

#: The most that is taken at once, and so the most that is parsed before others
#: have their turn.
SEGMENT_BYTES = 16384
_END = b'\r\n\r\n'
_CR = 13


class ReadBuffer:
    """The bytes of one connection that nobody has taken yet.

    PERF: what was taken is stepped over and not cut off, or a body in chunks
    of one byte would copy the rest of its segment for each of them.
    """

    __slots__ = ('_wire', '_limits', '_data', '_at')

    def __init__(self, wire: Wire, limits: ServerLimits) -> None:
        self._wire = wire
        self._limits = limits
        self._data = b''
        self._at = 0

    @property
    def waiting(self) -> bool:
        """Whether bytes are at hand without a look at the socket."""
        return self._at < len(self._data)

    def begin(self, deadline: float) -> bool:
        """Wait for the first byte of a request; False where none will come.

        A connection is idle exactly while it waits here.
        """
        if self._at < len(self._data):
            return True
        return self._receive(deadline)

    def head(self) -> bytes:
        """The next head, up to and with its empty line."""
        data, start = self._data, self._at
        end = data.find(_END, start)
        if end > 0 and data[start] != _CR:
            self._at = end + 4
            return data[start:end + 4]
        return self._slow_head()

    def _slow_head(self) -> bytes:
        """A head that comes in pieces, or with an empty line before it.

        The deadline is for all of it: one byte every few seconds does not
        keep a connection.
        """
        deadline = monotonic() + self._limits.header_timeout
        data = bytearray(self._take())
        while len(data) < 2 and data != b'' and data[0] == _CR:
            data += self._more(deadline)
        if data[:2] == b'\r\n':
            del data[:2]
        seen = 0
        while (end := data.find(_END, max(seen - 3, 0))) < 0:
            self._check_unfinished(data, max(seen - 1, 0))
            seen = len(data)
            data += self._more(deadline)
        self._data = bytes(data[end + 4:])
        return bytes(data[:end + 4])

    def _check_unfinished(self, data: bytearray, start: int) -> None:
        limits = self._limits
        if head_parser.stray(data, start):
            raise RequestRefused(
                'malformed', 'The head has a bare CR or LF or another '
                'control character.')
        end = data.find(b'\r\n')
        if end < 0:
            _check_line(data, limits)
        elif len(data) - end > limits.max_header_bytes + 4:
            raise head_parser.section_too_large(limits)

    def _more(self, deadline: float) -> bytes:
        if not self._receive(deadline):
            raise ClientDisconnected('the client ended within a request head')
        return self._take()

    def _take(self) -> bytes:
        data, self._data = self._data[self._at:], b''
        self._at = 0
        return data

    def _receive(self, deadline: float) -> bool:
        """Take the next segment, after all others had their turn.

        A client that always has more in the kernel's buffer would otherwise
        never let go of the worker.
        """
        self._wire.wait(deadline)
        self._data = self._wire.recv(SEGMENT_BYTES, deadline)
        self._at = 0
        return bool(self._data)

    def some(self, size: int, deadline: float = NEVER) -> bytes:
        """At most ``size`` bytes; b'' when the client ended."""
        start = self._at
        if start >= len(self._data):
            self._receive(deadline)
            start = 0
        data = self._data[start:start + size]
        self._at = start + len(data)
        return data

    def line(self, longest: int, deadline: float = NEVER) -> bytes:
        """One line without its CR LF; ValueError where it is none.

        That is a bare CR or LF, another control character, or more than
        ``longest`` bytes. b'' as a line and an early end differ: Gone.
        """
        while (end := self._data.find(b'\n', self._at)) < 0:
            rest = self._take()
            if len(rest) > longest + 1:
                raise ValueError('too long')
            if not self._receive(deadline):
                raise ClientDisconnected(
                    'the client ended within a request body')
            self._data = rest + self._data
        line = self._data[self._at:end + 1]
        self._at = end + 1
        if (len(line) > longest + 2 or line[-2:-1] != b'\r'
                or head_parser.stray(line)):
            raise ValueError('not a line')
        return line[:-2]


def _check_line(data: bytearray, limits: ServerLimits) -> None:
    """Give up on a request line that is longer than any that is allowed."""
    if len(data) <= limits.max_target + 64:
        return
    if b' ' in data[:64]:
        raise head_parser.target_too_long(limits)
    raise RequestRefused(
        'malformed', 'The request line begins with no method.')
