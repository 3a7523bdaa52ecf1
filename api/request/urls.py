# SPDX-License-Identifier: Apache-2.0
"""The URL that the client used, from which the links in replies are made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

#: Key in the environ: the path at which the pipeline is mounted, as the
#: client sees it. The ``fault`` filter sets it, ``proxy`` corrects it.
PREFIX = 'pileus.prefix'

#: Key in the environ: the path below the prefix, as the request has it. The
#: ``fault`` filter sets it.
PATH = 'pileus.path'

#: Key in the environ: the address of the proxy at the other end of the
#: connection. The ``proxy`` filter sets it when it replaces REMOTE_ADDR by
#: the address of the client.
PEER = 'pileus.peer'

#: Key in the environ: true if a trusted proxy sent X-Forwarded-For. The
#: ``proxy`` filter sets it; other X-Forwarded- headers then need no check.
CLIENT_KNOWN = 'pileus.client_known'

#: Headers in which a proxy names the client.
_CLIENT = ('HTTP_X_FORWARDED_FOR', 'HTTP_X_REAL_IP', 'HTTP_X_CLIENT_IP',
           'HTTP_X_CLUSTER_CLIENT_IP', 'HTTP_X_ORIGINAL_FORWARDED_FOR',
           'HTTP_X_ORIGINATING_IP', 'HTTP_X_REMOTE_IP', 'HTTP_X_REMOTE_ADDR',
           'HTTP_CLIENT_IP', 'HTTP_TRUE_CLIENT_IP', 'HTTP_CF_CONNECTING_IP',
           'HTTP_FASTLY_CLIENT_IP', 'HTTP_X_ENVOY_EXTERNAL_ADDRESS')

#: Headers that show that a request passed a proxy, without a plain address.
_PROXY = frozenset({'HTTP_FORWARDED', 'HTTP_VIA', 'HTTP_X_FORWARDED',
                    'HTTP_X_ORIGINAL_HOST'})
_FORWARDED = 'HTTP_X_FORWARDED_'

#: A hop whose address no header has.
_UNKNOWN = 'unknown'

_SLASHES = re.compile('//+')


def hops(environ: Mapping[str, Any]) -> Iterator[str]:
    """Yield the addresses that the proxies of a request report.

    A proxy that sends only other headers (``Via``, ``X-Forwarded-Host``), or
    an empty address, yields ``unknown``.
    """
    for name in _CLIENT:
        for hop in environ.get(name, '').split(',') if name in environ else ():
            yield hop.strip() or _UNKNOWN
    client_known = environ.get(CLIENT_KNOWN)
    for name in environ:
        if name in _PROXY or (name.startswith(_FORWARDED)
                              and not client_known and name not in _CLIENT):
            yield _UNKNOWN


def origin(environ: dict[str, Any]) -> str:
    """Return scheme and host, such as ``https://api.example.org:8088``."""
    host = environ.get('HTTP_HOST')
    if not host:
        host = f'{environ["SERVER_NAME"]}:{environ["SERVER_PORT"]}'
    return f'{environ["wsgi.url_scheme"]}://{host}'


def root(environ: dict[str, Any]) -> str:
    """Return the URL at which the pipeline is mounted, without a slash."""
    prefix = environ.get(PREFIX, '')
    return origin(environ) + (quote(prefix) if prefix else '')


def mount(environ: dict[str, Any]) -> str:
    """Return the URL of the application that urlmap calls: ``.../v1``."""
    return origin(environ) + quote(environ.get('SCRIPT_NAME', ''))


def path(environ: dict[str, Any]) -> str | None:
    """Return the path below the mount, including repeated slashes.

    Returns None if repeated slashes are in the mount itself. urlmap merges
    repeated slashes: with its result, ``//v1//hosts`` would equal
    ``/v1/hosts``, so that every record had many URLs (URI-2), and a metadata
    key with two slashes had no URL.
    """
    merged: str = environ.get('PATH_INFO', '')
    original: str = environ.get(PATH, merged)
    if '//' not in original:
        return merged
    mounted = _SLASHES.sub('/', original).removesuffix(merged)
    if not original.startswith(mounted):
        return None
    return original.removeprefix(mounted)
