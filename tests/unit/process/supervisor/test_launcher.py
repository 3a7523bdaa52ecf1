# SPDX-License-Identifier: Apache-2.0
"""What the launcher must not be, and how it tells of its workers' ends."""

from __future__ import annotations

import subprocess
import sys

import pytest

from service.process.supervisor.worker_pool import describe_exit

SCRIPT = """
import sys
import service.commands.api
print(sorted({'api', 'eventlet', 'sqlalchemy'} & set(sys.modules)))
"""


def test_the_launcher_imports_neither_eventlet_nor_the_application() -> None:
    """D2: in a process of its own, since other tests import both."""
    done = subprocess.run([sys.executable, '-c', SCRIPT], text=True,
                          capture_output=True, check=True, timeout=60)
    assert done.stdout == '[]\n'


@pytest.mark.parametrize('status, told', [
    (-9, 'was killed by SIGKILL'), (-6, 'was killed by SIGABRT'),
    (1, 'ended with status 1')])
def test_an_end_is_told_in_words(status: int, told: str) -> None:
    assert describe_exit(status) == told
