# SPDX-License-Identifier: Apache-2.0
"""What the service tells systemd about itself, if systemd started it."""

from __future__ import annotations

import contextlib
import math
import os
import socket
import time


def notify(*facts: str) -> None:
    """Send lines such as ``READY=1`` to the socket systemd named, if any.

    The service runs on where nobody listens: a supervisor that went away is
    no reason to stop serving.
    """
    address = os.environ.get('NOTIFY_SOCKET')
    if not address:
        return
    if address.startswith('@'):
        address = '\0' + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire, \
            contextlib.suppress(OSError):
        wire.sendto('\n'.join(facts).encode(), address)


def notify_reloading() -> None:
    """Say that a reload began; ``READY=1`` ends it."""
    now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    notify('RELOADING=1', f'MONOTONIC_USEC={now}')


def watchdog_seconds() -> float:
    """How often systemd wants ``alive``, in seconds: twice a period."""
    if os.environ.get('WATCHDOG_PID', str(os.getpid())) != str(os.getpid()):
        return math.inf
    period = os.environ.get('WATCHDOG_USEC', '')
    return int(period) / 2e6 if period.isdigit() and int(period) else math.inf


def notify_alive() -> None:
    """Say that the launcher turns; without a watchdog nobody minds."""
    notify('WATCHDOG=1')
