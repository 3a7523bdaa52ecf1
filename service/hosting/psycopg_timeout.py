# SPDX-License-Identifier: Apache-2.0
"""How psycopg2 waits for a server that serves requests: not without end.

libpq waits as long as the connection stands, also where the server was
stopped in its tracks. psycopg2 lets another wait in its place, for all its
connections; who that is depends on who serves: a thread waits as below, a
green thread by ``process.drivers``. Commands take their time.
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

#: How long a server may take over each step of opening a connection, in
#: seconds.
CONNECT_SECONDS = 5

#: Whether a file descriptor can be read, or else written, within so many
#: seconds.
Wait = Callable[[int, bool, float], bool]


def wait_in_thread(file: int, writing: bool, seconds: float) -> bool:
    """Waits while other threads go on."""
    waiting = select.poll()
    waiting.register(file, select.POLLOUT if writing else select.POLLIN)
    return bool(waiting.poll(seconds * 1000))


def install(conf: cfg.ConfigOpts, ready: Wait = wait_in_thread) -> None:
    """Let psycopg2, where it is the driver, wait by ``ready``.

    Whoever has given it a way of waiting already, as gevent's users do, has
    the last word.
    """
    if not (conf.database.connection or '').startswith('postgresql'):
        return
    try:
        from psycopg2 import OperationalError, extensions
    except ImportError:
        return
    answer = config_files.answer_timeout(conf)
    writing = {extensions.POLL_READ: False, extensions.POLL_WRITE: True}

    def wait(connection: Any) -> None:
        opening = connection.info.status != _CONNECTION_OK
        patience = CONNECT_SECONDS if opening else answer
        while (state := connection.poll()) != extensions.POLL_OK:
            if ready(connection.fileno(), writing[state], patience):
                continue
            if not opening:
                raise OperationalError(
                    f'no answer within {patience:g} seconds')
            LOG.warning('PostgreSQL has not answered a new connection '
                        'within %g seconds', patience)
            _shut_down(connection.fileno())
    if extensions.get_wait_callback() is None:
        extensions.set_wait_callback(wait)


def _shut_down(file: int) -> None:
    """libpq hears of it, and goes on to the next of several hosts: it counts
    no seconds itself where another waits for it."""
    with (socket.socket(fileno=os.dup(file)) as connection,
          contextlib.suppress(OSError)):  # the other side was first
        connection.shutdown(socket.SHUT_RDWR)


#: libpq's CONNECTION_OK.
_CONNECTION_OK = 0
