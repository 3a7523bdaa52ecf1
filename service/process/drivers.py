# SPDX-License-Identifier: Apache-2.0
"""Database drivers that leave the worker to others while they wait.

PyMySQL is Python and is green once its sockets are. psycopg2 waits in C
unless it is given a way to wait; eventlet's own waits without end, also for a
server that was stopped and keeps its connections open.
"""

from __future__ import annotations

import warnings
from typing import Any

from oslo_config import cfg

from service import config

with warnings.catch_warnings():
    # Known, and answered in the operator's guide; see doc/source/operating.
    warnings.filterwarnings('ignore', r'\s*Eventlet is deprecated')
    from eventlet import hubs


def make_green(conf: cfg.ConfigOpts) -> None:
    """Let psycopg2, where it is the driver, wait as everybody else does."""
    if not (conf.database.connection or '').startswith('postgresql'):
        return
    try:
        from psycopg2 import OperationalError, extensions
    except ImportError:
        return
    patience = config.answer_timeout(conf)
    events = {extensions.POLL_READ: {'read': True},
              extensions.POLL_WRITE: {'write': True}}

    def wait(connection: Any) -> None:
        state = connection.poll()
        while state != extensions.POLL_OK:
            hubs.trampoline(
                connection.fileno(), **events[state], timeout=patience,
                timeout_exc=OperationalError(
                    f'no answer within {patience:g} seconds'))
            state = connection.poll()
    extensions.set_wait_callback(wait)
