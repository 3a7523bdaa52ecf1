# SPDX-License-Identifier: Apache-2.0
"""Let psycopg2 yield to other green threads while it waits.

PyMySQL is pure Python and becomes green with its sockets. psycopg2 waits in
C unless it has a wait callback; eventlet's own callback has no timeout.
"""

from __future__ import annotations

import warnings

from oslo_config import cfg

from service.hosting import psycopg_timeout

with warnings.catch_warnings():
    # doc/source/operating-process.rst says what this deprecation means.
    warnings.filterwarnings('ignore', r'\s*Eventlet is deprecated')
    from eventlet import hubs


def make_green(conf: cfg.ConfigOpts) -> None:
    """Give psycopg2 a wait callback that yields, if it is the driver."""
    psycopg_timeout.install(conf, _wait_in_green_thread)


def _wait_in_green_thread(file: int, writing: bool, seconds: float) -> bool:
    try:
        hubs.trampoline(file, read=not writing, write=writing,
                        timeout=seconds, timeout_exc=TimeoutError)
    except TimeoutError:
        return False
    return True
