# SPDX-License-Identifier: Apache-2.0
"""The host and the target of a request, which must agree."""

from __future__ import annotations

import re
from functools import lru_cache

from service.process.http.head import Head
from service.process.refusals import RequestRefused

_HOST = re.compile(
    r'(?:\[[0-9A-Fa-f:.]{2,64}\]|[0-9A-Za-z._-]{1,255})(?::[0-9]{1,5})?')
_ABSOLUTE = re.compile(r'https?://([^/?]*)([/?].*)?', re.IGNORECASE)
_BAD_ESCAPE = re.compile(r'%(?![0-9A-Fa-f]{2})')


def set_path(head: Head) -> None:
    """Set path and query of the head; refuse a target without a path."""
    host = head.fields.get('HTTP_HOST')
    _check_host(head, host)
    target = head.target
    if head.method == 'CONNECT':
        raise _connect_refused(target)
    if target[0] != '/':
        target = _origin_form(head, host)
    if '#' in target:
        raise RequestRefused('malformed', 'The request target has a fragment.')
    head.path, _, head.query = target.partition('?')
    if '%' in head.path and _BAD_ESCAPE.search(head.path):
        raise RequestRefused(
            'malformed', 'The path contains a % without two hexadecimal '
            'digits after it.', True)


def _check_host(head: Head, host: str | None) -> None:
    if host is None:
        if head.http_1_1:
            raise RequestRefused(
                'malformed', 'An HTTP/1.1 request needs a Host header.')
    elif not _is_host(host):
        raise RequestRefused(
            'malformed', 'Host is not a host name or an address, with an '
            'optional port.')


@lru_cache(maxsize=256)
def _is_host(host: str) -> bool:
    if _HOST.fullmatch(host) is None:
        return False
    port = host.rpartition(':')[2] if not host.endswith(']') else ''
    return not port.isdigit() or ':' not in host or int(port) <= 65535


def _connect_refused(target: str) -> RequestRefused:
    """Return the refusal of CONNECT, by the form of its target.

    After a 200, a proxy would pass all bytes on unseen. The target of
    CONNECT is a host and a port, so with a path the request is malformed;
    otherwise no method is supported for the target.
    """
    if target[0] == '/':
        return RequestRefused(
            'malformed', 'The target of CONNECT must be a host and a port, '
            'and CONNECT is not supported.', True)
    return RequestRefused(
        'method', 'CONNECT is not supported: this server is not a proxy.',
        True)


def _origin_form(head: Head, host: str | None) -> str:
    """Return the path of an absolute-form target, or of ``OPTIONS *``.

    The authority of the target must equal Host. ``OPTIONS *`` is about the
    whole service, whose path is ``/``.
    """
    if head.target == '*' and head.method == 'OPTIONS':
        return '/'
    match = _ABSOLUTE.fullmatch(head.target)
    if match is None:
        raise RequestRefused('malformed', 'The request target is not a path.')
    authority, rest = match.groups()
    if not _is_host(authority) or (
            host is not None and authority.lower() != host.lower()):
        raise RequestRefused(
            'malformed', 'The request target and Host name different hosts.')
    rest = rest or '/'
    return rest if rest[0] == '/' else f'/{rest}'
