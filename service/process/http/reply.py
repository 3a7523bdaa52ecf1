# SPDX-License-Identifier: Apache-2.0
"""A reply on its way out, as strict as a request on its way in.

What an application must not do (a line break in a header, a body that is not
as long as it said, a body where none may be) never reaches the wire: before
the first byte it becomes a 500, after it the connection is cut. Either way
the next reply is never read as a part of this one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from time import monotonic
from types import TracebackType
from typing import Any

from service.process.http.body import Body
from service.process.http.head import Head
from service.process.http.server_state import ServerState
from service.process.http.wire import Wire
from service.process.refusals import RequestRefused

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_STATUS = re.compile(r'[2-5][0-9][0-9] [\t\x20-\x7e\x80-\xff]*')
_CONTROL = re.compile(r'[\x00-\x08\x0b-\x1f\x7f]')
_LENGTH = re.compile(r'[0-9]{1,18}')

#: The server's own affair between it and the next hop.
_HOP_BY_HOP = frozenset((
    'transfer-encoding', 'keep-alive', 'upgrade', 'te', 'trailer', 'trailers',
    'proxy-connection', 'proxy-authenticate', 'proxy-authorization'))
_BODILESS = frozenset(('204', '304'))


class BadReply(Exception):
    """The application broke the rules of WSGI or HTTP; the text says which."""


class Reply:
    """The one answer to one request.

    ``lasting`` is whether the connection is kept after it; ``begun`` whether
    a byte of it may have been sent, ``complete`` whether all of it was.
    """

    _fields: bytes
    _length: int | None
    _dated: bool

    __slots__ = ('_wire', '_head', '_body', '_shared', '_status',
                 '_fields', '_length', '_sent', '_chunked', '_dated',
                 'lasting', 'begun', 'complete')

    def __init__(self, wire: Wire, head: Head, body: Body | None,
                 shared: ServerState) -> None:
        self._wire = wire
        self._head = head
        self._body = body
        self._shared = shared
        self._status = ''
        self._chunked = False
        self._sent = 0
        self.lasting = head.lasting
        self.begun = False
        self.complete = False

    def start(self, status: str, headers: list[tuple[str, str]],
              exc_info: ExcInfo | None = None) -> Callable[[bytes], None]:
        """WSGI's ``start_response``; nothing is sent before the body begins.

        A mistake raises BadReply here, in the application that made it.
        """
        if exc_info is not None and self.begun:
            raise exc_info[1]
        if self._status and exc_info is None:
            raise BadReply('start_response was called twice')
        self._status = ''
        self._length = None
        self._dated = False
        if _is_status(status):
            self._fields = self._checked(headers)
            self._status = status
        return self._write

    def send(self, result: Iterable[bytes]) -> None:
        """Send what the application returned, in as few pieces as it has."""
        if type(result) in (list, tuple) and not self.begun:
            self._send_whole(b''.join(result))
        else:
            for chunk in result:
                if chunk:
                    self._write(chunk)
            self._end()
        self.complete = True

    @property
    def delimited(self) -> bool:
        """Whether the client can tell a whole body from one cut short."""
        return self._chunked or self._length is not None

    def _checked(self, headers: list[tuple[str, str]]) -> bytes:
        """The header lines, each checked, with what needs care set apart."""
        if type(headers) is not list:
            raise BadReply('the headers are no list')
        lines = []
        for name, value in headers:
            if type(value) is not str:
                raise BadReply(f'the value of {name!r} is no str')
            special = _special(name)
            if special is None or special(self, value):
                lines.append(f'{name}: {value}\r\n')
        block = ''.join(lines)
        if block.count('\n') != len(lines) or _CONTROL.search(
                block.replace('\r\n', '')):
            raise BadReply('a header value has a control character')
        try:
            return block.encode('latin-1')
        except UnicodeEncodeError as exc:
            raise BadReply('a header value is not latin-1') from exc

    def _take_length(self, value: str) -> bool:
        if self._length is not None or not _LENGTH.fullmatch(value):
            raise BadReply('Content-Length is repeated or no number')
        self._length = int(value)
        return False

    def _take_date(self, value: str) -> bool:
        self._dated = True
        return True

    def _take_connection(self, value: str) -> bool:
        """An application may close the connection, and say nothing else."""
        if value.strip().lower() != 'close':
            raise BadReply('Connection is the server\'s own header')
        self.lasting = False
        return False

    def _take_hop(self, value: str) -> bool:
        raise BadReply('hop-by-hop headers are the server\'s own')

    def _send_whole(self, data: bytes) -> None:
        """Head and body in one piece: nearly every reply there is."""
        if self._length is None and not self._bodiless and (
                data or self._head.method != 'HEAD'):
            self._length = len(data)
        self._check_length(len(data), True)
        self._push(self._begin(), b'' if self._silent else data)

    def _write(self, chunk: bytes) -> None:
        """One piece of a body of unknown length; WSGI's ``write`` too."""
        if type(chunk) is not bytes:
            raise BadReply('the body is not bytes')
        self._check_length(self._sent + len(chunk), False)
        self._sent += len(chunk)
        before = b'' if self.begun else self._begin()
        if self._silent:
            chunk = b''
        elif self._chunked and chunk:
            chunk = b'%x\r\n%b\r\n' % (len(chunk), chunk)
        self._push(before, chunk)

    def _end(self) -> None:
        """The body is over; close what was opened."""
        if not self.begun and not self._sent:
            self._send_whole(b'')
            return
        self._check_length(self._sent, True)
        if self._chunked and not self._silent:
            self._push(b'', b'0\r\n\r\n')

    @property
    def _bodiless(self) -> bool:
        return self._status[:3] in _BODILESS

    @property
    def _silent(self) -> bool:
        """No body goes out, whatever the application makes."""
        return self._head.method == 'HEAD' or self._bodiless

    def _check_length(self, length: int, ended: bool) -> None:
        """Hold the body to what the headers say, before it is sent."""
        if not self._status:
            raise BadReply('start_response was not called')
        if length and self._bodiless:
            raise BadReply(f'a {self._status[:3]} has no body')
        said = self._length
        if said is None or self._head.method == 'HEAD' or self._bodiless:
            return
        if length > said or (ended and length < said):
            raise BadReply(f'the body is {length} bytes or more and '
                           f'Content-Length says {said}' if length > said else
                           f'the body is {length} bytes and Content-Length '
                           f'says {said}')

    def _begin(self) -> bytes:
        """The head, and the point of no return.

        SECURITY: only the application knows what a path takes instead of
        TRACE, so it refuses it; it never answers with an echo of the headers
        that a proxy added.
        """
        if self._head.method == 'TRACE' and self._status < '4':
            raise RequestRefused('method', 'TRACE is not offered.', True)
        if self._body is not None:
            self._settle(self._body)
        framing = self._frame()
        if self._shared.draining:
            self.lasting = False
        if not self.lasting:
            framing += b'Connection: close\r\n'
        elif self._head.asked:
            framing += b'Connection: keep-alive\r\n'
        self.begun = True
        return b''.join((_status_line(self._status), self._fields,
                         b'' if self._dated else self._shared.date(),
                         framing, b'\r\n'))

    def _settle(self, body: Body) -> None:
        """Say close where the rest of the request's body will not be read.

        A failed body is the server's to answer: its error takes the place of
        whatever the application made of it.
        """
        if body.failure is not None:
            raise body.failure
        if not body.worth_draining:
            self.lasting = False

    def _frame(self) -> bytes:
        """How the client finds the end: a length, chunks, or the close."""
        if self._length is not None:
            return (b'' if self._status[:3] == '204' else
                    b'Content-Length: %d\r\n' % self._length)
        if self._bodiless:
            return b''
        if self._head.modern:
            self._chunked = True
            return b'Transfer-Encoding: chunked\r\n'
        self.lasting = False
        return b''

    def _push(self, before: bytes, data: bytes) -> None:
        data = before + data if before else data
        if data:
            self._wire.send(
                data, monotonic() + self._shared.limits.write_timeout)


_SPECIAL: dict[str, Callable[[Reply, str], bool]] = {
    'content-length': Reply._take_length,
    'date': Reply._take_date,
    'connection': Reply._take_connection,
    **dict.fromkeys(_HOP_BY_HOP, Reply._take_hop),
}


@lru_cache(maxsize=1024)
def _special(name: Any) -> Callable[[Reply, str], bool] | None:
    """Who looks at a header of this name, if anybody has to."""
    if type(name) is not str or _TOKEN.fullmatch(name) is None:
        raise BadReply(f'{name!r} is no header name')
    return _SPECIAL.get(name.lower())


@lru_cache(maxsize=256)
def _is_status(status: Any) -> bool:
    if type(status) is not str or _STATUS.fullmatch(status) is None:
        raise BadReply(f'{status!r} is no status')
    return True


@lru_cache(maxsize=256)
def _status_line(status: str) -> bytes:
    return f'HTTP/1.1 {status}\r\n'.encode('latin-1')
