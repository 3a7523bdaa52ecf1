# SPDX-License-Identifier: Apache-2.0
"""The same application for any other WSGI server.

``service.wsgi:application`` under gunicorn, uWSGI or mod_wsgi serves the
config directory that OS_PILEUS_CONFIG_DIR names, or the first of the default
places. eventlet is not imported.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from service.config import files as config_files
from service.hosting import psycopg_timeout
from service.logs import log_setup

_LOCK = threading.Lock()


@functools.cache
def _built() -> WSGIApplication:
    from service.hosting import paste
    conf = config_files.load([], prog='service.wsgi')
    log_setup.setup(conf)
    psycopg_timeout.install(conf)
    return paste.load(conf)


def build() -> WSGIApplication:
    """The application, made once; StartError if it cannot be.

    A server that takes a factory fails at its start with this one, as
    ``gunicorn 'service.wsgi:build()'`` does.
    """
    with _LOCK:
        return _built()


def application(environ: WSGIEnvironment, start_response: StartResponse
                ) -> Iterable[bytes]:
    """Answer a request; the first one waits for the application.

    It is not built on import: a tool that only looks at this module needs no
    configuration.
    """
    return build()(environ, start_response)
