# SPDX-License-Identifier: Apache-2.0
"""oslo.middleware's filters, with our configuration handed to them.

Their own way to find one (``oslo_config_project``) does not know
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

App = Callable[..., Any]


def request_id(global_conf: Mapping[str, str], **local: str
               ) -> Callable[[App], App]:
    """``paste.filter_factory``: an id for each request."""
    return RequestId


def cors(global_conf: Mapping[str, str], **local: str
         ) -> Callable[[App], App]:
    """``paste.filter_factory``: pages of ``[cors] allowed_origin`` may call.

    Without one there is no filter. Raises StartError for any origin with
    credentials, which browsers refuse and nobody can mean.
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
        raise StartError('[cors] allowed_origin = *: set allow_credentials = '
                         'false, or name the origins')
    if not origins:
        return lambda app: app
    return lambda app: oslo_cors.CORS(app, conf)
