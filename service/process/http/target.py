# SPDX-License-Identifier: Apache-2.0
"""For whom a request is: its Host and its target, which must agree."""

from __future__ import annotations

import re
from functools import lru_cache

from service.process.http.head import Head
from service.process.refusals import RequestRefused

_HOST = re.compile(
    r'(?:\[[0-9A-Fa-f:.]{2,64}\]|[0-9A-Za-z._-]{1,255})(?::[0-9]{1,5})?')
_ABSOLUTE = re.compile(r'https?://([^/?]*)([/?].*)?', re.IGNORECASE)
_BAD_ESCAPE = re.compile(r'%(?![0-9A-Fa-f]{2})')


def locate(head: Head) -> None:
    """Find path and query; refuse a target of any other form."""
    host = head.fields.get('HTTP_HOST')
    _check_host(head, host)
    target = head.target
    if head.method == 'CONNECT':
        raise _no_tunnel(target)
    if target[0] != '/':
        target = _origin_form(head, host)
    if '#' in target:
        raise RequestRefused('malformed', 'The request target has a fragment.')
    head.path, _, head.query = target.partition('?')
    if '%' in head.path and _BAD_ESCAPE.search(head.path):
        raise RequestRefused(
            'malformed', 'The path has a % that two hexadecimal digits do '
            'not follow.', True)


def _check_host(head: Head, host: str | None) -> None:
    if host is None:
        if head.modern:
            raise RequestRefused(
                'malformed', 'An HTTP/1.1 request needs a Host.')
    elif not _is_host(host):
        raise RequestRefused(
            'malformed', 'Host is not a host name or address with an '
            'optional port.')


@lru_cache(maxsize=256)
def _is_host(host: str) -> bool:
    if _HOST.fullmatch(host) is None:
        return False
    port = host.rpartition(':')[2] if not host.endswith(']') else ''
    return not port.isdigit() or ':' not in host or int(port) <= 65535


def _no_tunnel(target: str) -> RequestRefused:
    """CONNECT would make a tunnel of a proxy's connection to us. What it is
    for is a host and a port, which take no method at all; never a path."""
    if target[0] == '/':
        return RequestRefused(
            'malformed', 'CONNECT is for a host and a port, and is not '
            'offered; GET reads a path.', True)
    return RequestRefused(
        'method', 'CONNECT is not offered: this is no proxy.', True)


def _origin_form(head: Head, host: str | None) -> str:
    """The path of an absolute-form target that names our Host, or of ``*``.

    ``OPTIONS *`` asks about the service as a whole, whose path is ``/``.
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
