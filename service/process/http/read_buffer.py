# SPDX-License-Identifier: Apache-2.0
"""The buffer of received bytes: cut into heads, lines and pieces of bodies.

Bytes after the end of a request stay in the buffer for the next one, so
pipelined requests are neither lost nor mixed up.
"""

from __future__ import annotations

from time import monotonic

from service.process.http import head_parser
from service.process.http.wire import NEVER, ClientDisconnected, Wire
from service.process.limits import ServerLimits
from service.process.refusals import RequestRefused

#: How much is received at once, and so the most that is parsed before other
#: green threads run.
SEGMENT_BYTES = 16384
_END = b'\r\n\r\n'
_CR = 13


class ReadBuffer:
    """The bytes of one connection that were received and not yet read.

    PERF: reading moves an index and copies no rest. Otherwise a body in
    chunks of one byte would copy the rest of its segment for each chunk.
    """

    __slots__ = ('_wire', '_limits', '_data', '_at')

    def __init__(self, wire: Wire, limits: ServerLimits) -> None:
        self._wire = wire
        self._limits = limits
        self._data = b''
        self._at = 0

    @property
    def has_data(self) -> bool:
        """Whether the buffer holds bytes; does not look at the socket."""
        return self._at < len(self._data)

    def wait_for_request(self, deadline: float) -> bool:
        """Wait for the first byte of a request; False at the stream's end.

        A connection is idle exactly while it waits here.
        """
        if self._at < len(self._data):
            return True
        return self._receive(deadline)

    def read_head(self) -> bytes:
        """Return the next head, including its empty line."""
        data, start = self._data, self._at
        end = data.find(_END, start)
        if end > 0 and data[start] != _CR:
            self._at = end + 4
            return data[start:end + 4]
        return self._read_slow_head()

    def _read_slow_head(self) -> bytes:
        """Read a head that arrives in pieces, or after an empty line.

        The deadline applies to the whole head, so a client that sends a byte
        every few seconds cannot hold the connection.
        """
        deadline = monotonic() + self._limits.header_timeout
        data = bytearray(self._take())
        while len(data) < 2 and data != b'' and data[0] == _CR:
            data += self._more(deadline)
        if data[:2] == b'\r\n':
            del data[:2]
        checked = 0
        while (end := data.find(_END, max(checked - 3, 0))) < 0:
            self._check_unfinished(data, max(checked - 1, 0))
            checked = len(data)
            data += self._more(deadline)
        self._data = bytes(data[end + 4:])
        return bytes(data[:end + 4])

    def _check_unfinished(self, data: bytearray, start: int) -> None:
        limits = self._limits
        if head_parser.has_stray_control(data, start):
            raise RequestRefused(
                'malformed', 'The request head contains a bare CR or LF or '
                'another control character.')
        end = data.find(b'\r\n')
        if end < 0:
            _check_line(data, limits)
        elif len(data) - end > limits.max_header_bytes + 4:
            raise head_parser.headers_too_large(limits)

    def _more(self, deadline: float) -> bytes:
        if not self._receive(deadline):
            raise ClientDisconnected('the client ended within a request head')
        return self._take()

    def _take(self) -> bytes:
        data, self._data = self._data[self._at:], b''
        self._at = 0
        return data

    def _receive(self, deadline: float) -> bool:
        """Receive the next segment, after other green threads have run.

        Without the wait, a client that always has more data in the kernel's
        buffer would keep the worker to itself.
        """
        self._wire.wait(deadline)
        self._data = self._wire.recv(SEGMENT_BYTES, deadline)
        self._at = 0
        return bool(self._data)

    def read_some(self, size: int, deadline: float = NEVER) -> bytes:
        """Return up to ``size`` bytes; b'' at the end of the stream."""
        start = self._at
        if start >= len(self._data):
            self._receive(deadline)
            start = 0
        data = self._data[start:start + size]
        self._at = start + len(data)
        return data

    def read_line(self, max_bytes: int, deadline: float = NEVER) -> bytes:
        """Return the next line without its CR LF.

        ValueError if it has a bare CR or LF, another control character or
        more than ``max_bytes`` bytes. ClientDisconnected if the stream ends
        before the line does.
        """
        while (end := self._data.find(b'\n', self._at)) < 0:
            rest = self._take()
            if len(rest) > max_bytes + 1:
                raise ValueError('too long')
            if not self._receive(deadline):
                raise ClientDisconnected(
                    'the client ended within a request body')
            self._data = rest + self._data
        line = self._data[self._at:end + 1]
        self._at = end + 1
        if (len(line) > max_bytes + 2 or line[-2:-1] != b'\r'
                or head_parser.has_stray_control(line)):
            raise ValueError('not a line')
        return line[:-2]


def _check_line(data: bytearray, limits: ServerLimits) -> None:
    """Refuse an unfinished request line that is longer than any valid one.
    """
    if len(data) <= limits.max_target + 64:
        return
    if b' ' in data[:64]:
        raise head_parser.target_too_long(limits)
    raise RequestRefused(
        'malformed', 'The request line does not begin with a method.')
