# SPDX-License-Identifier: Apache-2.0
"""The application for other WSGI servers, such as gunicorn or uWSGI.

``service.wsgi:application`` serves the config directory that
OS_PILEUS_CONFIG_DIR names, or the first default directory that exists. It does
not import eventlet.
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
    """Return the application; raise StartError if it cannot be loaded.

    The application is loaded once. A server that accepts a factory (``gunicorn
    'service.wsgi:build()'``) reports a failure when it starts.
    """
    with _LOCK:
        return _built()


def application(environ: WSGIEnvironment, start_response: StartResponse
                ) -> Iterable[bytes]:
    """Answer a request; the first request loads the application.

    It is not loaded on import, so that tools can import this module without a
    configuration.
    """
    return build()(environ, start_response)
