# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import signal

from service.process.supervisor.signals import Signals


def test_repeated_signals_lead_to_one_call() -> None:
    calls: list[str] = []
    with Signals({signal.SIGUSR1: lambda: calls.append('one'),
                  signal.SIGUSR2: lambda: calls.append('two')}) as signals:
        for _ in range(100):
            os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR2)
        assert calls == []
        signals.dispatch()
        assert calls == ['one', 'two']
        signals.dispatch()
    assert calls == ['one', 'two']


def test_the_previous_handlers_are_restored() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with Signals({signal.SIGUSR1: lambda: None}):
        assert signal.getsignal(signal.SIGUSR1) is not before
    assert signal.getsignal(signal.SIGUSR1) is before
    assert signal.set_wakeup_fd(-1) == -1
