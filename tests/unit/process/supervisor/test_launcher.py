# SPDX-License-Identifier: Apache-2.0
"""The imports of the launcher, and its texts for the ends of workers."""

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
    """D2: in a separate process, since other tests import both."""
    done = subprocess.run([sys.executable, '-c', SCRIPT], text=True,
                          capture_output=True, check=True, timeout=60)
    assert done.stdout == '[]\n'


@pytest.mark.parametrize('status, text', [
    (-9, 'was killed by SIGKILL'), (-6, 'was killed by SIGABRT'),
    (1, 'ended with status 1')])
def test_the_end_of_a_process_is_described(status: int, text: str) -> None:
    assert describe_exit(status) == text
