# SPDX-License-Identifier: Apache-2.0
"""Database drivers that leave the worker to others while they wait.

PyMySQL is Python and is green once its sockets are. psycopg2 waits in C
unless it is given a way to wait; eventlet's own waits without end.
"""

from __future__ import annotations

import warnings

from oslo_config import cfg

from service.hosting import psycopg_timeout

with warnings.catch_warnings():
    # Known, and answered in the operator's guide; see doc/source/operating.
    warnings.filterwarnings('ignore', r'\s*Eventlet is deprecated')
    from eventlet import hubs


def make_green(conf: cfg.ConfigOpts) -> None:
    """Let psycopg2, where it is the driver, wait as everybody else does."""
    psycopg_timeout.install(conf, _in_green_thread)


def _in_green_thread(file: int, writing: bool, seconds: float) -> bool:
    try:
        hubs.trampoline(file, read=not writing, write=writing,
                        timeout=seconds, timeout_exc=TimeoutError)
    except TimeoutError:
        return False
    return True
