# SPDX-License-Identifier: Apache-2.0
"""Notifications to systemd, if systemd started the service (sd_notify)."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import time


def notify(*assignments: str) -> None:
    """Send assignments such as ``READY=1`` to systemd's socket, if any.

    Errors are ignored: the service continues without its supervisor.
    """
    address = os.environ.get('NOTIFY_SOCKET')
    if not address:
        return
    if address.startswith('@'):
        address = '\0' + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock, \
            contextlib.suppress(OSError):
        sock.sendto('\n'.join(assignments).encode(), address)


def notify_reloading() -> None:
    """Report that a reload began; ``READY=1`` reports its end."""
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notify('RELOADING=1', f'MONOTONIC_USEC={now}')


def watchdog_seconds() -> float:
    """Return the period for ``notify_alive``: half of systemd's timeout.

    Infinity if systemd expects no notifications from this process.
    """
    if os.environ.get('WATCHDOG_PID', str(os.getpid())) != str(os.getpid()):
        return math.inf
    period = os.environ.get('WATCHDOG_USEC', '')
    return int(period) / 2e6 if period.isdigit() and int(period) else math.inf


def notify_alive() -> None:
    """Reset systemd's watchdog timer for this service."""
    notify('WATCHDOG=1')
