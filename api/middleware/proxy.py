# SPDX-License-Identifier: Apache-2.0
"""Take client address, scheme, host and path prefix from a trusted proxy.

SECURITY: the headers count only if they come from a network of ``[api]
trusted_proxies``. Otherwise any client could choose its address in the log,
and the host in the links of other clients' replies.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from api.request import networks, urls
from api.request.networks import Network
from service.config import files as config_files

_HOST = re.compile(r'(?:[A-Za-z0-9][A-Za-z0-9.-]{0,252}|\[[0-9A-Fa-f:.]+\])'
                   r'(?::[0-9]{1,5})?\Z')
_PREFIX = re.compile(r'(?:/[A-Za-z0-9._~-]+)+\Z')


class Proxy:
    """Apply the X-Forwarded headers of a trusted proxy to the environ."""

    def __init__(self, app: Callable[..., Any],
                 trusted: Sequence[Network]) -> None:
        self._app = app
        self._trusted = trusted

    def __call__(self, environ: dict[str, Any],
                 start_response: Callable[..., Any]) -> Iterable[bytes]:
        if self._trusts(environ.get('REMOTE_ADDR', '')):
            self._correct(environ)
        return self._app(environ, start_response)

    def _correct(self, environ: dict[str, Any]) -> None:
        scheme = _last_item(environ.get('HTTP_X_FORWARDED_PROTO')).lower()
        if scheme in ('http', 'https'):
            environ['wsgi.url_scheme'] = scheme
        host = _last_item(environ.get('HTTP_X_FORWARDED_HOST'))
        if _HOST.match(host):
            environ['HTTP_HOST'] = host
        prefix = _last_item(environ.get('HTTP_X_FORWARDED_PREFIX')).rstrip('/')
        if _PREFIX.match(prefix):
            environ[urls.PREFIX] = prefix
            environ['SCRIPT_NAME'] = prefix + environ.get('SCRIPT_NAME', '')
        forwarded = environ.get('HTTP_X_FORWARDED_FOR', '')
        environ[urls.CLIENT_KNOWN] = bool(forwarded.strip())
        client = self._client(forwarded)
        if client:
            environ[urls.PEER] = environ['REMOTE_ADDR']
            environ['REMOTE_ADDR'] = client

    def _client(self, forwarded: str) -> str | None:
        """Return the last address that is not a trusted proxy.

        The addresses before it are the client's own claim.
        """
        for hop in reversed([part.strip() for part in forwarded.split(',')]):
            address = networks.parse_address(hop)
            if address is None:
                return None
            if not self._trusts(hop):
                return str(address)
        return None

    def _trusts(self, text: str) -> bool:
        return networks.within(text, self._trusted)


def _last_item(header: str | None) -> str:
    """Return a header's last item, which the nearest proxy added."""
    return (header or '').rpartition(',')[2].strip()


def factory(global_conf: Mapping[str, str], **local: str
            ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``paste.filter_factory``; without trusted proxies there is no filter."""
    conf = config_files.from_paste(global_conf)
    trusted = networks.from_option('trusted_proxies',
                                   conf.api.trusted_proxies)
    return lambda app: Proxy(app, trusted) if trusted else app
