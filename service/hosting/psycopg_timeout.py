# SPDX-License-Identifier: Apache-2.0
"""Limit how long psycopg2 waits for PostgreSQL in a server.

libpq waits as long as the connection stands, even for a database server that
has been frozen. psycopg2 lets another function wait for all its connections:
for native threads the function below, for green threads that of
``process.worker.green_psycopg``. Commands set no limit.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import socket
from collections.abc import Callable
from typing import Any

from oslo_config import cfg

from service.config import files as config_files

LOG = logging.getLogger(__name__)

#: Seconds that the database server may take for each step of connecting.
CONNECT_SECONDS = 5

#: A function that waits until a descriptor is readable, or else writable. Its
#: arguments are the descriptor, whether to wait for writing, and seconds. It
#: returns False after a timeout.
Wait = Callable[[int, bool, float], bool]


def wait_in_thread(file: int, writing: bool, seconds: float) -> bool:
    """Wait for a descriptor while other native threads run."""
    waiting = select.poll()
    waiting.register(file, select.POLLOUT if writing else select.POLLIN)
    return bool(waiting.poll(seconds * 1000))


def install(conf: cfg.ConfigOpts, wait_for: Wait = wait_in_thread) -> None:
    """Make psycopg2, if it is the configured driver, wait with a timeout.

    A wait function that is already installed stays, such as gevent's.
    """
    if not (conf.database.connection or '').startswith('postgresql'):
        return
    try:
        from psycopg2 import OperationalError, extensions
    except ImportError:
        return
    answer_seconds = config_files.answer_timeout(conf)
    writing = {extensions.POLL_READ: False, extensions.POLL_WRITE: True}

    def wait(connection: Any) -> None:
        opening = connection.info.status != _CONNECTION_OK
        seconds = CONNECT_SECONDS if opening else answer_seconds
        while (state := connection.poll()) != extensions.POLL_OK:
            if wait_for(connection.fileno(), writing[state], seconds):
                continue
            if not opening:
                raise OperationalError(
                    f'no answer within {seconds:g} seconds')
            LOG.warning('PostgreSQL has not answered a new connection '
                        'within %g seconds', seconds)
            _shut_down(connection.fileno())
    if extensions.get_wait_callback() is None:
        extensions.set_wait_callback(wait)


def _shut_down(file: int) -> None:
    """Close a connection that was not opened in time.

    libpq then tries the next host. Its own timeout has no effect while another
    function waits for it.
    """
    with (socket.socket(fileno=os.dup(file)) as connection,
          contextlib.suppress(OSError)):  # the server was first
        connection.shutdown(socket.SHUT_RDWR)


#: libpq's CONNECTION_OK.
_CONNECTION_OK = 0
