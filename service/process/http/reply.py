# SPDX-License-Identifier: Apache-2.0
"""Send the reply of the application, after checking it.

Mistakes of an application, such as a line break in a header or a body that
does not match Content-Length, are not sent. Before the first byte they lead
to a 500; later the connection is cut. So a client never reads the next reply
as a part of this one.
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

#: Headers that only the server may set.
_HOP_BY_HOP = frozenset((
    'transfer-encoding', 'keep-alive', 'upgrade', 'te', 'trailer', 'trailers',
    'proxy-connection', 'proxy-authenticate', 'proxy-authorization'))
_BODILESS = frozenset(('204', '304'))


class BadReply(Exception):
    """The application violates WSGI or HTTP; the text says how."""


class Reply:
    """The reply to one request.

    ``keep_alive`` is whether the connection stays open afterwards, ``begun``
    whether a byte may have been sent, ``complete`` whether all bytes were.
    """

    _fields: bytes
    _length: int | None
    _dated: bool

    __slots__ = ('_wire', '_head', '_body', '_state', '_status',
                 '_fields', '_length', '_sent', '_chunked', '_dated',
                 'keep_alive', 'begun', 'complete')

    def __init__(self, wire: Wire, head: Head, body: Body | None,
                 state: ServerState) -> None:
        self._wire = wire
        self._head = head
        self._body = body
        self._state = state
        self._status = ''
        self._chunked = False
        self._sent = 0
        self.keep_alive = head.keep_alive
        self.begun = False
        self.complete = False

    def start(self, status: str, headers: list[tuple[str, str]],
              exc_info: ExcInfo | None = None) -> Callable[[bytes], None]:
        """Implement WSGI's ``start_response``; send nothing yet.

        Raises BadReply in the application if status or headers are invalid.
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
        """Send the iterable that the application returned."""
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
        """Whether a client can detect that the body was cut short."""
        return self._chunked or self._length is not None

    def _checked(self, headers: list[tuple[str, str]]) -> bytes:
        """Check the headers and return their lines.

        Headers of the server, such as Content-Length, are left out.
        """
        if type(headers) is not list:
            raise BadReply('the headers are not a list')
        lines = []
        for name, value in headers:
            if type(value) is not str:
                raise BadReply(f'the value of {name!r} is not a str')
            check = _check_of(name)
            if check is None or check(self, value):
                lines.append(f'{name}: {value}\r\n')
        block = ''.join(lines)
        if block.count('\n') != len(lines) or _CONTROL.search(
                block.replace('\r\n', '')):
            raise BadReply('a header value has a control character')
        try:
            return block.encode('latin-1')
        except UnicodeEncodeError as exc:
            raise BadReply('a header value is not latin-1') from exc

    def _set_length(self, value: str) -> bool:
        if self._length is not None or not _LENGTH.fullmatch(value):
            raise BadReply('Content-Length is repeated or not a number')
        self._length = int(value)
        return False

    def _set_dated(self, value: str) -> bool:
        self._dated = True
        return True

    def _set_connection(self, value: str) -> bool:
        """Accept ``close`` and no other value."""
        if value.strip().lower() != 'close':
            raise BadReply('the only valid value of Connection is close')
        self.keep_alive = False
        return False

    def _refuse_hop_by_hop(self, value: str) -> bool:
        raise BadReply('hop-by-hop headers are set by the server only')

    def _send_whole(self, data: bytes) -> None:
        """Send head and body in one piece, as for nearly all replies."""
        if self._length is None and not self._bodiless and (
                data or self._head.method != 'HEAD'):
            self._length = len(data)
        self._check_length(len(data), True)
        self._push(self._begin(), b'' if self._silent else data)

    def _write(self, chunk: bytes) -> None:
        """Send a piece of the body; this is also WSGI's ``write``."""
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
        """End the body, with the last chunk if it is chunked."""
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
        """Whether no body is sent, even if the application returns one."""
        return self._head.method == 'HEAD' or self._bodiless

    def _check_length(self, length: int, ended: bool) -> None:
        """Compare the body with Content-Length, before it is sent."""
        if not self._status:
            raise BadReply('start_response was not called')
        if length and self._bodiless:
            raise BadReply(f'a {self._status[:3]} has no body')
        expected = self._length
        if expected is None or self._head.method == 'HEAD' or self._bodiless:
            return
        if length > expected or (ended and length < expected):
            actual = f'{length} bytes' + (
                ' or more' if length > expected else '')
            raise BadReply(f'the body is {actual} and Content-Length says '
                           f'{expected}')

    def _begin(self) -> bytes:
        """Return the head; from then on the reply has begun.

        SECURITY: a 2xx or 3xx reply to TRACE is refused, since it could echo
        headers that a proxy added. The application's own refusal is sent: it
        knows which methods the path allows.
        """
        if self._head.method == 'TRACE' and self._status < '4':
            raise RequestRefused('method', 'TRACE is not supported.', True)
        if self._body is not None:
            self._check_body(self._body)
        framing = self._frame()
        if self._state.draining:
            self.keep_alive = False
        if not self.keep_alive:
            framing += b'Connection: close\r\n'
        elif self._head.keep_alive_requested:
            framing += b'Connection: keep-alive\r\n'
        self.begun = True
        return b''.join((_status_line(self._status), self._fields,
                         b'' if self._dated else self._state.date(),
                         framing, b'\r\n'))

    def _check_body(self, body: Body) -> None:
        """Close the connection if the request's body will not be read.

        If the body has failed, the server's error replaces the reply of the
        application.
        """
        if body.failure is not None:
            raise body.failure
        if not body.worth_draining:
            self.keep_alive = False

    def _frame(self) -> bytes:
        """Return the header that delimits the body; b'' if the close does.
        """
        if self._length is not None:
            return (b'' if self._status[:3] == '204' else
                    b'Content-Length: %d\r\n' % self._length)
        if self._bodiless:
            return b''
        if self._head.http_1_1:
            self._chunked = True
            return b'Transfer-Encoding: chunked\r\n'
        self.keep_alive = False
        return b''

    def _push(self, before: bytes, data: bytes) -> None:
        data = before + data if before else data
        if data:
            self._wire.send(
                data, monotonic() + self._state.limits.write_timeout)


#: The checks of single headers; each returns whether to send the header.
_CHECKS: dict[str, Callable[[Reply, str], bool]] = {
    'content-length': Reply._set_length,
    'date': Reply._set_dated,
    'connection': Reply._set_connection,
    **dict.fromkeys(_HOP_BY_HOP, Reply._refuse_hop_by_hop),
}


@lru_cache(maxsize=1024)
def _check_of(name: Any) -> Callable[[Reply, str], bool] | None:
    """Return the check of a header, if it has one."""
    if type(name) is not str or _TOKEN.fullmatch(name) is None:
        raise BadReply(f'{name!r} is not a valid header name')
    return _CHECKS.get(name.lower())


@lru_cache(maxsize=256)
def _is_status(status: Any) -> bool:
    if type(status) is not str or _STATUS.fullmatch(status) is None:
        raise BadReply(f'{status!r} is not a valid status')
    return True


@lru_cache(maxsize=256)
def _status_line(status: str) -> bytes:
    return f'HTTP/1.1 {status}\r\n'.encode('latin-1')
