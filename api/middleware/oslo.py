# SPDX-License-Identifier: Apache-2.0
"""Filters of oslo.middleware that use the configuration of Pileus.

The filters' own option for a configuration, ``oslo_config_project``, ignores
``--config-dir`` (D1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from oslo_middleware import cors as oslo_cors
from oslo_middleware.request_id import RequestId

from api.request import microversions
from service.config import files as config_files
from service.errors import StartError

WSGIApp = Callable[..., Any]


def request_id(global_conf: Mapping[str, str], **local: str
               ) -> Callable[[WSGIApp], WSGIApp]:
    """``paste.filter_factory``: give each request an id."""
    return RequestId


def cors(global_conf: Mapping[str, str], **local: str
         ) -> Callable[[WSGIApp], WSGIApp]:
    """``paste.filter_factory``: allow pages of ``[cors] allowed_origin``.

    Without an allowed origin there is no filter. Raises StartError for ``*``
    with credentials: browsers refuse this combination.
    """
    conf = config_files.from_paste(global_conf)
    oslo_cors.set_defaults(
        allow_headers=['Authorization', 'X-Auth-Token', 'If-Match',
                       'If-None-Match', 'Idempotency-Key',
                       microversions.HEADER],
        expose_headers=['ETag', 'Location', 'Retry-After',
                        'WWW-Authenticate', 'X-Openstack-Request-Id',
                        microversions.HEADER],
        allow_methods=['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])
    conf.register_opts(oslo_cors.OPTS, 'cors')
    origins = conf.cors.allowed_origin or []
    if '*' in origins and conf.cors.allow_credentials:
        raise StartError('[cors] allowed_origin = *: invalid with '
                         'allow_credentials = true; set allow_credentials = '
                         'false, or list the origins')
    if not origins:
        return lambda app: app
    return lambda app: oslo_cors.CORS(app, conf)
