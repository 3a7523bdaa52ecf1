# SPDX-License-Identifier: Apache-2.0
"""``auth_strategy = noauth``: trust the identity in the request headers."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from api.identity import MAX_USER_ID_CHARS, identify, refuse
from api.request import errors, urls
from api.request.microversions import Versions
from api.response import faults
from service.config import files as config_files
from service.domain.caller import PROJECT_ID_FORMAT, is_project_id
from service.domain.catalogue.microversion import FIRST_VERSION
from service.domain.documents import values
from service.domain.errors import Invalid, Violation


class NoAuth:
    """Identify callers by headers; without headers, an administrator.

    SECURITY: only for clients on this machine. Client address and Host header
    are checked at each request, so that the check holds under any server. The
    Host check stops DNS rebinding: a browser that was led here by a foreign
    name sends that name as the Host (D8).
    """

    def __init__(self, app: Callable[..., Any], service_type: str, *,
                 allow_remote: bool) -> None:
        self._app = app
        self._versions = Versions(service_type, FIRST_VERSION)
        self._allow_remote = allow_remote

    def __call__(self, environ: dict[str, Any],
                 start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not self._allow_remote and not _is_local(environ):
            response = faults.response(environ, self._versions.service_type,
                                       errors.NotLocal())
            environ[faults.OWN_REPLY] = True
            response.headerlist += self._versions.headers(None)
            return response(environ, start_response)
        roles = environ.get('HTTP_X_ROLES', 'admin,member,reader')
        system_scope = environ.get('HTTP_OPENSTACK_SYSTEM_SCOPE') or None
        header = environ.get('HTTP_X_PROJECT_ID',
                             '' if system_scope else 'demo')
        project_id = _decode(header)
        if header and not is_project_id(project_id):
            refuse(environ, Invalid([Violation(
                f'X-Project-Id: {values.quoted(project_id or header)} is not '
                f'a valid project id; send {PROJECT_ID_FORMAT}, in UTF-8, or '
                f'an empty header for no project',
                parameter='X-Project-Id')]))
            return self._app(environ, start_response)
        identify(environ, project_id or None,
                 environ.get('HTTP_X_USER_ID', 'demo')[:MAX_USER_ID_CHARS]
                 or None,
                 {role.strip().lower() for role in roles.split(',')} - {''},
                 system_scope)
        return self._app(environ, start_response)


def _decode(header: str) -> str | None:
    """Return a header's value decoded as UTF-8, or None if it is not UTF-8."""
    try:
        return header.encode('latin-1').decode()
    except UnicodeDecodeError:
        return None


def noauth(global_conf: Mapping[str, str], **local: str
           ) -> Callable[[Callable[..., Any]], NoAuth]:
    """``paste.filter_factory`` of the strategy ``noauth``."""
    conf = config_files.from_paste(global_conf)
    return lambda app: NoAuth(app, conf.api.service_type,
                              allow_remote=conf.api.insecure_noauth_bind)


def _is_local(environ: dict[str, Any]) -> bool:
    """Whether the client and the Host header are both on this machine.

    The address of a client on a Unix socket is ''. SECURITY: forwarding
    headers can only make a request remote, never local, whether or not the
    proxy is trusted.
    """
    host = environ.get('HTTP_HOST', '').strip()
    name = host.rpartition(':')[0] if _has_port(host) else host
    return (all(_is_loopback(address or '127.0.0.1')
                for address in _addresses(environ))
            and (name.strip('[]').lower() in ('localhost', '')
                 or _is_loopback(name.strip('[]'))))


def _addresses(environ: dict[str, Any]) -> Iterator[str]:
    """Yield every address that the request came through, or claims to."""
    client = environ.get('REMOTE_ADDR', '')
    yield client
    yield environ.get(urls.PEER, client)
    yield from urls.hops(environ)


def _has_port(host: str) -> bool:
    return ':' in host.rpartition(']')[2]


@lru_cache(maxsize=256)
def _is_loopback(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    mapped = getattr(address, 'ipv4_mapped', None)
    return (mapped or address).is_loopback
