# SPDX-License-Identifier: Apache-2.0
"""The URLs a client used, so that links lead back the way it came."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

#: The path the whole pipeline is mounted at, as the client sees it. The
#: ``fault`` filter notes it, ``proxy`` corrects it.
PREFIX = 'pileus.prefix'

#: The path below it, as it came in; the ``fault`` filter notes it.
PATH = 'pileus.path'

#: Who is at the other end of the connection, where ``proxy`` took another
#: for the client.
PEER = 'pileus.peer'

#: That a trusted proxy said who the client is, as ``proxy`` notes: what else
#: it forwards needs no look.
CLIENT_KNOWN = 'pileus.told'

#: Where a proxy writes whom it passes a request on for.
_CLIENT = ('HTTP_X_FORWARDED_FOR', 'HTTP_X_REAL_IP', 'HTTP_X_CLIENT_IP',
           'HTTP_X_CLUSTER_CLIENT_IP', 'HTTP_X_ORIGINAL_FORWARDED_FOR',
           'HTTP_X_ORIGINATING_IP', 'HTTP_X_REMOTE_IP', 'HTTP_X_REMOTE_ADDR',
           'HTTP_CLIENT_IP', 'HTTP_TRUE_CLIENT_IP', 'HTTP_CF_CONNECTING_IP',
           'HTTP_FASTLY_CLIENT_IP', 'HTTP_X_ENVOY_EXTERNAL_ADDRESS')

#: Where it writes more than that, or only that it was there.
_PROXY = frozenset({'HTTP_FORWARDED', 'HTTP_VIA', 'HTTP_X_FORWARDED',
                    'HTTP_X_ORIGINAL_HOST'})
_FORWARDED = 'HTTP_X_FORWARDED_'

#: A hop of which nobody said who it is.
_UNKNOWN = 'unknown'

_SLASHES = re.compile('//+')


def hops(environ: Mapping[str, Any]) -> Iterator[str]:
    """Where a request came from, as the proxies on its way say.

    One that tells anything but an address (``Via``, ``X-Forwarded-Host``) has
    passed on a request of nobody knows whom, and so has one that tells
    nothing.
    """
    for name in _CLIENT:
        for hop in environ.get(name, '').split(',') if name in environ else ():
            yield hop.strip() or _UNKNOWN
    told = environ.get(CLIENT_KNOWN)
    for name in environ:
        if name in _PROXY or (name.startswith(_FORWARDED) and not told
                              and name not in _CLIENT):
            yield _UNKNOWN


def origin(environ: dict[str, Any]) -> str:
    """Scheme and host, such as ``https://api.example.org:8088``."""
    host = environ.get('HTTP_HOST')
    if not host:
        host = f'{environ["SERVER_NAME"]}:{environ["SERVER_PORT"]}'
    return f'{environ["wsgi.url_scheme"]}://{host}'


def root(environ: dict[str, Any]) -> str:
    """Where the pipeline is mounted, without a slash at the end."""
    prefix = environ.get(PREFIX, '')
    return origin(environ) + (quote(prefix) if prefix else '')


def mount(environ: dict[str, Any]) -> str:
    """Where the application called by urlmap is mounted: ``.../v1``."""
    return origin(environ) + quote(environ.get('SCRIPT_NAME', ''))


def path(environ: dict[str, Any]) -> str | None:
    """The path below the mount, as it came in; None: not below it.

    urlmap takes ``//v1//hosts`` for ``/v1/hosts``, which would give every
    record many URLs (URI-2), and a metadata key with two slashes none.
    """
    known: str = environ.get('PATH_INFO', '')
    came: str = environ.get(PATH, known)
    if '//' not in came:
        return known
    mounted = _SLASHES.sub('/', came).removesuffix(known)
    if not came.startswith(mounted):
        return None
    return came.removeprefix(mounted)
