# SPDX-License-Identifier: Apache-2.0
"""The auth strategy ``noauth``: callers are whom their headers name."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from api.identity import MAX_USER_ID_LENGTH, identify, refuse
from api.request import errors, urls
from api.request.microversions import Versions
from api.response import faults
from service.config import files as config_files
from service.domain.caller import PROJECT_ID_FORMAT, is_project_id
from service.domain.catalogue.microversion import FIRST_VERSION
from service.domain.documents import values
from service.domain.errors import Invalid, Violation


class NoAuth:
    """Everybody is who they say, an administrator unless they say less.

    SECURITY: only for callers on this machine. Address and Host are checked
    for each request, so that it holds under any server: a browser led here
    by a foreign name sends that name as the Host (D8).
    """

    def __init__(self, app: Callable[..., Any], service_type: str, *,
                 anywhere: bool) -> None:
        self._app = app
        self._versions = Versions(service_type, FIRST_VERSION)
        self._anywhere = anywhere

    def __call__(self, environ: dict[str, Any],
                 start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not self._anywhere and not _is_local(environ):
            refusal = faults.response(environ, self._versions.service_type,
                                      errors.NotLocal())
            environ[faults.OWN_REPLY] = True
            refusal.headerlist += self._versions.stamp(None)
            return refusal(environ, start_response)
        roles = environ.get('HTTP_X_ROLES', 'admin,member,reader')
        system = environ.get('HTTP_OPENSTACK_SYSTEM_SCOPE') or None
        said = environ.get('HTTP_X_PROJECT_ID', '' if system else 'demo')
        project = _decode(said)
        if said and not is_project_id(project):
            refuse(environ, Invalid([Violation(
                f'X-Project-Id: {values.quoted(project or said)} is no '
                f'project\'s id; send {PROJECT_ID_FORMAT}, in UTF-8, or '
                f'nothing for no project', parameter='X-Project-Id')]))
            return self._app(environ, start_response)
        identify(environ, project or None,
                 environ.get('HTTP_X_USER_ID', 'demo')[:MAX_USER_ID_LENGTH]
                 or None,
                 {role.strip().lower() for role in roles.split(',')} - {''},
                 system)
        return self._app(environ, start_response)


def _decode(header: str) -> str | None:
    """A header's value as UTF-8, as bodies and URLs are; None: it is not."""
    try:
        return header.encode('latin-1').decode()
    except UnicodeDecodeError:
        return None


def noauth(global_conf: Mapping[str, str], **local: str
           ) -> Callable[[Callable[..., Any]], NoAuth]:
    """``paste.filter_factory`` of the strategy ``noauth``."""
    conf = config_files.from_paste(global_conf)
    return lambda app: NoAuth(app, conf.api.service_type,
                              anywhere=conf.api.insecure_noauth_bind)


def _is_local(environ: dict[str, Any]) -> bool:
    """Both ends are this machine. A Unix socket has no address: ''.

    SECURITY: and nobody came by a proxy from elsewhere. What a proxy says is
    believed against a client, whether it is trusted or not, and never for
    one.
    """
    host = environ.get('HTTP_HOST', '').strip()
    name = host.rpartition(':')[0] if _has_port(host) else host
    return (all(_is_loopback(address or '127.0.0.1')
                for address in _addresses(environ))
            and (name.strip('[]').lower() in ('localhost', '')
                 or _is_loopback(name.strip('[]'))))


def _addresses(environ: dict[str, Any]) -> Iterator[str]:
    """Every address the request is known or said to come from."""
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
