# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import os
import secrets
import socket

import pytest

from service.process.supervisor import systemd


def test_notify_does_nothing_without_a_supervisor(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('NOTIFY_SOCKET', raising=False)
    systemd.notify('READY=1')
    monkeypatch.setenv('NOTIFY_SOCKET', '/nosuch/socket')
    systemd.notify('READY=1')


def test_assignments_are_lines_of_one_datagram(
        monkeypatch: pytest.MonkeyPatch) -> None:
    name = f'pileus-{secrets.token_hex(8)}'
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(f'\0{name}')
        monkeypatch.setenv('NOTIFY_SOCKET', f'@{name}')
        systemd.notify('READY=1', 'STATUS=well')
        systemd.notify_reloading()
        assert supervisor.recv(100) == b'READY=1\nSTATUS=well'
        first, second = supervisor.recv(100).decode().splitlines()
    assert first == 'RELOADING=1'
    assert int(second.removeprefix('MONOTONIC_USEC=')) > 0


@pytest.mark.parametrize('pid, period, seconds', [
    (os.getpid(), '30000000', 15.0),
    (os.getpid(), '0', math.inf),
    (os.getpid(), '', math.inf),
    (os.getpid() + 1, '30000000', math.inf),
])
def test_the_watchdog_is_notified_twice_per_period(
        monkeypatch: pytest.MonkeyPatch, pid: int, period: str,
        seconds: float) -> None:
    monkeypatch.setenv('WATCHDOG_PID', str(pid))
    monkeypatch.setenv('WATCHDOG_USEC', period)
    assert systemd.watchdog_seconds() == seconds
