# SPDX-License-Identifier: Apache-2.0
"""A request head: bytes to a value, or refused.

llhttp (``httptools``) reads the fields; what it lets through and RFC 9112 or
a careful proxy does not is refused here. The rule behind every check: no two
readers of the same bytes may disagree on where a request ends or for whom it
is. ``target`` has the second half of that; the body is ``body``'s.
"""

from __future__ import annotations

import re
from functools import lru_cache

import httptools

from service.process.http import target
from service.process.http.head import Head
from service.process.limits import ServerLimits
from service.process.refusals import RequestRefused

#: What llhttp knows of HTTP; the application answers 405 to most of them.
METHODS = frozenset((
    'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT',
    'TRACE', 'ACL', 'BIND', 'CHECKOUT', 'COPY', 'LINK', 'LOCK', 'M-SEARCH',
    'MERGE', 'MKACTIVITY', 'MKCALENDAR', 'MKCOL', 'MOVE', 'NOTIFY', 'PROPFIND',
    'PROPPATCH', 'PURGE', 'REBIND', 'REPORT', 'SEARCH', 'SUBSCRIBE', 'UNBIND',
    'UNLINK', 'UNLOCK', 'UNSUBSCRIBE'))

#: A second value of one of these would be read by somebody as the first.
SINGLE = frozenset((
    'HTTP_HOST', 'HTTP_TRANSFER_ENCODING', 'HTTP_EXPECT', 'CONTENT_LENGTH',
    'CONTENT_TYPE', 'HTTP_AUTHORIZATION', 'HTTP_CONTENT_ENCODING',
    'HTTP_X_AUTH_TOKEN'))

#: A method of more letters is not known for sure (RFC 9112 3).
_LONGEST = 32

_REQUEST_LINE = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([\x21-\x7e]+) HTTP/(\d)\.(\d)")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH = re.compile(r'[0-9]{1,18}')
#: No control character but CR LF, in pairs, and tab has a place in a head.
_STRAY = re.compile(rb'\r(?=[^\n])|(?<!\r)\n|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]')


class HeadParser:
    """Parses one head after the other of one connection."""

    __slots__ = ('_limits', '_llhttp', '_pairs')

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._llhttp: httptools.HttpRequestParser | None = None
        self._pairs: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._pairs.append((name, value))

    def parse(self, data: bytes) -> Head:
        """The head that ``data`` is, up to and with its empty line."""
        end = data.index(b'\r\n')
        head = _request_line(data[:end], self._limits)
        if len(data) > self._limits.max_header_line:
            _check_sizes(data, end, self._limits)
        self._read(data)
        head.fields = _fields(self._pairs, self._limits)
        target.locate(head)
        _decide(head)
        _frame(head, self._limits)
        if head.length != 0 or not head.lasting:
            self._llhttp = None
        return head

    def _read(self, data: bytes) -> None:
        """Let llhttp, with none of its leniencies, find the fields.

        PERF: one parser serves many heads. It is given up after a head with
        a body, which it never sees, and after a refusal.
        """
        self._pairs.clear()
        llhttp = self._llhttp or httptools.HttpRequestParser(self)
        self._llhttp = None
        try:
            llhttp.feed_data(data)
        except httptools.HttpParserUpgrade:
            return
        except httptools.HttpParserError as exc:
            raise RequestRefused('malformed', f'{exc}.') from exc
        self._llhttp = llhttp


def _request_line(line: bytes, limits: ServerLimits) -> Head:
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise _bad_line(line, limits)
    method, wanted, major, minor = match.groups()
    if len(wanted) > limits.max_target:
        raise target_too_long(limits)
    if major != b'1' or minor not in (b'0', b'1'):
        raise RequestRefused(
            'version', 'Only HTTP/1.1 and HTTP/1.0 are spoken here.')
    head = Head()
    head.method = method.decode('ascii')
    if head.method not in METHODS:
        raise _unknown(match[1])
    head.target = wanted.decode('ascii')
    head.modern = minor == b'1'
    return head


def _bad_line(line: bytes, limits: ServerLimits) -> RequestRefused:
    if len(line) > limits.max_target + 32:
        return target_too_long(limits)
    words = line.split(b' ')
    if len(words) == 3 and re.fullmatch(rb'HTTP/[0-9.]+', words[2]):
        if _TOKEN.fullmatch(words[0]) is None:
            return RequestRefused('malformed', 'The method is not a token.')
        if len(words[0]) > _LONGEST:
            return _unknown(words[0])
        if words[2] not in (b'HTTP/1.1', b'HTTP/1.0'):
            return RequestRefused(
                'version', 'Only HTTP/1.1 and HTTP/1.0 are spoken here.')
    return RequestRefused(
        'malformed', 'The request line is not METHOD, blank, target, blank, '
        'HTTP/1.1.')


def _unknown(method: bytes) -> RequestRefused:
    shown = method[:_LONGEST].decode('ascii')
    return RequestRefused(
        'unknown', f'The method {shown} is not known; methods are written in '
        'capitals, such as GET.', True)


def target_too_long(limits: ServerLimits) -> RequestRefused:
    return RequestRefused(
        'target', f'The request target is longer than {limits.max_target} '
        'bytes.', True)


def _check_sizes(data: bytes, end: int, limits: ServerLimits) -> None:
    if len(data) - end > limits.max_header_bytes + 4:
        raise section_too_large(limits)
    longest = max(map(len, data[end + 2:].split(b'\r\n')))
    if longest > limits.max_header_line:
        raise RequestRefused(
            'header', 'A header line is longer than '
            f'{limits.max_header_line} bytes.', True)


def section_too_large(limits: ServerLimits) -> RequestRefused:
    return RequestRefused(
        'header', f'The headers are longer than {limits.max_header_bytes} '
        'bytes.', True)


def _fields(pairs: list[tuple[bytes, bytes]], limits: ServerLimits,
            ) -> dict[str, str]:
    """The fields as a WSGI environ names them; several values joined."""
    if len(pairs) > limits.max_header_count:
        raise RequestRefused(
            'header', f'There are more than {limits.max_header_count} '
            'headers.', True)
    fields: dict[str, str] = {}
    for name, value in pairs:
        key = _key(name)
        if key in fields:
            _join(fields, key, _text(value))
        elif key:
            fields[key] = _text(value)
    return fields


@lru_cache(maxsize=1024)
def _key(name: bytes) -> str:
    """The environ's name of a header; '' for one that is dropped.

    SECURITY: ``X_Project_Id`` would be ``X-Project-Id`` in an environ, past
    every filter that strips the latter; ``Proxy`` would be ``HTTP_PROXY``,
    which HTTP clients in the application believe.
    """
    key = name.decode('latin-1').upper().replace('-', '_')
    if b'_' in name or key == 'PROXY':
        return ''
    if key in ('CONTENT_TYPE', 'CONTENT_LENGTH'):
        return key
    return f'HTTP_{key}'


def _text(value: bytes) -> str:
    return value.decode('latin-1').strip(' \t')


def _join(fields: dict[str, str], key: str, value: str) -> None:
    if key in SINGLE:
        raise RequestRefused(
            'malformed', f'{named(key)} is given more than once.')
    glue = '; ' if key == 'HTTP_COOKIE' else ', '
    fields[key] = f'{fields[key]}{glue}{value}'


def named(key: str) -> str:
    """An environ's name as a client knows it."""
    return key.removeprefix('HTTP_').replace('_', '-').title()


def _decide(head: Head) -> None:
    """What becomes of the connection, and whether 100 is waited for."""
    fields = head.fields
    said = fields.get('HTTP_CONNECTION')
    tokens = () if said is None else [
        one.strip(' \t').lower() for one in said.split(',')]
    head.asked = 'keep-alive' in tokens
    head.lasting = 'HTTP_UPGRADE' not in fields and 'close' not in tokens and (
        head.modern or head.asked) and head.method != 'TRACE'
    expect = fields.get('HTTP_EXPECT')
    head.expecting = expect is not None and head.modern
    if head.expecting and expect != '100-continue' and (
            expect is None or expect.lower() != '100-continue'):
        raise RequestRefused(
            'expect', 'Only 100-continue can be expected.', True)


def _frame(head: Head, limits: ServerLimits) -> None:
    """How long the body is, so that everybody agrees where it ends."""
    coding = head.fields.get('HTTP_TRANSFER_ENCODING')
    length = head.fields.get('CONTENT_LENGTH')
    if coding is not None:
        _check_coding(head, coding, length)
        head.length = None
    elif length is None:
        head.length = 0
    elif _LENGTH.fullmatch(length):
        head.length = int(length)
    else:
        raise RequestRefused(
            'malformed', 'Content-Length is not a plain number.')
    if head.length is not None and head.length > limits.max_body:
        raise body_too_large(limits)
    if head.length == 0:
        head.expecting = False


def _check_coding(head: Head, coding: str, length: str | None) -> None:
    if not head.modern or length is not None:
        raise RequestRefused(
            'malformed', 'Transfer-Encoding has no place beside '
            'Content-Length or in HTTP/1.0.')
    if coding.lower() != 'chunked':
        raise RequestRefused(
            'unknown', 'The only transfer coding read here is chunked.', True)


def body_too_large(limits: ServerLimits) -> RequestRefused:
    return RequestRefused(
        'body', f'The body is larger than {limits.max_body} bytes.', True)


def stray(data: bytes | bytearray, start: int = 0) -> bool:
    """Whether an unfinished head already holds what no head may.

    Without this, a line that ends in a bare LF would be waited on until the
    head's deadline.
    """
    return _STRAY.search(data, start) is not None
