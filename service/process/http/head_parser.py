# SPDX-License-Identifier: Apache-2.0
"""Parse a request head, or refuse it.

llhttp (``httptools``) finds the header fields. This module also refuses what
llhttp accepts but RFC 9112 or a strict proxy does not. The purpose of every
check: no two readers of the same bytes may disagree on where a request ends
or which host it is for. ``target`` checks the host, ``body`` the body.
"""

from __future__ import annotations

import re
from functools import lru_cache

import httptools

from service.process.http import target
from service.process.http.head import Head
from service.process.limits import ServerLimits
from service.process.refusals import RequestRefused

#: The methods that llhttp parses; the application answers most with 405.
METHODS = frozenset((
    'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT',
    'TRACE', 'ACL', 'BIND', 'CHECKOUT', 'COPY', 'LINK', 'LOCK', 'M-SEARCH',
    'MERGE', 'MKACTIVITY', 'MKCALENDAR', 'MKCOL', 'MOVE', 'NOTIFY', 'PROPFIND',
    'PROPPATCH', 'PURGE', 'REBIND', 'REPORT', 'SEARCH', 'SUBSCRIBE', 'UNBIND',
    'UNLINK', 'UNLOCK', 'UNSUBSCRIBE'))

#: Headers that may not be repeated: readers differ on which value counts.
SINGLE = frozenset((
    'HTTP_HOST', 'HTTP_TRANSFER_ENCODING', 'HTTP_EXPECT', 'CONTENT_LENGTH',
    'CONTENT_TYPE', 'HTTP_AUTHORIZATION', 'HTTP_CONTENT_ENCODING',
    'HTTP_X_AUTH_TOKEN'))

#: Longer methods are not known, so the answer is 501 (RFC 9112 3).
_MAX_METHOD_BYTES = 32

_REQUEST_LINE = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([\x21-\x7e]+) HTTP/(\d)\.(\d)")
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LENGTH = re.compile(r'[0-9]{1,18}')
#: Control characters that a head may not contain: all but CR LF pairs, tab.
_STRAY_CONTROL = re.compile(
    rb'\r(?=[^\n])|(?<!\r)\n|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]')


class HeadParser:
    """Parses the request heads of one connection."""

    __slots__ = ('_limits', '_llhttp', '_pairs')

    def __init__(self, limits: ServerLimits) -> None:
        self._limits = limits
        self._llhttp: httptools.HttpRequestParser | None = None
        self._pairs: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._pairs.append((name, value))

    def parse(self, data: bytes) -> Head:
        """Parse ``data``, which is a head with its empty line."""
        end = data.index(b'\r\n')
        head = _request_line(data[:end], self._limits)
        if len(data) > self._limits.max_header_line:
            _check_sizes(data, end, self._limits)
        self._read(data)
        head.fields = _fields(self._pairs, self._limits)
        target.set_path(head)
        _set_connection(head)
        _set_length(head, self._limits)
        if head.length != 0 or not head.keep_alive:
            self._llhttp = None
        return head

    def _read(self, data: bytes) -> None:
        """Let llhttp find the fields, with all of its checks enabled.

        PERF: one parser serves many heads. It is replaced after a refusal,
        and after a head with a body, which the parser does not get.
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
        raise _bad_request_line(line, limits)
    method, target_bytes, major, minor = match.groups()
    if len(target_bytes) > limits.max_target:
        raise target_too_long(limits)
    if major != b'1' or minor not in (b'0', b'1'):
        raise _unsupported_version()
    head = Head()
    head.method = method.decode('ascii')
    if head.method not in METHODS:
        raise _unknown_method(match[1])
    head.target = target_bytes.decode('ascii')
    head.http_1_1 = minor == b'1'
    return head


def _bad_request_line(line: bytes, limits: ServerLimits) -> RequestRefused:
    if len(line) > limits.max_target + 32:
        return target_too_long(limits)
    words = line.split(b' ')
    if len(words) == 3 and re.fullmatch(rb'HTTP/[0-9.]+', words[2]):
        if _TOKEN.fullmatch(words[0]) is None:
            return RequestRefused('malformed', 'The method is not a token.')
        if len(words[0]) > _MAX_METHOD_BYTES:
            return _unknown_method(words[0])
        if words[2] not in (b'HTTP/1.1', b'HTTP/1.0'):
            return _unsupported_version()
    return RequestRefused(
        'malformed', 'The request line is not of the form "METHOD target '
        'HTTP/1.1", with single spaces.')


def _unsupported_version() -> RequestRefused:
    return RequestRefused(
        'version', 'The HTTP version is not supported; use HTTP/1.1 or '
        'HTTP/1.0.')


def _unknown_method(method: bytes) -> RequestRefused:
    shown = method[:_MAX_METHOD_BYTES].decode('ascii')
    return RequestRefused(
        'unknown', f'The method {shown} is not known; methods are written in '
        'capitals, such as GET.', True)


def target_too_long(limits: ServerLimits) -> RequestRefused:
    return RequestRefused(
        'target', f'The request target is longer than {limits.max_target} '
        'bytes.', True)


def _check_sizes(data: bytes, end: int, limits: ServerLimits) -> None:
    if len(data) - end > limits.max_header_bytes + 4:
        raise headers_too_large(limits)
    longest = max(map(len, data[end + 2:].split(b'\r\n')))
    if longest > limits.max_header_line:
        raise RequestRefused(
            'header', 'A header line is longer than '
            f'{limits.max_header_line} bytes.', True)


def headers_too_large(limits: ServerLimits) -> RequestRefused:
    return RequestRefused(
        'header', f'The headers are longer than {limits.max_header_bytes} '
        'bytes.', True)


def _fields(pairs: list[tuple[bytes, bytes]], limits: ServerLimits,
            ) -> dict[str, str]:
    """Return the headers by environ name; repeated values are joined."""
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
    """Return a header's name in the environ; '' if the header is dropped.

    SECURITY: ``X_Project_Id`` and ``X-Project-Id`` have the same name in an
    environ, but a proxy that strips the latter lets the former pass.
    ``Proxy`` would become ``HTTP_PROXY``, from which HTTP clients in the
    application take their proxy.
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
            'malformed', f'The header {header_name(key)} occurs more than '
            'once.')
    separator = '; ' if key == 'HTTP_COOKIE' else ', '
    fields[key] = f'{fields[key]}{separator}{value}'


def header_name(key: str) -> str:
    """Return the header name for a name in the environ."""
    return key.removeprefix('HTTP_').replace('_', '-').title()


def _set_connection(head: Head) -> None:
    """Set whether the connection stays, and whether the client expects 100.
    """
    fields = head.fields
    connection = fields.get('HTTP_CONNECTION')
    tokens = () if connection is None else [
        token.strip(' \t').lower() for token in connection.split(',')]
    head.keep_alive_requested = 'keep-alive' in tokens
    head.keep_alive = (
        'HTTP_UPGRADE' not in fields and 'close' not in tokens
        and (head.http_1_1 or head.keep_alive_requested)
        and head.method != 'TRACE')
    expect = fields.get('HTTP_EXPECT')
    head.expects_continue = expect is not None and head.http_1_1
    if head.expects_continue and expect != '100-continue' and (
            expect is None or expect.lower() != '100-continue'):
        raise RequestRefused(
            'expect', 'The header Expect may only be 100-continue.', True)


def _set_length(head: Head, limits: ServerLimits) -> None:
    """Set the length of the body, if all readers agree on it."""
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
            'malformed', 'Content-Length is not a decimal number of at most '
            '18 digits.')
    if head.length is not None and head.length > limits.max_body:
        raise body_too_large(limits)
    if head.length == 0:
        head.expects_continue = False


def _check_coding(head: Head, coding: str, length: str | None) -> None:
    if not head.http_1_1 or length is not None:
        raise RequestRefused(
            'malformed', 'Transfer-Encoding is not allowed together with '
            'Content-Length or in HTTP/1.0.')
    if coding.lower() != 'chunked':
        raise RequestRefused(
            'unknown', 'The only transfer coding supported is chunked.', True)


def body_too_large(limits: ServerLimits) -> RequestRefused:
    return RequestRefused(
        'body', f'The body is larger than {limits.max_body} bytes.', True)


def has_stray_control(data: bytes | bytearray, start: int = 0) -> bool:
    """Whether an unfinished head contains an invalid control character.

    Without this check, the server would wait for the end of a head with a
    bare LF until the deadline.
    """
    return _STRAY_CONTROL.search(data, start) is not None
